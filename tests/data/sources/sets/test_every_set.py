"""Every data set is read from its own layout, as a folder and as an archive, with the traps of its files."""

from collections import Counter
from pathlib import Path

import pytest
from making import jpeg, make_tar, make_zip
from paths import CONF
from set_layouts import ADIENCE_HEADER, LAYOUTS, Layout

from agegender.data.labelled import LabelledSource
from agegender.data.scan import scan
from agegender.data.source import open_files
from agegender.data.sources.sets.imdb_wiki import age_in
from agegender.data.sources.sets.reading import set_names
from agegender.labels import age_groups
from agegender.system.errors import InputError


def write(layout: dict[str, bytes], kind: str, folder: Path) -> Path:
    if kind == "folder":
        for name, content in layout.items():
            (folder / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "set" / name).write_bytes(content)
        return folder / "set"
    if kind == "zip":
        return make_zip(folder / "set.zip", layout)
    return make_tar(folder / f"set.{kind}", layout, "w:gz" if kind == "tar.gz" else "w")


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_set_is_read_as_it_lies_on_disk(name: str, kind: str, tmp_path: Path) -> None:
    layout: Layout = LAYOUTS[name]()
    source = open_files(write(layout.files, kind, tmp_path), set_name=name)
    assert isinstance(source, LabelledSource)
    table = scan(source, source.names())
    assert table.skipped_by_name == {}
    assert table.of_set is not None
    columns = (table.ages, table.last_ages, table.genders, table.races)
    found = dict(zip(table.names, zip(*(column.tolist() for column in columns), strict=True), strict=True))
    assert found == layout.expected
    described = source.describe()
    assert {key: described[key] for key in layout.counts} == layout.counts
    for values, expected in (
        (table.of_set.parts, layout.parts),
        (table.of_set.folds.tolist(), layout.folds),
        (table.of_set.subjects, layout.subjects),
    ):
        of_name = dict(zip(table.names, values, strict=True))
        assert {key: of_name[key] for key in expected} == expected


def test_every_set_has_a_layout_here_and_a_preset() -> None:
    assert set(set_names()) == LAYOUTS.keys()
    presets = {path.stem for path in (CONF / "data").glob("*.yaml")}
    assert presets == LAYOUTS.keys() - {"faces_csv"} | {"utkface", "synthetic"}


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "adience"])
def test_a_folder_of_another_set_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    root = write(LAYOUTS["adience"]().files, "folder", tmp_path)
    with pytest.raises(InputError) as caught:
        open_files(root, set_name=name)
    assert "\n" not in str(caught.value) and "set" in str(caught.value)


def test_the_error_about_a_missing_file_names_the_set_that_fits(tmp_path: Path) -> None:
    root = write(LAYOUTS["adience"]().files, "folder", tmp_path)
    expected = r"set has no file fairface_label_train\.csv or .*; it has fold_0_data\.txt, .*; try data=adience"
    with pytest.raises(InputError, match=expected):
        open_files(root, set_name="fairface")


def test_a_wrong_value_is_named_with_its_file_and_line(tmp_path: Path) -> None:
    files = LAYOUTS["fairface"]().files | {"fairface_label_val.csv": b"file,age,gender,race\nval/1.jpg,3-9,x,White\n"}
    with pytest.raises(InputError, match=r"fairface_label_val\.csv, line 2: gender 'x' is not male or female"):
        open_files(write(files, "folder", tmp_path), set_name="fairface")


def test_rows_of_a_published_set_that_contradict_each_other_leave_unknown_what_they_disagree_on(tmp_path: Path) -> None:
    rows = ["1\ta.jpg\t1\t(0, 2)\tf\t", "1\ta.jpg\t1\t(4, 6)\tf\t"]
    files = {
        "fold_0_data.txt": "\n".join([ADIENCE_HEADER, *rows]).encode(),
        "aligned/1/landmark_aligned_face.1.a.jpg": jpeg(1),
    }
    source = open_files(write(files, "folder", tmp_path), set_name="adience")
    assert isinstance(source, LabelledSource)
    face = source.face(source.names()[0])
    assert (face.age, face.last_age, face.gender) == (-1, -1, 1)
    assert source.describe()["contradictory_rows"] == 1


# Adience as published: 19,487 rows, 19,370 distinct ones.

FOLDS = (4484, 3730, 3894, 3446, 3816)
AGES = {
    "(0, 2)": 2519,
    "(4, 6)": 2163,
    "(8, 12)": 2132,
    "(15, 20)": 1655,
    "(25, 32)": 4950,
    "(38, 43)": 2300,
    "(48, 53)": 830,
    "(60, 100)": 875,
    "None": 753,
    "(27, 32)": 77,
    "(25, 23)": 72,
    "(38, 42)": 50,
    "(38, 48)": 6,
    "(8, 23)": 1,
    "35": 1104,  # the single ages; their own distribution is not published with the counts
}


def published_rows() -> list[str]:
    ages = [age for age, number in AGES.items() for _ in range(number)]
    return [f"album{number % 168}\t{number}.jpg\t1\t{age}\tf\t" for number, age in enumerate(ages)]


def test_adience_has_its_published_folds_and_classes_under_the_nearest_groups(tmp_path: Path) -> None:
    rows = published_rows()
    assert len(rows) == 19_487
    repeated = len(rows) - sum(FOLDS)
    assert repeated == 117
    distinct = rows[repeated:]  # the first 117, all of 0 to 2 years, stand for the repeated ones
    files = {}
    start = 0
    for fold, size in enumerate(FOLDS):
        own = distinct[start : start + size]
        start += size
        again = [own[index % len(own)] for index in range(repeated)] if fold == 4 else []
        files[f"fold_{fold}_data.txt"] = "\n".join([ADIENCE_HEADER, *own, *again]).encode()
    cells = distinct[0].split("\t")
    image = f"aligned/{cells[0]}/landmark_aligned_face.1.{cells[1]}"
    source = open_files(write({**files, image: jpeg(1)}, "folder", tmp_path), set_name="adience")
    assert isinstance(source, LabelledSource)
    assert source.describe()["repeated_rows"] == 117
    faces = [source._entries[name].row for name in source.names()]
    assert Counter(face.fold for face in faces) == dict(enumerate(FOLDS))
    groups = age_groups("nearest")
    classes: Counter[int] = Counter()
    for face in faces:
        if face.first_age >= 0:
            first, last = groups.group_of_age[[face.first_age, min(face.last_age, 120)]]
            assert first == last, "a range within one class"
            classes[int(first)] += 1
    # 2519 - 117; 2163; 2132 + 1 of (8, 23); 1655; 4950 + 77 + 72 + 1104 of 35; 2300 + 50 + 6; 830; 875
    assert [classes[group] for group in range(8)] == [2402, 2163, 2133, 1655, 6203, 2356, 830, 875]
    assert sum(classes.values()) == 19_370 - 753


@pytest.mark.parametrize(("day", "year", "age"), [((1951, 1), 2001, 50), ((1951, 6), 2001, 50), ((1951, 7), 2001, 49)])
def test_imdb_wikis_ages_are_those_in_the_middle_of_a_year(day: tuple[int, int], year: int, age: int) -> None:
    from datetime import date

    assert age_in(year, date(*day, 1).toordinal() + 366) == age


def test_a_table_of_labels_is_recommended_as_such(tmp_path: Path) -> None:
    root = write({"faces.csv": b"image,age\n1.jpg,3\n", "1.jpg": jpeg(1)}, "folder", tmp_path)
    with pytest.raises(InputError, match=r"it has faces\.csv; try data\.labels=faces\.csv"):
        open_files(root, set_name="fairface")
