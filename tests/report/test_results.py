"""Run directories as they are read: what belongs together, what may be compared, what cannot be read."""

from pathlib import Path
from typing import Any

import pytest
from made_runs import GROUPS, make_predictions, random_predictions, write_run

from agegender.records import record
from agegender.report.results import read_sweep
from agegender.report.statistics.design import design_of


def test_runs_that_differ_in_their_seed_are_one_configuration(tmp_path):
    for model, seed in (("vgg11", 1), ("vgg11", 0), ("alexnet", 1), ("vgg11", 10)):
        write_run(tmp_path, make_predictions([4, 5]), model=model, seed=seed)
    found = read_sweep(tmp_path).configurations
    assert [one.label for one in found] == ["alexnet / plain", "vgg11 / plain"]
    assert [[run.record.seed for run in one.runs] for one in found] == [[1], [0, 1, 10]]


def test_configurations_are_in_the_papers_order_and_others_after_it(tmp_path):
    for model, loss in (("ours", "plain"), ("small_cnn", "weighted"), ("small_cnn", "plain"), ("alexnet", "plain")):
        write_run(tmp_path, make_predictions([4]), model=model, loss=loss)
    labels = [one.label for one in read_sweep(tmp_path).configurations]
    assert labels == ["alexnet / plain", "small_cnn / plain", "small_cnn / weighted", "ours / plain"]


def test_what_else_varies_tells_configurations_apart(tmp_path):
    for rate in ("0.1", "0.2"):
        for seed in (0, 1):
            write_run(tmp_path, make_predictions([4]), seed=seed, **{"optimizer.lr": rate})
    found = read_sweep(tmp_path).configurations
    assert [one.label for one in found] == [
        "resnet18 / plain / optimizer.lr=0.1",
        "resnet18 / plain / optimizer.lr=0.2",
    ]
    assert [len(one.runs) for one in found] == [2, 2]


def test_the_experiment_that_asked_for_a_run_tells_nothing_apart(tmp_path):
    for seed, experiment in ((2, "a"), (1, "b"), (0, "c")):
        write_run(tmp_path, make_predictions([4]), seed=seed, experiment=experiment)
    (only,) = read_sweep(tmp_path).configurations
    assert [run.record.seed for run in only.runs] == [0, 1, 2]


def rewritten(folder: Path, **values: Any) -> None:
    """Change keys of the configuration of a run."""
    entry = record.read(folder)
    assert entry is not None
    for key, value in values.items():
        group, _, name = key.partition("__")
        entry.config.setdefault(group, {})[name] = value
    record.write(folder, entry)


def test_what_an_experiment_changes_by_its_file_tells_configurations_apart(tmp_path):
    for experiment, tau in (("best", 0.0), ("balanced", 1.0)):
        for seed in (0, 1):
            folder = write_run(tmp_path, make_predictions([4]), seed=seed, experiment=experiment)
            rewritten(folder, loss__logit_adjustment=tau)
    labels = {one.label: [run.record.seed for run in one.runs] for one in read_sweep(tmp_path).configurations}
    assert labels == {
        "resnet18 / plain / experiment=balanced": [0, 1],
        "resnet18 / plain / experiment=best": [0, 1],
    }


def test_a_difference_that_nobody_named_is_named_by_its_key(tmp_path):
    for seed, rate in ((0, 0.1), (1, 0.2), (2, 0.2)):
        rewritten(write_run(tmp_path, make_predictions([4]), seed=seed), optimizer__lr=rate)
    labels = {one.label: len(one.runs) for one in read_sweep(tmp_path).configurations}
    assert labels == {"resnet18 / plain / optimizer.lr=0.1": 1, "resnet18 / plain / optimizer.lr=0.2": 2}


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("logger", ("csv", "none")),
        ("data.root", ("/scratch/UTKFace.tar", "UTKFace.tar")),
        ("data.cache_dir", ("/a", "/b")),
        ("data.limit", ("null", None)),
    ],
)
def test_choices_that_make_no_other_experiment_do_not_divide_the_seeds(tmp_path, key, values):
    for seed, value in enumerate(values):
        write_run(tmp_path, make_predictions([4]), seed=seed, **({} if value is None else {key: value}))
        if "." in key:
            group, _, name = key.partition(".")
            (folder,) = {path.parent for path in tmp_path.rglob("record.json") if f"/{seed}/" in str(path)}
            rewritten(folder, **{f"{group}__{name}": None if value in (None, "null") else value})
    assert [one.label for one in read_sweep(tmp_path).configurations] == ["resnet18 / plain"]


