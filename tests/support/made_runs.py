"""Run directories with known results: from arrays to `record.json` and `predictions.csv` as a job writes them."""

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from agegender.labels import GENDERS, RACES, age_groups
from agegender.records import predictions as predictions_file
from agegender.records import record
from agegender.records.predictions import Predictions
from agegender.records.record import Record

GROUPS = age_groups("closed").names
CONFIG = {
    "trainer": {"max_epochs": 30, "limit_train_batches": 1.0},
    "data": {"batch_size": 32},
    "optimizer": {"_target_": "torch.optim.Adam", "lr": 1e-4},
    "monitor": "val/mean_accuracy",
}
ENVIRONMENT = {
    "num_devices": 1,
    "accelerator": "cpu",
    "device": "A CPU",
    "threads": 2,
    "precision": "32-true",
    "torch": "2.14.1",
}
_TYPICAL_AGES = np.array([1, 4, 9, 17, 26, 38, 48, 65])  # years; one inside each closed group


def make_predictions(
    group: Any,
    group_predicted: Any = None,
    *,
    gender: Any = 0,
    gender_predicted: Any = None,
    years: Any = None,
    years_predicted: Any = None,
    race: Any = 0,
    p_group: Any = None,
    p_gender: Any = None,
    images: Any = None,
    groups: tuple[str, ...] = GROUPS,
) -> Predictions:
    """Make the predictions for N images; predictions that are not given are right, and a scalar holds for all images.

    Years that are not given are a typical age of the group. Probabilities that are not given are 1 for the predicted
    class.
    """
    group = np.asarray(group, dtype=np.int64)
    size = len(group)

    def column(values: Any, default: Any, dtype: type = np.int64) -> np.ndarray:
        return np.broadcast_to(np.asarray(default if values is None else values, dtype=dtype), size).copy()

    group_predicted = column(group_predicted, group)
    gender = column(gender, 0)
    gender_predicted = column(gender_predicted, gender)
    years = column(years, _TYPICAL_AGES[group], np.float64)
    if p_group is None:
        p_group = np.eye(len(groups))[group_predicted]
    if p_gender is None:
        p_gender = np.eye(2)[gender_predicted]
    return Predictions(
        groups,
        np.array([f"{n:05d}.jpg" for n in range(size)] if images is None else images, dtype=object),
        group,
        group_predicted,
        gender,
        gender_predicted,
        years,
        column(years_predicted, _TYPICAL_AGES[group_predicted], np.float64),
        column(race, 0),
        np.asarray(p_group, dtype=np.float32),
        np.asarray(p_gender, dtype=np.float32),
    )


def random_predictions(seed: int, size: int, *, skill: float = 0.5, labels_seed: int = 0) -> Predictions:
    """Draw predictions that are right with about the probability `skill`; the labels follow from `labels_seed`."""
    of_labels = np.random.default_rng(labels_seed)
    random = np.random.default_rng([seed, 1])
    group = of_labels.integers(8, size=size)
    gender = of_labels.integers(2, size=size)
    race = of_labels.integers(-1, len(RACES), size=size)
    p_group = random.dirichlet(np.full(8, 0.4), size) * (1 - skill) + skill * np.eye(8)[group] * random.random(
        (size, 1)
    )
    p_gender = random.dirichlet(np.full(2, 0.4), size) * (1 - skill) + skill * np.eye(2)[gender] * random.random(
        (size, 1)
    )
    p_group, p_gender = (p / p.sum(axis=1, keepdims=True) for p in (p_group, p_gender))
    group_predicted = p_group.argmax(axis=1)
    return make_predictions(
        group,
        group_predicted,
        gender=gender,
        gender_predicted=p_gender.argmax(axis=1),
        race=race,
        years_predicted=np.round(_TYPICAL_AGES[group_predicted] + random.uniform(-1, 3, size), 3),
        p_group=np.round(p_group, 6),
        p_gender=np.round(p_gender, 6),
    )


# Predictions at the edges of the formulas of scores.
CASES = {
    "random": random_predictions(1, 500, skill=0.6),
    "few": random_predictions(2, 12, skill=0.3),
    "bad": random_predictions(3, 200, skill=0.0),
    "right": make_predictions(np.arange(64) % 8, gender=np.arange(64) % 2),
    "one prediction": make_predictions(np.arange(40) % 8, np.full(40, 4), gender=np.arange(40) % 2),
    "groups that do not occur": make_predictions([0, 0, 2, 2, 2, 5], [0, 1, 2, 3, 2, 0], gender=[0, 1, 0, 1, 1, 1]),
    "one image": make_predictions([3], [6]),
}


