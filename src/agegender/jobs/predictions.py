"""What a tested module says of each image, from tensors of batches to arrays and a file."""

from pathlib import Path

import numpy as np
import torch

from agegender.data.datamodule import UTKFaceDataModule
from agegender.records import predictions
from agegender.records.predictions import Predictions
from agegender.training.module import AgeGenderModule


def save_predictions(path: Path, module: AgeGenderModule, datamodule: UTKFaceDataModule) -> dict[str, list[int]]:
    """Write one row per tested image: labels, predictions and their probabilities.

    Returns:
        `group`, `group_predicted`, `gender`, `gender_predicted` of each image.
    """
    tested = _collect(module, datamodule)
    predictions.write(path, tested)
    return {
        "group": tested.group.tolist(),
        "group_predicted": tested.group_predicted.tolist(),
        "gender": tested.gender.tolist(),
        "gender_predicted": tested.gender_predicted.tolist(),
    }


def _collect(module: AgeGenderModule, datamodule: UTKFaceDataModule) -> Predictions:
    table = datamodule.table
    rows = torch.cat([batch["row"].cpu() for batch in module.predictions]).numpy()
    group = _joined(module, "group")
    gender = _joined(module, "gender")
    return Predictions(
        groups=datamodule.groups.names,
        images=np.array([table.names[row] for row in rows], dtype=object),
        group=table.groups(datamodule.groups)[rows],
        group_predicted=group.argmax(dim=1).numpy(),
        gender=table.genders[rows],
        gender_predicted=gender.argmax(dim=1).numpy(),
        years=np.where(table.years[rows] >= 0, table.years[rows], np.nan).astype(np.float64),
        years_predicted=_joined(module, "years").numpy().astype(np.float64),
        race=table.races[rows],
        p_group=group.numpy(),
        p_gender=gender.numpy(),
    )


def _joined(module: AgeGenderModule, key: str) -> torch.Tensor:
    """Return what all batches hold under a key, float32 on the CPU."""
    return torch.cat([batch[key].float().cpu() for batch in module.predictions])
