"""A table of pixels becomes a folder of images with a table of labels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agegender.cli import main
from agegender.data.importing import import_pixels
from agegender.data.scan import scan
from agegender.data.source import open_files
from agegender.system.errors import InputError

HEADER = "age,ethnicity,gender,img_name,pixels\n"
PIXELS = " ".join(map(str, range(9)))


def test_a_table_of_pixels_is_written_as_images_that_are_read_with_their_labels(tmp_path: Path) -> None:
    path = tmp_path / "age_gender.csv"
    path.write_text(f"{HEADER}1,0,0,a.jpg,{PIXELS}\n60,2,1,a.jpg,{PIXELS}\n")  # names repeat there
    assert main(["import", str(path), "--out", str(tmp_path / "faces")]) == 0
    source = open_files(tmp_path / "faces", labels="faces.csv")
    table = scan(source, source.names())
    assert (table.ages.tolist(), table.genders.tolist(), table.races.tolist()) == ([1, 60], [0, 1], [0, 2])
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "faces" / "00000.png")), np.arange(9).reshape(3, 3))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"1,0,0,a.jpg,{PIXELS} 9", r"line 2: its 10 pixels are not a square of values of 0 to 255"),
        ("1,0,0,a.jpg,1 2 300 4", r"line 2: its 4 pixels are not a square"),
        ("1,0,0,a.jpg,1 2 x 4", r"line 2: its pixels are not all numbers"),
        (f"1,7,0,a.jpg,{PIXELS}", r"line 2: ethnicity '7' is not one of UTKFace's codes, 0 to 4"),
        (f"1,0,female,a.jpg,{PIXELS}", r"line 2: gender 'female' is not one of UTKFace's codes, 0 to 1"),
    ],
)
def test_a_wrong_row_is_named_and_leaves_no_table_of_labels(row: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "age_gender.csv"
    path.write_text(f"{HEADER}{row}\n")
    with pytest.raises(InputError, match=message):
        import_pixels(path, tmp_path / "faces")
    assert not (tmp_path / "faces" / "faces.csv").exists()


def test_another_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("image,age\n")
    with pytest.raises(InputError, match=r"x\.csv is not a table of pixels: the first line does not name the columns"):
        import_pixels(tmp_path / "x.csv", tmp_path / "faces")
