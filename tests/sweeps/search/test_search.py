import shutil
import sys
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from composing import composed
from searching import Searching, lr

from agegender.jobs.stop_flag import stop_flag
from agegender.records import identity, record
from agegender.sweeps.search.trials import score_of
from agegender.system.locks import locked


def test_a_search_ends_with_its_best_trial_and_goes_on_to_as_many_trials_in_all(searching: Searching) -> None:
    first = searching(lr, n_trials=2)
    assert [len(batch) for batch in first.batches] == [1, 1]
    second = searching(lr, n_trials=4)
    assert [len(batch) for batch in second.batches] == [1, 1]
    states = searching.trials()
    assert [state for state, _ in states] == ["COMPLETE"] * 4
    best = max(range(4), key=lambda number: states[number][1] or 0)
    assert searching.closing[0].startswith(f"4 trials: 4 with a score; trial {best} has the best val/mean_accuracy")
    assert searching.closing[1:-1] == [f"  {override}" for override in searching.values()[best]]
    assert searching(lr, n_trials=4).batches == []


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_search_that_was_stopped_has_the_trials_of_one_that_was_not(searching: Searching, sampler: str) -> None:
    searching(lr, n_trials=3, sampler=sampler)
    whole = searching.values()
    shutil.rmtree(searching.folder)
    searching(lr, n_trials=1, sampler=sampler)
    searching(lr, n_trials=3, sampler=sampler)
    assert searching.values() == whole
    assert len({tuple(values) for values in whole}) == 3


def directory_of(values: list[str]) -> str:
    return "+".join(value.replace("=", "-") for value in values)


def test_the_directory_of_a_trial_follows_from_its_values(searching: Searching) -> None:
    [[folder]] = searching(lr, n_trials=1).batches
    [values] = searching.values()
    assert folder == searching.folder / "search/small_cnn/plain/0" / directory_of(values)


def test_so_many_trials_are_asked_for_and_launched_at_once(searching: Searching) -> None:
    assert [len(batch) for batch in searching(lr, n_trials=3, n_jobs=2).batches] == [2, 1]


def test_trials_of_the_same_values_are_one_job(searching: Searching) -> None:
    launcher = searching(lr, n_trials=4, n_jobs=4, space={"augment": "choice(none, flip)"})
    assert len(launcher.batches[0]) == len({tuple(values) for values in searching.values()}) < 4
    assert [state for state, _ in searching.trials()] == ["COMPLETE"] * 4


def test_a_failed_trial_is_told_as_one_and_the_next_search_replaces_it(searching: Searching) -> None:
    searching(lambda _: "failed", n_trials=2)
    assert searching.trials() == [("FAIL", None)] * 2
    assert [trial.user_attrs["reason"] for trial in searching.study.trials] == ["out of memory"] * 2
    assert searching.exit_code() == 1 and searching.closing == ["2 trials: 2 failed; no best one yet."]
    searching(lr, n_trials=2)
    assert [state for state, _ in searching.trials()] == ["FAIL", "FAIL", "COMPLETE", "COMPLETE"]


def test_on_error_stop_ends_the_search(searching: Searching) -> None:
    searching(lambda _: "failed", "on_error=stop", n_trials=3)
    assert searching.trials() == [("FAIL", None)]


def test_a_trial_that_another_process_trains_stays_open(searching: Searching) -> None:
    searching(lambda _: "trained elsewhere", n_trials=1)
    assert searching.trials() == [("RUNNING", None)]


def test_a_mistake_that_every_trial_repeats_ends_the_search(searching: Searching) -> None:
    searching(lambda _: "refused", n_trials=9)
    assert searching.trials() == [("FAIL", None)] * 3 and searching.exit_code() == 2


def test_a_trial_without_a_score_fails(searching: Searching) -> None:
    searching(lambda _: "complete", n_trials=1)
    assert searching.trials() == [("FAIL", None)]
    assert searching.study.trials[0].user_attrs["reason"] == "its record holds no val/mean_accuracy"


def kill(_: dict[str, Any]) -> float:
    raise MemoryError("as if by kill -9: nobody is told")


def test_a_trial_that_was_running_when_the_search_was_killed_is_taken_up_again(searching: Searching) -> None:
    with pytest.raises(MemoryError):
        searching(kill, n_trials=2, n_jobs=2)
    assert searching.trials() == [("RUNNING", None)] * 2
    before = searching.values()
    again = searching(lr, n_trials=2)
    assert searching.values() == before and [state for state, _ in searching.trials()] == ["COMPLETE"] * 2
    assert [folder.name for batch in again.batches for folder in batch] == [directory_of(values) for values in before]


def test_an_interrupted_trial_stays_open(searching: Searching) -> None:
    def interrupt(_: dict[str, Any]) -> str:
        stop_flag.interrupt(15)
        return "interrupted"

    searching(interrupt, n_trials=3)
    assert searching.exit_code() == 143 and searching.trials() == [("RUNNING", None)]
    searching(lr, n_trials=3)
    assert [state for state, _ in searching.trials()] == ["COMPLETE"] * 3


def test_ctrl_c_between_jobs_ends_the_search_with_what_is_known(searching: Searching) -> None:
    def stop(_: dict[str, Any]) -> float:
        raise KeyboardInterrupt

    searching(stop, n_trials=3)
    assert searching.exit_code() == 130 and searching.closing == ["1 trial: 1 not finished; no best one yet."]


