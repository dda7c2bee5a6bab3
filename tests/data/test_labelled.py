"""Faces whose labels come from a table: found in folders and archives, cut out, counted; nothing goes unnoticed."""

import csv
import io
import logging
from pathlib import Path

import numpy as np
import pytest
from making import encode, jpeg, make_tar, make_zip, name_of
from PIL import Image

from agegender.data.datamodule import UTKFaceDataModule
from agegender.data.labelled import crop
from agegender.data.photographs import exclusive_units
from agegender.data.scan import read_table, scan, write_table
from agegender.data.source import open_files
from agegender.data.sources.base import FaceTable
from agegender.data.sources.face_labels import Box
from agegender.system.errors import InputError

AGES = (1, 5, 10, 17, 27, 40, 50, 70)  # one of each closed group


def table_of(rows: list[dict[str, object]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def faces(rows: list[dict[str, object]], **more: bytes) -> dict[str, bytes]:
    """Make the files of a data set: faces.csv and an image per row."""
    images = {str(row["image"]): jpeg(number) for number, row in enumerate(rows)}
    return {"faces.csv": table_of(rows), **images, **more}


def scanned(root: Path, **options: object) -> FaceTable:
    source = open_files(root, **{"labels": "faces.csv", **options})  # type: ignore[arg-type]
    return scan(source, source.names())


ROWS: list[dict[str, object]] = [
    {"image": "a/1.jpg", "age": 34, "gender": "male", "race": "Black"},
    {"image": "a/2.jpg", "age": "25-32", "gender": "f", "race": ""},
    {"image": "b/1.jpg", "age": "", "gender": "Female", "race": "White"},
    {"image": "b/3.jpg", "age": "60+", "gender": "", "race": "-1"},
]


@pytest.mark.parametrize("kind", ["folder", "tar", "tar.gz", "zip"])
def test_the_labels_of_a_table_are_those_of_the_images_in_a_folder_or_an_archive(kind: str, tmp_path: Path) -> None:
    files = faces(ROWS)
    if kind == "folder":
        root = write(tmp_path / "set", files)
    elif kind == "zip":
        root = make_zip(tmp_path / "set.zip", files)
    else:
        root = make_tar(tmp_path / f"set.{kind}", files, "w:gz" if kind == "tar.gz" else "w")
    table = scanned(root)
    assert table.names == ("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/3.jpg")
    assert table.ages.tolist() == [34, 25, -1, 60]
    assert table.last_ages.tolist() == [34, 32, -1, 120]
    assert table.years.tolist() == [34, -1, -1, -1]
    assert table.genders.tolist() == [0, 1, 1, -1]
    assert table.races.tolist() == [1, -1, 0, -1]
    assert table.usable.all() and not table.is_complete


def test_a_folder_and_an_archive_of_it_have_one_fingerprint_which_the_labels_are_part_of(tmp_path: Path) -> None:
    folder = scanned(write(tmp_path / "set", faces(ROWS)))
    archive = scanned(make_tar(tmp_path / "set.tar", {f"./set/{name}": file for name, file in faces(ROWS).items()}))
    changed = scanned(
        write(tmp_path / "other", {**faces(ROWS), "faces.csv": table_of([ROWS[0] | {"age": 35}, *ROWS[1:]])})
    )
    assert folder.fingerprint == archive.fingerprint != changed.fingerprint
    assert folder.contents_id == changed.contents_id


def test_the_table_of_labels_may_lie_elsewhere(tmp_path: Path) -> None:
    files = faces(ROWS)
    labels = write(tmp_path / "labels", {"mine.csv": files.pop("faces.csv")}) / "mine.csv"
    assert scanned(make_zip(tmp_path / "set.zip", files), labels=str(labels)).ages.tolist() == [34, 25, -1, 60]


def test_paths_may_begin_above_or_below_the_root(tmp_path: Path) -> None:
    rows = [{"image": "train/1.jpg", "age": 34}, {"image": "val/1.jpg", "age": 70}]
    root = write(
        tmp_path / "set", {"faces.csv": table_of(rows), "deep/train/1.jpg": jpeg(1), "deep/val/1.jpg": jpeg(2)}
    )
    assert dict(zip(scanned(root).names, scanned(root).ages, strict=True)) == {"train/1.jpg": 34, "val/1.jpg": 70}
    inside = root / "deep" / "train"
    table = scanned(inside, labels=str(root / "faces.csv"))
    reasons = [bool(reason) for reason in table.skipped]
    assert list(zip(table.names, reasons, strict=True)) == [("1.jpg", False), ("val/1.jpg", True)]


def test_other_spellings_of_the_same_letters_are_found(tmp_path: Path) -> None:
    rows = [{"image": "Zoe\u0301.JPG", "age": 34}, {"image": "b.jpg", "age": 20}]
    table = scanned(write(tmp_path / "set", {"faces.csv": table_of(rows), "Zo\u00e9.jpg": jpeg(1), "b.jpg": jpeg(2)}))
    assert table.names == ("Zo\u00e9.jpg", "b.jpg")
    assert table.ages.tolist() == [34, 20] or table.ages.tolist() == [20, 34]
    assert not any(table.skipped)


def test_a_path_that_fits_two_files_is_refused(tmp_path: Path) -> None:
    files = {"faces.csv": table_of([{"image": "1.jpg", "age": 3}]), "a/1.jpg": jpeg(1), "b/1.jpg": jpeg(2)}
    with pytest.raises(InputError, match=r"1\.jpg fits 2 files of set, a/1\.jpg and b/1\.jpg; set data\.root"):
        scanned(write(tmp_path / "set", files))


def test_a_listed_image_that_is_missing_is_counted_with_the_unusable_ones(tmp_path: Path) -> None:
    files = faces(ROWS)
    del files["b/3.jpg"]
    table = scanned(write(tmp_path / "set", files))
    assert table.skipped_by_name == {"b/3.jpg": "listed (faces.csv, line 5), but the file is missing"}


def test_images_of_another_set_are_refused(tmp_path: Path) -> None:
    files = {"faces.csv": table_of(ROWS), name_of(3, 0): jpeg(1)}
    with pytest.raises(
        InputError, match=r"lists 4 images, but none of them is in set, 'a/1\.jpg' first; set data\.root"
    ):
        scanned(write(tmp_path / "set", files))


def test_what_is_left_out_is_counted_in_the_record_and_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        {"image": f"{age}-{number}.jpg", "age": age, "gender": "mf"[number % 2]} for age in AGES for number in range(10)
    ]
    twice = [*rows, rows[0], {"image": "none.jpg", "age": "", "gender": ""}]
    files = faces(twice) | {"unlisted.jpg": jpeg(999)}
    with caplog.at_level(logging.INFO):
        data = UTKFaceDataModule(
            open_files(write(tmp_path / "set", files), labels="faces.csv"), image_size=8, cache=False
        )
        data.setup()
    assert data.describe()["labels"] == {
        "name": "faces.csv",
        "faces": 80,
        "missing_files": 0,
        "unlisted_files": 2,
        "repeated_rows": 1,
        "contradictory_rows": 0,
        "without_label_rows": 1,
    }
    assert (
        "set: 80 faces are labelled by faces.csv; 2 unlisted files, 1 repeated rows, 1 without label rows"
        in caplog.text
    )


def test_a_complete_table_is_treated_as_names_are(tmp_path: Path) -> None:
    labels = [(age, number % 2) for age in AGES for number in range(12)]
    files = {name_of(age, gender, number): jpeg(number) for number, (age, gender) in enumerate(labels)}
    rows = [
        {"image": name, "age": int(name.split("_")[0]), "gender": "mf"[int(name.split("_")[1])], "race": "White"}
        for name in files
    ]
    by_name = UTKFaceDataModule(open_files(write(tmp_path / "named", files)), image_size=8, cache=False)
    listed = write(tmp_path / "listed", {**files, "faces.csv": table_of(rows)})
    by_table = UTKFaceDataModule(open_files(listed, labels="faces.csv"), image_size=8, cache=False)
    for data in (by_name, by_table):
        data.setup()
    assert by_name.manifest == by_table.manifest
    one, other = (next(iter(data.test_dataloader())) for data in (by_name, by_table))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[key], other[key]) for key in one)
    unlike = {"root", "fingerprint", "labels"}
    assert {key: value for key, value in by_name.describe().items() if key not in unlike} == {
        key: value for key, value in by_table.describe().items() if key not in unlike
    }