def right_at(num_images: int, *wrong: int | range, **options: Any) -> Predictions:
    """Make predictions for faces of the group 21-32: right, except for the images in `wrong`, predicted as 33-43."""
    group_predicted = np.full(num_images, 4)
    for where in wrong:
        group_predicted[list(where) if isinstance(where, range) else where] = 5
    return make_predictions(np.full(num_images, 4), group_predicted, **options)


def make_record(
    predictions: Predictions | None,
    *,
    model: str = "resnet18",
    loss: str = "plain",
    seed: int = 0,
    status: str = "complete",
    error: str | None = None,
    coarse_years: bool | None = None,
    **choices: str,
) -> Record:
    """Make the record of a run with these predictions; without predictions, that of a run that has just started."""
    made = Record(
        status=status,
        name="t",
        choices={"model": model, "loss": loss, "data": "utkface", **choices},
        config=copy.deepcopy(CONFIG),
        seed=seed,
        error=error,
        coarse_years=coarse_years,
    )
    for key, value in choices.items():
        group, dot, name = key.partition(".")
        if dot:  # a value, not the option of a group
            made.config.setdefault(group, {})[name] = value
    if predictions is None:
        return made
    made.data = {
        "root": "UTKFace.tar",
        "fingerprint": "f",
        "image_size": 256,
        "age_groups": {"scheme": "closed", "names": list(predictions.groups)},
        "counts": {
            "files": 10 * len(predictions),
            "skipped": 1,
            "dropped": {"exact": 2},
            "train": 7 * len(predictions) - 3,
            "val": 2 * len(predictions),
            "test": len(predictions),
        },
        "leak_control": True,
        "split_hash": "abc",
    }
    made.environment = dict(ENVIRONMENT)
    made.num_params = 11_181_642
    made.gmacs = 2.369
    made.time = {"fit_seconds": 12.5, "images_per_second": 100.25}
    made.test = _test_scores(predictions)
    return made


def _test_scores(predictions: Predictions) -> dict[str, Any]:
    group = predictions.group
    group_predicted = predictions.group_predicted
    hits = group == group_predicted
    return {
        "age_accuracy": float(hits.mean()),
        "gender_accuracy": float((predictions.gender == predictions.gender_predicted).mean()),
        "age_one_off_accuracy": float((np.abs(group - group_predicted) <= 1).mean()),
        "age_balanced_accuracy": float(np.mean([hits[group == g].mean() for g in np.unique(group)])),
        "age_mae_years": float(np.abs(predictions.years - predictions.years_predicted).mean()),
        "age_confusion": _matrix(group, group_predicted, len(predictions.groups)),
        "gender_confusion": _matrix(predictions.gender, predictions.gender_predicted, len(GENDERS)),
    }


def _matrix(true: np.ndarray, predicted: np.ndarray, num_classes: int) -> list[list[int]]:
    matrix = np.zeros((num_classes, num_classes), dtype=int)
    np.add.at(matrix, (true, predicted), 1)
    return matrix.tolist()


def write_run(
    sweep: Path, predictions: Predictions | None, *, validation: Predictions | None = None, **made: Any
) -> Path:
    """Write a run below a sweep's directory, with the record of `make_record`, and return its directory.

    Without predictions its status is `running`, unless `status` is given. `validation`: predictions for its validation
    part; None: no file.
    """
    entry = make_record(predictions, **({"status": "running"} if predictions is None else {}) | made)
    extra = ",".join(f"{key}={value}" for key, value in entry.choices.items() if key not in ("model", "loss", "data"))
    folder = sweep / entry.choices["model"] / entry.choices["loss"] / str(entry.seed) / extra
    if predictions is not None:
        predictions_file.write(folder / "predictions.csv", predictions)
    if validation is not None:
        predictions_file.write(folder / "predictions_val.csv", validation)
    record.write(folder, entry)
    return folder


def report_without_torch(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `agegender report` as if neither torch nor hydra were installed."""
    program = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.partition('.')[0] in ('torch', 'lightning', 'torchvision', 'hydra', 'omegaconf'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from agegender.cli import main\n"
        f"sys.exit(main(['report', {str(folder)!r}]))\n"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
