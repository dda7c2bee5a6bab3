"""CelebA, Liu et al. 2015: gender alone, from the attribute Male of `list_attr_celeba`; its Young is no age.

The files are the release's, `.txt` with the number of images and the names of the columns first, or Kaggle's `.csv`.
Parts and persons are read from `list_eval_partition` and `identity_CelebA`, where these are there.
"""

from agegender.data.sources.face_labels import LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles, Record, read_records
from agegender.data.sources.sets.values import coded_gender
from agegender.data.text_table import parse_table
from agegender.system.errors import InputError

FILES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
_PARTITIONS = ("list_eval_partition.txt", "list_eval_partition.csv")
_IDENTITIES = ("identity_celeba.txt", "identity_celeba.csv")
_PARTS = {"0": "train", "1": "val", "2": "test"}


def read(files: LabelFiles) -> Labels:
    """Read the gender of each image.

    Raises:
        InputError: a file is missing, or is not such a table.
    """
    parts = _pairs(files, _PARTITIONS)
    persons = _pairs(files, _IDENTITIES)
    (path, *_) = files.find(*FILES)

    def row(record: Record, where: str) -> LabelRow:
        image = record["image_id"]
        return LabelRow(
            image=image,
            where=where,
            gender=1 if record["male"] == "-1" else coded_gender(record["male"], male="1", female="-1"),
            subject=persons.get(image, ""),
            part=_PARTS.get(parts.get(image, ""), ""),
        )

    if path.endswith(".csv"):
        return collect(files.label, files.rows(path, ("image_id", "male"), row))
    lines = files.lines(path)
    columns = lines[1].casefold().split() if len(lines) > 1 else []
    if "male" not in columns:
        raise InputError(f"{path} names no attribute Male in its second line; give the release's file")
    at = columns.index("male") + 1  # after the image
    records = (
        (f"{path}, line {number}", {"image_id": cells[0], "male": cells[at] if len(cells) > at else "?"})
        for number, line in enumerate(lines[2:], start=3)
        if (cells := line.split())
    )
    return collect(files.label, read_records(records, row))


def _pairs(files: LabelFiles, names: tuple[str, ...]) -> dict[str, str]:
    """Read files of an image and a value; empty if there is none."""
    if not files.has(*names):
        return {}
    (path, *_) = files.find(*names)
    if path.endswith(".csv"):
        table = parse_table(files.read(path), ("image_id",))
        return {cells[0]: cells[1] for _, cells in table.rows if len(cells) > 1}
    return {cells[0]: cells[1] for line in files.lines(path) if len(cells := line.split()) == 2}
