"""Every tested image as a row: labels, predictions and their probabilities; what statistics are made of later."""

import csv
import io
from pathlib import Path

import torch

from agegender.data.datamodule import UTKFaceDataModule
from agegender.labels import GENDERS, RACES
from agegender.system.files import write_atomically
from agegender.training.module import AgeGenderModule


def save_predictions(path: Path, module: AgeGenderModule, datamodule: UTKFaceDataModule) -> dict[str, list[int]]:
    """Write one row per tested image: labels, predictions and their probabilities.

    Returns:
        `group`, `group_predicted`, `gender`, `gender_predicted` of each image.
    """
    table, names = datamodule.table, datamodule.groups.names
    batches = [
        {key: value.float().cpu() for key, value in batch.items() if key != "row"} for batch in module.predictions
    ]
    rows = torch.cat([batch["row"].cpu() for batch in module.predictions]).numpy()
    group, gender, years = (torch.cat([batch[key] for batch in batches]) for key in ("group", "gender", "years"))
    labels = {
        "group": datamodule.groups.of(table.ages[rows]).tolist(),
        "group_predicted": group.argmax(dim=1).tolist(),
        "gender": table.genders[rows].tolist(),
        "gender_predicted": gender.argmax(dim=1).tolist(),
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["image", "group", "group_predicted", "years", "years_predicted", "gender", "gender_predicted", "race"]
        + [f"p_{name}" for name in (*names, *GENDERS)]
    )
    for index, row in enumerate(rows):
        race = table.races[row]
        probabilities = [f"{value:.6f}" for value in (*group[index].tolist(), *gender[index].tolist())]
        writer.writerow(
            [
                table.names[row],
                *(names[labels[key][index]] for key in ("group", "group_predicted")),
                *(table.ages[row], f"{float(years[index]):.3f}"),
                *(GENDERS[labels[key][index]] for key in ("gender", "gender_predicted")),
                *(RACES[race] if race >= 0 else "", *probabilities),
            ]
        )
    write_atomically(path, text.getvalue())
    return labels
