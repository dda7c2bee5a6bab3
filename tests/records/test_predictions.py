"""predictions.csv: to the letter, read back, of earlier versions, and damaged."""

import lzma
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from made_runs import GROUPS, make_predictions, random_predictions
from paths import ROOT

from agegender.records.predictions import DamagedPredictionsError, Predictions, read, read_table, read_years, write
from agegender.system.errors import InputError

HEADER = (
    "image,group,group_predicted,years,years_predicted,gender,gender_predicted,race,"
    "p_0-2,p_3-6,p_7-12,p_13-20,p_21-32,p_33-43,p_44-53,p_54+,p_male,p_female\n"
)


def assert_same(found: Predictions, made: Predictions) -> None:
    for field in fields(Predictions):
        one = getattr(found, field.name)
        other = getattr(made, field.name)
        if field.name == "groups":
            assert one == other
        else:
            assert one.dtype == other.dtype, field.name
            assert one.shape == other.shape, field.name
            assert (one == other).all(), field.name


def test_a_file_is_written_to_the_letter(tmp_path: Path) -> None:
    made = make_predictions(
        [4, 0],
        [5, 0],
        gender=[1, 0],
        years=[32, 1],
        years_predicted=[37.98765, 0.5],
        race=[2, -1],
        p_group=[[0, 0, 0, 0.1234564, 0.25, 0.6265436, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]],
        p_gender=[[0.25, 0.75], [1, 0]],
        images=['a, "b".jpg', "c.jpg"],
    )
    write(tmp_path / "deep" / "predictions.csv", made)
    assert (tmp_path / "deep" / "predictions.csv").read_text() == (
        HEADER + '"a, ""b"".jpg",21-32,33-43,32,37.988,female,female,Asian,'
        "0.000000,0.000000,0.000000,0.123456,0.250000,0.626544,0.000000,0.000000,0.250000,0.750000\n"
        "c.jpg,0-2,0-2,1,0.500,male,male,,"
        "1.000000,0.000000,0.000000,0.000000,0.000000,0.000000,0.000000,0.000000,1.000000,0.000000\n"
    )


@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_written_is_read_back_as_it_was(tmp_path: Path, seed: int) -> None:
    made = random_predictions(seed, 40)
    write(tmp_path / "predictions.csv", made)
    assert_same(read(tmp_path / "predictions.csv", groups=GROUPS), made)


def test_names_and_races_are_taken_as_they_are_written(tmp_path: Path) -> None:
    made = make_predictions([4] * 5, images=["NA", 'a, "b".jpg', "007", "", "ä/1.jpg"], race=[-1, 0, 4, -1, 2])
    write(tmp_path / "predictions.csv", made)
    assert_same(read(tmp_path / "predictions.csv", groups=GROUPS), made)
    table = read_table(tmp_path / "predictions.csv")
    assert table["image"].tolist() == made.images.tolist()
    assert table["race"].isna().tolist() == [True, False, False, True, False]


def test_no_image_with_a_race_is_no_mistake(tmp_path: Path) -> None:
    write(tmp_path / "predictions.csv", make_predictions([4, 5], race=-1))
    assert read(tmp_path / "predictions.csv", groups=GROUPS).race.tolist() == [-1, -1]
    assert read_table(tmp_path / "predictions.csv")["race"].isna().all()


def test_a_table_has_the_columns_of_its_file_whatever_its_groups(tmp_path: Path) -> None:
    groups = ("young", "old")
    made = make_predictions([0, 1], p_group=[[0.75, 0.25], [0.5, 0.5]], groups=groups)
    write(tmp_path / "predictions.csv", made)
    table = read_table(tmp_path / "predictions.csv")
    assert ",".join(table.columns) == HEADER.partition("p_0-2")[0] + "p_young,p_old,p_male,p_female"
    assert table["group"].tolist() == ["young", "old"]
    assert table["p_young"].tolist() == [0.75, 0.5]
    assert np.issubdtype(table["years"].dtype, np.integer)


def test_years_are_read_alone(tmp_path: Path) -> None:
    write(tmp_path / "predictions.csv", make_predictions([4, 5], years=[30, 40], years_predicted=[29.5, 41.25]))
    years, predicted = read_years(tmp_path / "predictions.csv")
    assert (years.tolist(), predicted.tolist()) == ([30.0, 40.0], [29.5, 41.25])


FILES_OF_BEFORE = sorted(
    [
        *(ROOT / "tests" / "e2e" / "earlier").rglob("predictions*.csv"),
        *(ROOT / "results" / "table2_cpu").rglob("predictions.csv.xz"),
    ]
)