def test_a_scan_of_a_set_is_read_back_as_it_was(tmp_path: Path) -> None:
    rows = [row | {"subject": "x,\n", "split": "val", "fold": 3} for row in ROWS]
    table = scanned(write(tmp_path / "set", faces(rows)))
    write_table(tmp_path / "table.csv", table)
    again = read_table(tmp_path / "table.csv")
    assert again is not None and again.of_set is not None and table.of_set is not None
    assert again.fingerprint == table.fingerprint
    assert again.of_set.subjects == table.of_set.subjects == ("x,",) * 4
    assert again.of_set.parts == ("val",) * 4
    assert again.of_set.folds.tolist() == [3] * 4


def checkered(width: int, height: int) -> np.ndarray:
    return np.arange(width * height * 3, dtype=np.uint32).reshape(height, width, 3).astype(np.uint8)


@pytest.mark.parametrize(
    ("box", "margin", "rows", "columns"),
    [
        (Box(4, 6, 10, 16), 0.0, slice(6, 16), slice(4, 10)),
        (Box(4, 6, 10, 16), 0.5, slice(1, 20), slice(1, 13)),  # 3 and 5 more; the image ends at row 20
        (Box(-5, -5, 10, 10), 0.0, slice(0, 10), slice(0, 10)),
    ],
)
def test_a_face_is_cut_out_with_a_margin_as_far_as_the_image_goes(
    box: Box, margin: float, rows: slice, columns: slice
) -> None:
    pixels = checkered(30, 20)
    np.testing.assert_array_equal(crop(pixels, box, margin), pixels[rows, columns])


