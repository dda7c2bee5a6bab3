"""Which configurations are compared, and what their differences speak of."""

import pytest
from made_runs import make_predictions, random_predictions, write_run

from agegender.labels import age_groups
from agegender.records import record
from agegender.report.results import read_sweep
from agegender.report.statistics.design import design_of

N = 40


def test_configurations_on_the_same_images_are_comparable(tmp_path):
    for seed, model in enumerate(("alexnet", "vgg11", "ours")):
        write_run(tmp_path, random_predictions(seed, 20), model=model)
    sweep = read_sweep(tmp_path)
    assert design_of(sweep).compared == sweep.configurations


ADIENCE = age_groups("nearest").names
OTHER = {
    "fewer images": make_predictions([4, 5]),
    "other images": make_predictions([4, 5, 5], images=["a", "b", "c"]),
    "another order": make_predictions([4, 5, 5], images=["00001.jpg", "00000.jpg", "00002.jpg"]),
    "other true groups": make_predictions([4, 5, 4]),
    "other true genders": make_predictions([4, 5, 5], gender=1),
    "another scheme": make_predictions([4, 5, 5], groups=ADIENCE),
}


@pytest.mark.parametrize("what", OTHER)
def test_a_configuration_on_other_images_or_groups_is_left_out(tmp_path, what):
    for seed in (0, 1):
        write_run(tmp_path, make_predictions([4, 5, 5]), model="vgg11", seed=seed)
    write_run(tmp_path, OTHER[what], model="alexnet")
    assert [one.label for one in design_of(read_sweep(tmp_path)).compared] == ["vgg11 / plain"]


def test_a_configuration_of_which_one_seed_has_other_images_is_left_out(tmp_path):
    for model in ("alexnet", "vgg11"):
        write_run(tmp_path, make_predictions([4, 5, 5]), model=model)
    write_run(tmp_path, make_predictions([4, 5]), model="vgg11", seed=1)
    assert [one.label for one in design_of(read_sweep(tmp_path)).compared] == ["alexnet / plain"]


def write_split(folder, split, model="resnet18", seed=0, **more):
    """A run on test images of its own for each split seed."""
    images = [f"split-{split}-{n}" for n in range(N)]
    told = random_predictions(100 * split + seed, N, labels_seed=split)
    told = make_predictions(told.group, told.group_predicted, images=images)
    path = write_run(folder, told, model=model, seed=seed, **{"data.split_seed": str(split)} | more)
    entry = record.read(path)
    entry.config["data"]["split_seed"] = split
    entry.data["split_hash"] = f"hash-{split}"
    record.write(path, entry)
    return path


def test_splits_are_blocks_of_one_comparison_rather_than_configurations(tmp_path):
    for split in (1, 2, 3):
        for model in ("alexnet", "vgg11"):
            for seed in (0, 1):
                write_split(tmp_path, split, model, seed)
    sweep = read_sweep(tmp_path)
    design = design_of(sweep)
    assert [one.label for one in sweep.configurations] == ["alexnet / plain", "vgg11 / plain"]
    assert design.compared == sweep.configurations
    assert (design.num_splits, design.num_seeds, design.basis) == (3, (2, 2), "splits")
    assert design.num_images == N
    assert design.test_to_train == pytest.approx(N / (7 * N - 3))


def test_a_configuration_without_one_of_the_splits_is_left_out(tmp_path):
    for split in (1, 2, 3):
        for model in ("alexnet", "vgg11"):
            write_split(tmp_path, split, model)
    for split in (1, 2):
        write_split(tmp_path, split, "ours")
    assert design_of(read_sweep(tmp_path)).labels == ("alexnet / plain", "vgg11 / plain")


def test_other_images_under_the_same_split_are_changed_data(tmp_path):
    for seed, images in enumerate((N, N // 2)):
        write_run(tmp_path, random_predictions(seed, images), seed=seed)
    assert design_of(read_sweep(tmp_path)).compared == ()


@pytest.mark.parametrize(
    ("seeds", "basis", "numbers"),
    [
        ({"alexnet": 1, "vgg11": 1}, "networks", (1, 1)),
        ({"alexnet": 1, "vgg11": 3}, "networks", (1, 3)),
        ({"alexnet": 2, "vgg11": 3}, "methods", (2, 3)),
    ],
)
def test_a_single_seed_speaks_of_networks_whatever_the_others_have(tmp_path, seeds, basis, numbers):
    for model, number in seeds.items():
        for seed in range(number):
            write_run(tmp_path, random_predictions(seed, 20), model=model, seed=seed)
    design = design_of(read_sweep(tmp_path))
    assert (design.basis, design.num_seeds) == (basis, numbers)


def test_an_ablation_is_held_against_the_whole_recipe(tmp_path):
    for without in ("nothing", "muon", "schedule"):
        write_run(tmp_path, random_predictions(0, 20), without=without)
    assert design_of(read_sweep(tmp_path)).reference == "resnet18 / plain / without=nothing"


def test_without_the_whole_recipe_all_pairs_are_compared(tmp_path):
    for without in ("muon", "schedule"):
        write_run(tmp_path, random_predictions(0, 20), without=without)
    assert design_of(read_sweep(tmp_path)).reference is None
