from collections.abc import Callable

import imagehash
import numpy as np
import pytest
from making import encode, jpeg
from PIL import Image

from agegender.data import images
from agegender.data.hashing import difference_hash


def random_pixels(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth_pixels(height: int, width: int) -> np.ndarray:
    """Make an image with large areas of nearly equal neighbours, where a wrong rounding flips a bit."""
    small = Image.fromarray(random_pixels(-(-height // 12), -(-width // 12)))
    return np.array(small.resize((width, height), Image.Resampling.BICUBIC))


def bits(pixels: np.ndarray) -> np.ndarray:
    return np.unpackbits(difference_hash(pixels))


def test_the_hash_has_256_bits_packed_into_32_bytes() -> None:
    hashed = difference_hash(random_pixels(20, 30))
    assert (hashed.shape, hashed.dtype) == ((32,), np.uint8)


@pytest.mark.parametrize("side", [34, 170, 1100])
def test_the_hash_tells_whether_each_place_is_brighter_than_its_left_neighbour(side: int) -> None:
    ramp = np.linspace(0, 250, side).astype(np.uint8)[None, :, None].repeat(side, axis=0).repeat(3, axis=2)
    assert bits(ramp).all()
    assert not bits(ramp[:, ::-1]).any()


def test_a_picture_compressed_anew_keeps_a_near_hash_and_another_picture_does_not() -> None:
    face, other = (images.decode(jpeg(seed, size=64)) for seed in (1, 2))
    again = images.decode(encode(Image.fromarray(face), "JPEG", quality=60))
    assert (bits(face) != bits(again)).sum() <= 20
    assert (bits(face) != bits(other)).sum() > 80


@pytest.mark.parametrize("make", [random_pixels, smooth_pixels])
@pytest.mark.parametrize(
    ("height", "width"),
    [
        (1, 1),
        (2, 2),
        (15, 15),
        (16, 16),
        (17, 17),
        (18, 18),
        (31, 31),
        (64, 64),
        (199, 199),
        (200, 200),
        (257, 257),
        (200, 200),
        (257, 257),
        (1024, 1024),
        (1025, 1025),
        (200, 64),
        (64, 200),
        (1, 300),
        (300, 1),
    ],
)
def test_the_hash_is_that_of_imagehash(height: int, width: int, make: Callable[[int, int], np.ndarray]) -> None:
    pixels = make(height, width)
    expected = imagehash.dhash(Image.fromarray(pixels), hash_size=16).hash
    np.testing.assert_array_equal(np.unpackbits(difference_hash(pixels)).reshape(16, 16), expected)


@pytest.mark.parametrize("level", [0, 255])
def test_a_picture_of_one_colour_has_the_hash_zero(level: int) -> None:
    assert not difference_hash(np.full((200, 200, 3), level, dtype=np.uint8)).any()
