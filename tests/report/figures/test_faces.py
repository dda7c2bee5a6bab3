import io

import numpy as np
import pytest
from PIL import Image

from agegender.records.predictions import Predictions
from agegender.report.figures.faces import confident_mistakes, mistakes, sample_faces

GROUPS = ("0-2", "3-6", "7+")


def predictions(group=(0, 1, 2, 0, 1), predicted=(0, 2, 1, 1, 1), sure=(0.9, 0.6, 0.8, 0.8, 0.7)) -> Predictions:
    """Five images; genders are right but for the last."""
    number = len(group)
    p_group = np.zeros((number, 3), dtype=np.float32)
    p_group[np.arange(number), list(predicted)] = sure
    p_gender = np.tile(np.array([0.75, 0.25], dtype=np.float32), (number, 1))
    gender = np.array([*[0] * (number - 1), 1][:number], dtype=np.int64)
    return Predictions(
        groups=GROUPS,
        images=np.array([f"{at}_0_0_2017.jpg.chip.jpg" for at in range(number)], dtype=object),
        group=np.array(group, dtype=np.int64),
        group_predicted=np.array(predicted, dtype=np.int64),
        gender=gender,
        gender_predicted=np.zeros(number, dtype=np.int64),
        years=np.zeros(number),
        years_predicted=np.zeros(number),
        race=np.zeros(number, dtype=np.int64),
        p_group=p_group,
        p_gender=p_gender,
    )


def read_red(name: str) -> np.ndarray:
    return np.full((40, 40, 3), (255, 0, 0), dtype=np.uint8)


def broken(name: str) -> np.ndarray:
    raise ValueError(f"{name} is no image")


def red_pixels(png: bytes) -> int:
    pixels = np.asarray(Image.open(io.BytesIO(png)))
    return int((pixels == (255, 0, 0)).all(axis=2).sum())


def test_mistakes_come_with_the_surest_first_and_equal_ones_as_they_stand():
    assert confident_mistakes(predictions(), "age", 10).tolist() == [2, 3, 1]
    assert confident_mistakes(predictions(), "age", 2).tolist() == [2, 3]
    assert confident_mistakes(predictions(), "gender", 10).tolist() == [4]


def test_the_probability_is_that_of_the_predicted_class_not_the_largest():
    found = predictions()
    found.p_group[1] = (0.99, 0.0, 0.01)  # predicted is the last
    assert confident_mistakes(found, "age", 10).tolist() == [2, 3, 1]


def test_a_mistake_tells_what_is_true_what_was_said_and_the_file():
    figure = mistakes(predictions(), "age", read_red)
    assert "2_0_0_2017.jpg.chip.jpg: true 7+, predicted 3-6, 80.0 %" in figure.alt
    assert figure.key == "mistakes-age"
    assert red_pixels(figure.png) == 3 * 192 * 192
    gender = mistakes(predictions(), "gender", read_red)
    assert "true female, predicted male, 75.0 %" in gender.alt


@pytest.mark.parametrize("number", [1, 2, 4])
def test_as_many_mistakes_are_shown_as_are_asked_for(number):
    assert red_pixels(mistakes(predictions(), "age", read_red, number).png) == min(number, 3) * 192 * 192


def test_a_picture_of_faces_stays_on_the_machine_and_is_twice_as_wide_as_shown():
    for figure in (mistakes(predictions(), "age", read_red), sample_faces([("0-2", ["a"])], read_red)):
        assert figure.local
        assert figure.svg is None
        assert Image.open(io.BytesIO(figure.png)).width == 2 * figure.width


def test_images_that_cannot_be_read_are_counted():
    def read(name: str) -> np.ndarray:
        if name.startswith("2"):
            raise OSError("gone")
        return read_red(name)

    figure = mistakes(predictions(), "age", read)
    assert figure.title.endswith("(1 image could not be read)")
    assert "1 image could not be read." in figure.alt
    assert "2_0_0_2017" not in figure.alt
    samples = sample_faces([("0-2", ["a", "b"]), ("3-6", ["2"])], read)
    assert samples.title.endswith("(1 image could not be read)")
    assert "0-2: 2; 3-6: 0" in samples.alt


def test_of_each_group_the_first_images_are_read():
    asked = []

    def read(name: str) -> np.ndarray:
        asked.append(name)
        return read_red(name)

    sample_faces([("0-2", ["a", "b", "c"]), ("3-6", ["d"])], read, per_group=2)
    assert asked == ["a", "b", "d"]


def test_a_photo_that_is_not_square_keeps_its_shape():
    figure = mistakes(predictions((0,), (1,), (0.5,)), "age", lambda name: np.full((40, 20, 3), (255, 0, 0), np.uint8))
    assert red_pixels(figure.png) == 192 * 96


def test_nothing_to_show_is_no_error():
    none_wrong = predictions((0, 1), (0, 1), (0.9, 0.9))
    assert mistakes(none_wrong, "age", read_red).png
    assert mistakes(predictions(), "age", broken).title.endswith("(3 images could not be read)")
    assert sample_faces([], read_red).png
    assert sample_faces([("0-2", [])], read_red).png


def test_names_of_any_length_and_character_are_drawn():
    found = predictions()
    found.images[:] = "folder/" * 30 + "\udc80\x00 猫.jpg"
    assert mistakes(found, "age", read_red) == mistakes(found, "age", read_red)
