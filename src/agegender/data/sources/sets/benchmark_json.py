"""The JSON of the Facial Age Estimation Benchmark, Paplham & Franc 2024: a list of objects, one per face.

Keys: `img_path, age, gender, name, folder, aligned_bbox`. Folders 0, 1 and 2 alone are training, validation and test;
more are folds. The box is around the corners of a rotated square, which is not turned back here.
"""

import json
from collections.abc import Iterator
from typing import Any

from agegender.data.sources.face_labels import LabelRow, Labels, collect
from agegender.data.sources.label_files import LabelFiles, Record, read_records
from agegender.data.sources.sets.values import age_span, box, gender
from agegender.system.errors import InputError

FILES = ("*.json",)
_PARTS = ("train", "val", "test")


def read(files: LabelFiles) -> Labels:
    """Read the one JSON file of the set, or the one that `data.labels` names.

    Raises:
        InputError: there are several, or the file is not such a list.
    """
    paths = files.find(*FILES)
    if len(paths) > 1:
        raise InputError(f"{files.label} has {len(paths)} JSON files, {paths[0]} first; name one in data.labels=")
    entries = _entries(files, paths[0])
    are_parts = {str(entry.get("folder")) for entry in entries} <= {"0", "1", "2"}

    def row(record: Record, where: str) -> LabelRow:
        first, last = age_span(record["age"])
        folder = int(record["folder"]) if record["folder"].isdecimal() else -1
        return LabelRow(
            image=record["img_path"],
            where=where,
            first_age=first,
            last_age=last,
            gender=gender(record["gender"]),
            subject=record["name"],
            part=_PARTS[folder] if are_parts and folder >= 0 else "",
            fold=-1 if are_parts else folder,
            box=None if not record["box"] else box(tuple(record["box"].split())),  # pyright: ignore[reportArgumentType]
        )

    return collect(files.label, read_records(_records(paths[0], entries), row))


def _entries(files: LabelFiles, path: str) -> list[dict[str, Any]]:
    try:
        entries = json.loads(files.read(path))
    except ValueError as error:
        raise InputError(f"{path} is not JSON ({error}); download it again") from error
    if not isinstance(entries, list) or not all(isinstance(one, dict) and "img_path" in one for one in entries):
        raise InputError(f"{path} is not a list of objects with img_path; give the benchmark's own file")
    return entries


def _records(path: str, entries: list[dict[str, Any]]) -> Iterator[tuple[str, Record]]:
    for number, entry in enumerate(entries, start=1):
        record = {key: str(entry.get(key, "")) for key in ("img_path", "age", "gender", "name", "folder")}
        yield f"{path}, entry {number}", {**record, "box": " ".join(_around(entry.get("aligned_bbox")))}


def _around(corners: Any) -> list[str]:
    """Return the box around corners, x0, y0, x1, y1 in turn or as pairs; empty if there are none."""
    if not corners:
        return []
    flat = [float(value) for pair in corners for value in (pair if isinstance(pair, list) else [pair])]
    xs = flat[0::2]
    ys = flat[1::2]
    return [str(value) for value in (min(xs), min(ys), max(xs), max(ys))]