def test_a_box_outside_the_image_makes_the_face_unusable(tmp_path: Path) -> None:
    rows = [{"image": "1.png", "age": 3, "x0": 50, "y0": 2, "x1": 60, "y1": 12}]
    files = {"faces.csv": table_of(rows), "1.png": encode(Image.fromarray(checkered(30, 20)), "PNG")}
    (reason,) = scanned(write(tmp_path / "set", files), margin=0.0).skipped
    assert reason == "the box 50, 2, 60, 12 is outside the image of 30 x 20 pixels"


def test_two_faces_of_an_image_are_two_rows_of_one_unit_with_the_pixels_of_their_boxes(tmp_path: Path) -> None:
    rows = [
        {"image": "1.png", "age": 3, "x0": 0, "y0": 0, "x1": 8, "y1": 8},
        {"image": "1.png", "age": 40, "x0": 20, "y0": 4, "x1": 28, "y1": 12},
        {"image": "2.png", "age": 50, "x0": "", "y0": "", "x1": "", "y1": ""},
    ]
    pixels = checkered(30, 20)
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    images = {"1.png": encode(Image.fromarray(pixels), "PNG"), "2.png": encode(Image.fromarray(noise), "PNG")}
    source = open_files(
        write(tmp_path / "set", {"faces.csv": table_of(rows), **images}), labels="faces.csv", margin=0.0
    )
    table = scan(source, source.names())
    assert table.names == ("1.png#0,0,8,8", "1.png#20,4,28,12", "2.png")
    assert table.ages.tolist() == [3, 40, 50]
    first, second, other = exclusive_units(table)
    assert first == second != other
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(source.read("1.png#20,4,28,12")))), pixels[4:12, 20:28]
    )


def test_the_faces_of_a_subject_are_one_unit(tmp_path: Path) -> None:
    rows = [{"image": f"{n}.jpg", "age": 3, "subject": subject} for n, subject in enumerate(["x", "y", "x", "", ""])]
    units = exclusive_units(scanned(write(tmp_path / "set", faces(rows)))).tolist()
    assert units[0] == units[2]
    assert len(set(units)) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"set_name": "nowhere"}, r"data\.set=nowhere: no such set; choose one of utkface, "),
        ({"labels": "other.csv"}, r"data\.labels=other\.csv is neither a file on this machine nor one in set"),
        ({"set_name": "utkface"}, r"data\.set=utkface has its labels in the names, but data\.labels=faces\.csv is set"),
    ],
)
def test_settings_that_do_not_fit_are_refused(options: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        scanned(write(tmp_path / "set", faces(ROWS)), **options)
