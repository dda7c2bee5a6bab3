"""The synthetic faces: names, labels, files, and that the labels can be learned from grey images."""

import errno
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

from agegender.data.synthetic import folder as synthetic
from agegender.system.errors import InputError, MachineError

NAME = re.compile(r"(\d+)_([01])_([0-4])_(\d{17})\.jpg\.chip\.jpg")
GROUP_STARTS = (0, 3, 7, 13, 21, 33, 44, 54)
NUM_FACES = 600
NEAR_DUPLICATE_BITS = 20  # of 256


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file by its name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def labels(path: Path) -> tuple[int, int]:
    """Return age and gender from the name."""
    match = NAME.fullmatch(path.name)
    assert match is not None, path.name
    return int(match[1]), int(match[2])


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Draw faces that all tests share."""
    folder = tmp_path_factory.mktemp("faces")
    synthetic.write_faces(folder, NUM_FACES, seed=5)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def small(faces: list[Path]) -> np.ndarray:
    """Return the shared faces at 32 x 32 pixels."""
    rows = []
    for path in faces:
        with Image.open(path) as picture:
            rows.append(np.asarray(picture.resize((32, 32), Image.Resampling.BOX), dtype=float))
    return np.array(rows)


@pytest.fixture(scope="module")
def grey(small: np.ndarray) -> np.ndarray:
    """Return the shared faces as rows of grey pixels, each with mean 0 and variance 1."""
    pixels = small.mean(axis=3).reshape(len(small), -1)
    return (pixels - pixels.mean(axis=1, keepdims=True)) / pixels.std(axis=1, keepdims=True)


def ridge_accuracy(pixels: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Return the accuracy of a ridge classifier, trained on three quarters of the rows, and the majority's share."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(pixels))
    held = order[: len(order) // 4]
    rest = order[len(order) // 4 :]
    classes = np.eye(targets.max() + 1)[targets]
    mean = classes[rest].mean(axis=0)
    kernel = pixels @ pixels[rest].T
    weights = np.linalg.solve(kernel[rest] + 1000 * np.eye(len(rest)), classes[rest] - mean)
    guesses = (kernel[held] @ weights + mean).argmax(axis=1)
    return float((guesses == targets[held]).mean()), float(np.bincount(targets[held]).max() / len(held))


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        synthetic.write_faces(tmp_path / name, 12, seed=3)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_another_seed_gives_other_pictures(tmp_path: Path) -> None:
    one = contents(synthetic.synthetic_folder(12, 3, tmp_path))
    two = contents(synthetic.synthetic_folder(12, 4, tmp_path))
    assert not set(one.values()) & set(two.values())


def test_a_face_is_a_colour_picture_of_utkfaces_size() -> None:
    picture = synthetic.draw_face(np.random.default_rng(0), age=116, gender=1, race=4)
    assert (picture.size, picture.mode) == ((200, 200), "RGB")


def test_every_age_gender_and_race_can_be_drawn() -> None:
    rng = np.random.default_rng(0)
    for age in range(117):
        synthetic.draw_face(rng, age, gender=age % 2, race=age % 5)


def test_names_are_utkfaces_and_end_in_different_valid_times(faces: list[Path]) -> None:
    stamps = {path.name.split("_")[3].removesuffix(".jpg.chip.jpg") for path in faces}
    assert len(faces) == len(stamps) == NUM_FACES
    assert all(NAME.fullmatch(path.name) for path in faces)
    for stamp in stamps:
        datetime.strptime(stamp[:14], "%Y%m%d%H%M%S")


def test_ages_follow_utkfaces_distribution(faces: list[Path]) -> None:
    ages = np.bincount([labels(path)[0] for path in faces], minlength=len(synthetic.AGE_COUNTS))
    expected = np.array(synthetic.AGE_COUNTS) / sum(synthetic.AGE_COUNTS)
    assert np.abs(np.cumsum(ages) / NUM_FACES - np.cumsum(expected)).max() < 2 / NUM_FACES


def test_genders_have_utkfaces_shares_at_all_ages(faces: list[Path]) -> None:
    for low, high in ((0, 20), (21, 32), (33, 116)):
        genders = [gender for age, gender in map(labels, faces) if low <= age <= high]
        assert np.mean(genders) == pytest.approx(synthetic.FEMALE_SHARE, abs=0.02)


def test_a_folder_that_exists_is_not_drawn_again(tmp_path: Path) -> None:
    folder = synthetic.synthetic_folder(3, 0, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert synthetic.synthetic_folder(3, 0, tmp_path) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_what_a_killed_run_left_is_not_taken_for_the_folder(tmp_path: Path) -> None:
    left = tmp_path / f".synthetic-4-0-v{synthetic.VERSION}-killed"
    left.mkdir()
    (left / "1_0_0_20170101000000000.jpg.chip.jpg").write_bytes(b"half a pict")
    folder = synthetic.synthetic_folder(4, 0, tmp_path)
    assert folder == tmp_path / f"synthetic-4-0-v{synthetic.VERSION}"
    assert len(list(folder.iterdir())) == 4


def test_what_a_killed_run_left_is_gone_with_the_next(tmp_path: Path) -> None:
    left = tmp_path / f".synthetic-4-0-v{synthetic.VERSION}-killed"
    left.mkdir()
    (left / "1_0_0_20170101000000000.jpg.chip.jpg").touch()
    synthetic.synthetic_folder(4, 0, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"synthetic-4-0-v{synthetic.VERSION}"]


def test_a_full_disk_names_the_cache_and_the_keys_that_choose_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(synthetic, "write_faces", full)
    with pytest.raises(MachineError) as caught:
        synthetic.synthetic_folder(4, 0, tmp_path)
    for text in (str(tmp_path), "No space left", "data.cache_dir=", "AGEGENDER_CACHE", "data.cache=false"):
        assert text in str(caught.value)


def test_a_run_that_fails_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: Path, num_faces: int, seed: int) -> None:
        (folder / "part").touch()
        raise OSError("disk full")

    monkeypatch.setattr(synthetic, "write_faces", fail)
    with pytest.raises(OSError, match="disk full"):
        synthetic.synthetic_folder(4, 0, tmp_path)
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_callers_at_the_same_time_get_one_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        folders = set(pool.map(lambda _: synthetic.synthetic_folder(8, 1, tmp_path), range(3)))
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == list(folders)
    assert len(contents(folders.pop())) == 8


@pytest.mark.parametrize(("num_faces", "seed"), [(0, 1), (-3, 1), (3, -1)])
def test_numbers_that_make_no_sense_are_refused(num_faces: int, seed: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least"):
        synthetic.synthetic_folder(num_faces, seed, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_the_cache_is_the_users_mistake_and_names_its_keys(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"a file, not a directory.*data\.cache_dir= or AGEGENDER_CACHE"):
        synthetic.synthetic_folder(1, 0, tmp_path / "file" / "cache")


def test_hardly_any_face_is_a_near_duplicate_of_another(faces: list[Path]) -> None:
    hashes = []
    for path in faces[::2]:
        with Image.open(path) as picture:
            hashes.append(imagehash.dhash(picture, hash_size=16).hash.ravel())
    bits = np.array(hashes, dtype=np.int32)
    distances = bits @ (1 - bits).T + (1 - bits) @ bits.T + 256 * np.eye(len(bits), dtype=np.int32)
    assert (distances.min(axis=1) <= NEAR_DUPLICATE_BITS).mean() < 0.01


def test_a_linear_classifier_sees_gender_in_grey_pictures(faces: list[Path], grey: np.ndarray) -> None:
    accuracy, majority = ridge_accuracy(grey, np.array([labels(path)[1] for path in faces]))
    assert accuracy > majority + 0.1


def test_a_linear_classifier_sees_age_groups_in_grey_pictures(faces: list[Path], grey: np.ndarray) -> None:
    ages = np.array([labels(path)[0] for path in faces])
    accuracy, majority = ridge_accuracy(grey, np.searchsorted(GROUP_STARTS, ages, side="right") - 1)
    assert accuracy > majority + 0.05


def test_the_mean_colour_tells_far_less_of_gender_than_the_grey_picture(
    faces: list[Path], small: np.ndarray, grey: np.ndarray
) -> None:
    genders = np.array([labels(path)[1] for path in faces])
    colors = small.mean(axis=(1, 2))
    colors = (colors - colors.mean(axis=0)) / colors.std(axis=0)
    by_color, majority = ridge_accuracy(colors, genders)
    by_shape, _ = ridge_accuracy(grey, genders)
    assert by_color - majority < 0.6 * (by_shape - majority)