def test_a_trial_that_was_killed_before_it_had_values_is_not_counted(searching: Searching) -> None:
    searching(lr, n_trials=1)
    searching.study.ask()
    searching(lr, n_trials=2)
    assert [state for state, _ in searching.trials()] == ["COMPLETE", "FAIL", "COMPLETE"]


def test_a_pruned_trial_is_finished_but_never_the_best(searching: Searching) -> None:
    searching(lambda config: "pruned" if config["search"]["trial"] == 1 else 0.5, n_trials=2)
    assert searching.trials() == [("COMPLETE", 0.5), ("PRUNED", None)]
    assert searching.exit_code() == 0
    assert searching(lr, n_trials=2).batches == []


def test_without_a_pruner_jobs_know_nothing_of_the_study(searching: Searching) -> None:
    searching(lambda config: 0.5 if "search" not in config else "failed", n_trials=1, pruner="none")
    assert searching.trials() == [("COMPLETE", 0.5)]


@pytest.mark.parametrize(
    ("overrides", "options", "told"),
    [
        (["trainer.max_epochs=2"], {}, "trainer.max_epochs=30, now 2"),
        ([], {"metric": "val/age_accuracy"}, "sweeper.metric=val/mean_accuracy, now val/age_accuracy"),
        ([], {"direction": "minimize"}, "sweeper.direction=maximize, now minimize"),
        ([], {"space": {"optimizer.lr": "interval(0.1, 0.2)"}}, "sweeper.space.optimizer.lr=FloatDistribution("),
    ],
)
def test_a_study_holds_no_trials_that_cannot_be_compared(
    searching: Searching, capsys: pytest.CaptureFixture[str], overrides: list[str], options: dict[str, Any], told: str
) -> None:
    searching(lr, n_trials=1)
    with pytest.raises(SystemExit) as ended:
        searching(lr, *overrides, n_trials=2, **options)
    error = capsys.readouterr().err
    assert ended.value.code == 2 and error.startswith("error: the search in ") and told in error
    assert len(searching.trials()) == 1


@pytest.mark.parametrize(
    ("overrides", "options", "told"),
    [
        ([], {"n_trials": 0}, "hydra.sweeper.n_trials=0: Input should be greater than or equal to 1"),
        ([], {"metric": "test/age_accuracy"}, "hydra.sweeper.metric=test/age_accuracy: Input should be 'val/"),
        (["model.dropout=interval(0, 2)"], {}, "model.dropout=2.0: Input should be less than 1"),
        (["optimizer.rate=interval(0, 2)"], {}, "Could not override 'optimizer.rate'"),
        (["model=choice(small_cnn, nope)"], {}, "Could not find 'model/nope'"),
    ],
)
def test_a_mistake_is_told_in_one_line_before_anything_is_begun(
    searching: Searching, capsys: pytest.CaptureFixture[str], overrides: list[str], options: dict[str, Any], told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        searching(lr, *overrides, **options)
    error = capsys.readouterr().err
    assert ended.value.code == 2 and told in error and error.count("\n") == 1
    assert not (searching.folder / "search/search/study.journal").exists()


def test_two_searches_of_one_name_do_not_run_at_once(searching: Searching, capsys: pytest.CaptureFixture[str]) -> None:
    with locked(searching.folder / "search/search"), pytest.raises(SystemExit) as ended:
        searching(lr)
    assert ended.value.code == 2 and "running in another process" in capsys.readouterr().err


def test_the_score_is_of_the_validation_and_of_the_best_epoch() -> None:
    history = [{"epoch": 1, "val_loss": 3.0}, {"epoch": 2, "val_loss": 2.0}, {"epoch": 3, "val_loss": 1.0}]
    entry = record.Record("complete", "n", {}, {}, 0, history=history, best_epoch=2)
    entry.val = {"age_accuracy": 0.25}
    entry.test = {"age_accuracy": 0.75, "mean_accuracy": 0.75}
    assert score_of(entry, "val/age_accuracy") == 0.25
    assert score_of(entry, "val/loss") == 2.0
    assert score_of(entry, "val/mean_accuracy") is None


@pytest.mark.parametrize(
    "recipe", [[], ["experiment=fast", "without=muon", "model.dropout=0.1", "data.root=faces.tar"]]
)
def test_the_best_configuration_is_an_experiment_that_gives_the_same_configuration(
    searching: Searching, recipe: list[str], face_folder: Path
) -> None:
    recipe = [item.replace("faces.tar", str(face_folder)) for item in recipe]  # a search asks first whether it is there
    space = {"optimizer.lr": "tag(log, interval(1e-4, 1e-2))", "loss": "choice(dex, sord)"}
    [[folder]] = searching(lr, *recipe, "name=search", n_trials=1, space=space).batches
    assert (searching.folder / "search/best.yaml").exists()
    assert f"--config-dir {searching.folder}/search/conf experiment=best_of_search" in searching.closing[-1]
    added = f"hydra.searchpath=[file://{Path.cwd() / searching.folder}/search/conf]"
    best = composed(added, "experiment=best_of_search")
    trained = record.read(folder)
    assert trained is not None
    assert identity.differences(trained.config, best) == []
    assert best["name"] == "best_of_search" and best["data"]["source"]["root"] == best["data"]["root"]


def test_ordinary_runs_do_not_import_optuna() -> None:
    imported = "agegender.jobs.run, agegender.sweeps.callback, hydra_plugins.agegender_sweepers as _"
    program = f"import sys, {imported}; print(*sys.modules)"
    modules = run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert not {"optuna", "torch", "agegender.sweeps.search"} & set(modules)