@pytest.mark.parametrize("path", FILES_OF_BEFORE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_of_an_earlier_version_is_read_and_written_again_to_the_letter(path: Path, tmp_path: Path) -> None:
    made = read(path, groups=GROUPS)
    write(tmp_path / "predictions.csv", made)
    content = path.read_bytes()
    assert (tmp_path / "predictions.csv").read_bytes() == (
        lzma.decompress(content) if path.suffix == ".xz" else content
    )
    assert len(read_table(path)) == len(read_years(path)[0]) == len(made)


def test_names_of_the_same_images_are_kept_once(tmp_path: Path) -> None:
    for seed in (0, 1):
        write(tmp_path / f"{seed}.csv", random_predictions(seed, 20))
    names: dict[bytes, np.ndarray] = {}
    one, other = (read(tmp_path / f"{seed}.csv", groups=GROUPS, shared_names=names) for seed in (0, 1))
    assert one.images is other.images


def test_the_identity_of_the_images_depends_on_their_labels_and_not_on_what_is_predicted() -> None:
    one, other = (random_predictions(seed, 20) for seed in (0, 1))
    assert one.images_id() == other.images_id()
    assert one.images_id() != random_predictions(0, 20, labels_seed=1).images_id()


DAMAGED = {
    "nothing": lambda text: "",
    "no rows": lambda text: text.split("\n")[0] + "\n",
    "another group": lambda text: text.replace(",33-43,33-43,", ",30-40,33-43,"),
    "no group": lambda text: text.replace(",33-43,33-43,", ",33-43,,"),
    "another race": lambda text: text.replace("White", "Green"),
    "another gender": lambda text: text.replace("female,White", "woman,White"),
    "probabilities that are not numbers": lambda text: text.replace("1.000000", "nan"),
    "probabilities that are words": lambda text: text.replace("1.000000", "one"),
    "infinite probabilities": lambda text: text.replace("1.000000", "inf"),
    "years that are not numbers": lambda text: text.replace("38.000", "nan"),
    "years that are missing": lambda text: text.replace("38.000", ""),
    "cut off in a row": lambda text: text[:-40],
    "a missing column": lambda text: text.replace("years_predicted", "years_guessed"),
    "too many columns": lambda text: text.replace("White,", "White,0.5,", 1),
    "another file": lambda text: "<html>\n<body>, but no table\n",
    "control characters": lambda text: "\x00\x01\x02" * 20,
}


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_file_is_named_in_one_line(tmp_path: Path, how: str) -> None:
    path = tmp_path / "predictions.csv"
    write(path, make_predictions([4, 5, 5], gender=[0, 1, 1]))
    path.write_text(DAMAGED[how](path.read_text()))
    for call in (lambda: read(path, groups=GROUPS), lambda: read_table(path)):
        with pytest.raises(InputError) as caught:
            call()
        assert str(caught.value).startswith(f"{path} does not hold a run's predictions (")
        assert "\n" not in str(caught.value)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write(path, make_predictions([4]))
    path.write_text(path.read_text().replace("years_predicted", "years_guessed"))
    with pytest.raises(DamagedPredictionsError) as caught:
        read(path, groups=GROUPS)
    assert caught.value.reason == "it has no column years_predicted"


@pytest.mark.parametrize("keep", [40, -40, None], ids=["its beginning", "not its end", "changed"])
def test_a_damaged_archive_is_named_in_one_line(tmp_path: Path, keep: int | None) -> None:
    write(tmp_path / "predictions.csv", random_predictions(0, 40))
    packed = lzma.compress((tmp_path / "predictions.csv").read_bytes())
    path = tmp_path / "predictions.csv.xz"
    path.write_bytes(b"no archive" * 9 if keep is None else packed[:keep])
    for call in (lambda: read(path, groups=GROUPS), lambda: read_table(path), lambda: read_years(path)):
        with pytest.raises(DamagedPredictionsError, match=r"predictions\.csv\.xz"):
            call()


@pytest.mark.parametrize("text", ["", "no,table\n1,2\n", "years,years_predicted\n3,x\n", "years,years_predicted\n3,\n"])
def test_years_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "predictions_val.csv"
    path.write_text(text)
    with pytest.raises(DamagedPredictionsError, match=r"predictions_val\.csv"):
        read_years(path)


def test_a_file_that_is_not_there_is_no_damage(tmp_path: Path) -> None:
    for call in (lambda path: read(path, groups=GROUPS), read_table, read_years):
        with pytest.raises(FileNotFoundError):
            call(tmp_path / "predictions.csv")
