"""Faces in a table of pixels, as Kaggle's `age_gender.csv` of UTKFace, written as images with a table of labels."""

import csv
import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from agegender.data.text_table import parse_table
from agegender.labels import GENDERS, RACES
from agegender.system.errors import InputError
from agegender.system.files import write_atomically

LABELS = "faces.csv"
_COLUMNS = ("age", "ethnicity", "gender", "pixels")


def import_pixels(path: Path, folder: Path) -> int:
    """Write each row of a table as a grey PNG image, and their labels as faces.csv.

    Args:
        path: of a table with the columns age, ethnicity and gender, by UTKFace's codes, and pixels, grey values of a
            square image separated by blanks.
        folder: to write to; the table of labels comes last, so that it marks a complete import.

    Returns:
        The number of images.

    Raises:
        InputError: the file cannot be read, is not such a table, or a row is wrong; nothing is left out.
    """
    try:
        table = parse_table(path.read_bytes(), _COLUMNS)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path") from error
    except ValueError as error:
        raise InputError(f"{path} is not a table of pixels: {error}; give a file such as age_gender.csv") from error
    if not table.rows:
        raise InputError(f"{path} has no row; download it again")
    folder.mkdir(parents=True, exist_ok=True)
    labels = io.StringIO()
    writer = csv.writer(labels, lineterminator="\n")
    writer.writerow(["image", "age", "gender", "race"])
    for number, (line, record) in enumerate(table.records()):
        name = f"{number:05d}.png"
        try:
            image = _image(record["pixels"])
            gender = GENDERS[_code(record, "gender", len(GENDERS))]
            race = RACES[_code(record, "ethnicity", len(RACES))]
        except ValueError as error:
            raise InputError(f"{path}, line {line}: {error}") from error
        image.save(folder / name)
        writer.writerow([name, record["age"], gender, race])
    write_atomically(folder / LABELS, labels.getvalue())
    return len(table.rows)


def _image(text: str) -> Image.Image:
    try:
        values = np.array(text.split(), dtype=np.int64)
    except ValueError:
        raise ValueError("its pixels are not all numbers") from None
    side = math.isqrt(len(values))
    if not len(values) or side**2 != len(values) or values.min() < 0 or values.max() > 255:
        raise ValueError(f"its {len(values)} pixels are not a square of values of 0 to 255")
    return Image.fromarray(values.reshape(side, side).astype(np.uint8))


def _code(record: dict[str, str], key: str, num_codes: int) -> int:
    if not record[key].isdecimal() or int(record[key]) >= num_codes:
        raise ValueError(f"{key} {record[key]!r} is not one of UTKFace's codes, 0 to {num_codes - 1}")
    return int(record[key])