def test_a_value_given_by_name_is_the_same_as_the_default(tmp_path):
    write_run(tmp_path, make_predictions([4]), seed=0)
    rewritten(
        write_run(tmp_path, make_predictions([4]), seed=1, **{"trainer.max_epochs": "30"}), trainer__max_epochs=30
    )
    assert [len(one.runs) for one in read_sweep(tmp_path).configurations] == [2]


def test_runs_that_are_not_complete_belong_to_their_configuration_but_are_not_measured(tmp_path):
    write_run(tmp_path, make_predictions([4]), seed=0)
    write_run(tmp_path, None, seed=1)
    write_run(tmp_path, None, seed=2, status="failed", error="RuntimeError: no")
    sweep = read_sweep(tmp_path)
    (only,) = sweep.configurations
    assert [len(runs) for runs in (only.runs, only.complete, only.measured)] == [3, 1, 1]
    assert sweep.problems == ()


def test_evaluations_of_other_data_are_no_runs(tmp_path):
    folder = write_run(tmp_path, make_predictions([4]))
    write_run(folder / "eval", make_predictions([4, 4]), seed=1)
    assert len(read_sweep(tmp_path).runs) == 1


def test_an_empty_directory_is_a_sweep_without_runs(tmp_path):
    sweep = read_sweep(tmp_path)
    assert (sweep.configurations, sweep.runs, sweep.problems) == ((), (), ())


@pytest.mark.parametrize("text", ["", "{"])
def test_a_broken_record_is_one_failed_run_of_its_row_and_changes_no_other(tmp_path, text):
    for seed in (0, 1):
        write_run(tmp_path, make_predictions([4]), seed=seed)
    whole = read_sweep(tmp_path)
    (broken,) = {run.folder for run in whole.runs if run.record.seed == 1}
    (broken / "record.json").write_text(text)
    sweep = read_sweep(tmp_path)
    assert [one.label for one in sweep.configurations] == [one.label for one in whole.configurations]
    assert [(run.record.status, run.record.seed) for run in sweep.runs] == [("complete", 0), ("failed", 1)]
    assert "delete it to run this job again" in str(sweep.runs[1].record.error)


def test_missing_predictions_become_a_line_in_problems(tmp_path):
    write_run(tmp_path, make_predictions([4]), seed=0)
    folder = write_run(tmp_path, make_predictions([4]), seed=1)
    (folder / "predictions.csv").unlink()
    sweep = read_sweep(tmp_path)
    (problem,) = sweep.problems
    assert problem.startswith(f"{folder.relative_to(tmp_path)}/predictions.csv cannot be read (")
    assert [run.predictions is None for run in sweep.runs] == [False, True]
    assert design_of(sweep).compared == ()  # its only configuration has a run that cannot be compared


def test_broken_predictions_become_a_line_in_problems(tmp_path):
    write_run(tmp_path, make_predictions([4]), seed=0)
    path = write_run(tmp_path, make_predictions([4]), seed=1) / "predictions.csv"
    path.write_text(path.read_text().replace("21-32,21-32", "30-40,21-32"))
    sweep = read_sweep(tmp_path)
    (problem,) = sweep.problems
    groups = ", ".join(GROUPS)
    assert problem == (
        f"{path.relative_to(tmp_path)} cannot be read (group holds '30-40', not one of {groups}); not in the tests"
    )
    assert [run.predictions is None for run in sweep.runs] == [False, True]


def test_a_record_without_names_of_groups_becomes_a_line_in_problems(tmp_path):
    path = write_run(tmp_path, make_predictions([4])) / "record.json"
    path.write_text(path.read_text().replace('"names"', '"labels"'))
    assert len(read_sweep(tmp_path).problems) == 1


def test_names_of_the_same_images_are_kept_once(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path, random_predictions(seed, 20), seed=seed)
    one, other = (run.predictions for run in read_sweep(tmp_path).runs)
    assert one is not None and other is not None
    assert one.images is other.images
