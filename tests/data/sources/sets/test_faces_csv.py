"""The table of labels for any set: what its cells may hold, and where an error is."""

from pathlib import Path

import pytest
from making import jpeg, make_zip

from agegender.data.sources.face_labels import Box, LabelRow, Labels
from agegender.data.sources.label_files import LabelFiles
from agegender.data.sources.sets.faces_csv import read
from agegender.data.sources.utkface import open_source
from agegender.system.errors import InputError


def labels_in(tmp_path: Path, content: bytes | str) -> Labels:
    path = tmp_path / "faces.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(LabelFiles(open_source(make_zip(tmp_path / "set.zip", {"1.jpg": jpeg(1)})), str(path)))


def row_of(tmp_path: Path, header: str, cells: str) -> LabelRow:
    (row,) = labels_in(tmp_path, f"image,{header}\n1.jpg,{cells}\n").rows
    return row


@pytest.mark.parametrize(
    ("header", "cells", "span"),
    [
        ("age", "34", (34, 34)),
        ("age", "34.7", (34, 34)),  # completed years
        ("age", "25-32", (25, 32)),
        ("age", '"(25, 32)"', (25, 32)),
        ("age", "25;32", (25, 32)),
        ("age", "60+", (60, 120)),
        ("age_min,age_max", "25,32", (25, 32)),
        ("age_min,age_max", "25,25", (25, 25)),
        ("group", "54+", (54, 120)),
        ("group", "21-32", (21, 32)),
        ("age_min,age_max,gender", "-1,,male", (-1, -1)),
        ("age,gender", "None,male", (-1, -1)),
        ("age,gender", "nan,male", (-1, -1)),
    ],
)
def test_an_age_is_exact_or_a_range(header: str, cells: str, span: tuple[int, int], tmp_path: Path) -> None:
    row = row_of(tmp_path, header, cells)
    assert (row.first_age, row.last_age) == span


@pytest.mark.parametrize(
    ("cell", "gender"), [("m", 0), ("Male", 0), ("F", 1), ("female", 1), ("", -1), ("-1", -1), ("unknown", -1)]
)
def test_a_gender_is_a_word(cell: str, gender: int, tmp_path: Path) -> None:
    assert row_of(tmp_path, "age,gender", f"3,{cell}").gender == gender


def test_all_columns_are_read(tmp_path: Path) -> None:
    row = row_of(
        tmp_path,
        "age,gender,race,subject,split,fold,x0,y0,x1,y1,note",
        "34,f,Southeast Asian,jane,Validation,4,1.6,2,30,40,hello",
    )
    assert (row.gender, row.race, row.subject, row.part, row.fold) == (1, 2, "jane", "val", 4)
    assert row.box == Box(2, 2, 30, 40)


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffimage;age;gender\r\n1.jpg;34;f\r\n".encode(),
        b"sep=;\nIMAGE; Age ;Gender\n1.jpg;34;f\n",
        "image\tage\tgender\n1.jpg\t34\tf\n\n".encode("utf-16"),
    ],
)
def test_what_a_spreadsheet_saves_is_read(content: bytes, tmp_path: Path) -> None:
    (row,) = labels_in(tmp_path, content).rows
    assert (row.image, row.first_age, row.gender) == ("1.jpg", 34, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,age\n1.jpg,3\n2.jpg,young\n", r"faces\.csv, line 3: age 'young' is not a number of 0 to 120 years"),
        ("image,age\n1.jpg,121\n", r"line 2: age '121' is not a number of 0 to 120"),
        ("image,age\n1.jpg,9-Mar\n", r"line 2: age '9-Mar' is a date, as a spreadsheet makes of 3-9; mend the file"),
        ("image,age_min,age_max\n1.jpg,30,20\n", r"line 2: age_min 30 is above age_max 20"),
        ("image,age_min,age_max\n1.jpg,30,\n", r"line 2: only one of age_min and age_max is known"),
        ("image,age,group\n1.jpg,30,21-32\n", r"line 2: the columns age and group all give ages; keep one"),
        ("image,gender\n1.jpg,1\n", r"line 2: gender '1': 0 is male in UTKFace and female in IMDB-WIKI; write male"),
        ("image,gender\n1.jpg,boy\n", r"line 2: gender 'boy' is not male or female"),
        ("image,age,race\n1.jpg,3,Martian\n", r"line 2: race 'Martian' is not one of White, Black, "),
        ("image,age,split\n1.jpg,3,dev\n", r"line 2: split 'dev' is not train, val or test"),
        ("image,age,fold\n1.jpg,3,a\n", r"line 2: fold 'a' is not a number"),
        ("image,age,x0,y0,x1,y1\n1.jpg,3,9,9,2,2\n", r"line 2: the box 9, 9, 2, 2 is empty"),
        ("image,age,x0,y0,x1,y1\n1.jpg,3,a,9,2,2\n", r"line 2: the box a, 9, 2, 2 is not four numbers"),
        ("image,age\n,3\n", r"line 2: the column image is empty"),
        ("file,age\n1.jpg,3\n", r"faces\.csv is not a table of labels: the first line does not name the columns image"),
        ("image,age\n", r"faces\.csv lists no image; give a row per face"),
        ("image,age\n1.jpg,\n", r"faces\.csv: none of its 1 rows has an age or a gender; check its columns"),
        (
            "image,age\n1.jpg,3\n2.jpg,4\n1.jpg,5\n",
            r"faces\.csv, line 4: 1\.jpg has other labels than at faces\.csv, line 2 \(first_age 3 and 5, .*keep one",
        ),
    ],
)
def test_an_error_says_where_it_is_and_what_to_do(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        labels_in(tmp_path, content)


def test_a_row_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    found = labels_in(tmp_path, "image,age\n1.jpg,3\n1.jpg,3\n2.jpg,4\n")
    assert [row.image for row in found.rows] == ["1.jpg", "2.jpg"]
    assert found.counts == {"repeated": 1, "contradictory": 0, "without_label": 0}
