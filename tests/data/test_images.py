import io
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torchvision  # noqa: F401 - decodes JPEGs where it is imported
from making import encode, jpeg, png_header
from PIL import Image

from agegender.data import images

WIDTH = 30
HEIGHT = 20


def gradient() -> np.ndarray:
    """Make an image in which red grows to the right and green downwards: all rotations and flips are distinct."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[..., 0] = np.linspace(0, 250, WIDTH)[None, :]
    pixels[..., 1] = np.linspace(0, 250, HEIGHT)[:, None]
    return pixels


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF"])
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1"])
def test_every_mode_decodes_to_rgb(kind: str, mode: str) -> None:
    image = images.decode(encode(Image.fromarray(gradient()).convert(mode), kind))
    assert (image.shape, image.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "RGBA"), ("PNG", "LA"), ("PNG", "PA"), ("JPEG", "CMYK"), ("JPEG", "L"), ("WEBP", "RGBA")]
)
def test_alpha_and_print_colours_decode_to_rgb(kind: str, mode: str) -> None:
    picture = Image.fromarray(gradient()).convert("P" if mode == "PA" else mode)
    options = {"transparency": 0} if mode == "PA" else {}
    image = images.decode(encode(picture, kind, **options))
    assert (image.shape, image.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)


def test_a_lossless_picture_keeps_its_pixels() -> None:
    np.testing.assert_array_equal(images.decode(encode(Image.fromarray(gradient()), "PNG")), gradient())


def test_a_grey_picture_has_three_equal_channels() -> None:
    grey = gradient()[..., 0]
    decoded = images.decode(encode(Image.fromarray(grey), "PNG"))
    np.testing.assert_array_equal(decoded, np.repeat(grey[..., None], 3, axis=2))


def test_a_picture_of_16_bits_keeps_its_greys() -> None:
    grey = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    decoded = images.decode(encode(Image.fromarray(grey), "PNG"))
    np.testing.assert_array_equal(decoded[0, :, 0], [0, 0, 1, 128, 255])


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        # EXIF 2.3, tag 0x0112: where the stored first row and first column are in the scene.
        (1, lambda stored: stored),  # top, left
        (2, lambda stored: stored[:, ::-1]),  # top, right
        (3, lambda stored: stored[::-1, ::-1]),  # bottom, right
        (4, lambda stored: stored[::-1]),  # bottom, left
        (5, lambda stored: stored.swapaxes(0, 1)),  # left, top
        (6, lambda stored: stored.swapaxes(0, 1)[:, ::-1]),  # right, top
        (7, lambda stored: stored.swapaxes(0, 1)[::-1, ::-1]),  # right, bottom
        (8, lambda stored: stored.swapaxes(0, 1)[::-1]),  # left, bottom
    ],
)
@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("JPEG", {"quality": 95}), ("WEBP", {"lossless": True})])
def test_a_turned_picture_is_set_upright(
    kind: str, options: dict[str, object], orientation: int, upright: Callable[[np.ndarray], np.ndarray]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    as_stored = images.decode(encode(Image.fromarray(gradient()), kind, **options))
    decoded = images.decode(encode(Image.fromarray(gradient()), kind, exif=exif, **options))
    np.testing.assert_array_equal(decoded, upright(as_stored))
    assert np.abs(as_stored.astype(int) - gradient()).max() <= (16 if kind == "JPEG" else 0)


def test_an_orientation_that_only_xmp_tells_is_followed_in_a_jpeg_too() -> None:
    xmp = b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="3"/>'
    as_stored = images.decode(encode(Image.fromarray(gradient()), "JPEG"))
    decoded = images.decode(encode(Image.fromarray(gradient()), "JPEG", xmp=xmp))
    np.testing.assert_array_equal(decoded, as_stored[::-1, ::-1])


def test_an_orientation_that_does_not_exist_leaves_the_picture_as_it_is() -> None:
    exif = Image.Exif()
    exif[0x0112] = 99
    decoded = images.decode(encode(Image.fromarray(gradient()), "PNG", exif=exif))
    np.testing.assert_array_equal(decoded, gradient())


def test_broken_exif_data_do_not_matter() -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    exif[0x010E] = "a description"
    whole = encode(Image.fromarray(gradient()), "JPEG", exif=exif)
    at = whole.index(b"Exif\0\0") + 6
    length = int.from_bytes(whole[at - 8 : at - 6], "big") - 8  # of the segment, without its own length and name
    for offset in range(8, length):
        broken = bytearray(whole)
        broken[at + offset] = 0xFF
        assert images.decode(bytes(broken)).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF"])
def test_damaged_bytes_give_a_picture_or_a_reason_and_nothing_else(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    whole = encode(Image.fromarray(gradient()), kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}))
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        content = np.frombuffer(whole, dtype=np.uint8).copy()
        content[rng.integers(min(len(content), rng.choice([60, 10_000])), size=3)] = rng.integers(256, size=3)
        try:
            assert images.decode(content.tobytes()).dtype == np.uint8
        except ValueError as error:
            refused += 1
            assert str(error)
    assert refused > 0


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an image"),
        (b"this is a letter, not a face", "not an image"),
        (jpeg(0)[: len(jpeg(0)) // 2], r"cannot be decoded \(image file is truncated"),
        (png_header(6000, 9000), "6000 x 9000 pixels are more than 50,000,000"),
        (png_header(12_000, 12_000), "12000 x 12000 pixels are more than 50,000,000"),
        (png_header(100_000, 100_000), "more than 50,000,000 pixels"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EOF\n", "not an image"),
    ],
    ids=["empty", "text", "cut off", "large", "bomb", "huge bomb", "a program"],
)
def test_what_is_no_picture_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        images.decode(content)


def test_a_bomb_of_few_bytes_is_refused_before_it_is_unpacked() -> None:
    bomb = encode(Image.new("1", (12_000, 12_000)), "PNG")
    assert len(bomb) < 200_000
    with pytest.raises(ValueError, match="12000 x 12000 pixels are more than"):
        images.decode(bomb)


def test_decoding_in_threads_leaves_the_processs_warnings_as_they_were() -> None:
    interval = sys.getswitchinterval()
    before = list(warnings.filters)
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as executor:
            list(executor.map(images.decode, [jpeg(0)] * 600))
        assert warnings.filters == before
    finally:
        sys.setswitchinterval(interval)
        warnings.filters[:] = before


def test_a_picture_that_pillow_warns_about_is_decoded_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    warnings.simplefilter("always")
    with pytest.raises(ValueError, match="pixels are more than"):
        images.decode(png_header(12_000, 12_000))  # Pillow warns of 89 million pixels
    assert not recwarn.list


@pytest.mark.parametrize("size", [1, 16, 20, 64])
def test_every_picture_is_scaled_to_a_square_of_bytes(size: int) -> None:
    scaled = images.resize(gradient(), size)
    assert scaled.shape == (size, size, 3)
    assert scaled.dtype == np.uint8


def pictures(width: int, height: int) -> list[Image.Image]:
    """Return noise, or a smooth image with the contrasts of a photograph."""
    noise = Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8))
    small = noise.resize((max(1, width // 8), max(1, height // 8)))
    return [noise, small.resize((width, height), Image.Resampling.BICUBIC)]


def differences_from_pillow(width: int, height: int, size: int) -> np.ndarray:
    """Return the difference of each byte from the result of Pillow's own resize, in levels."""
    found = []
    for picture in pictures(width, height):
        scaled = images.resize(np.array(picture), size)
        assert (scaled.dtype, scaled.shape, scaled.flags.c_contiguous) == (np.uint8, (size, size, 3), True)
        by_pillow = np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))
        found.append(np.abs(scaled.astype(int) - by_pillow))
    return np.stack(found)


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        (200, 200, 256),
        (200, 200, 224),
        (200, 200, 199),
        (256, 256, 64),
        (1000, 800, 256),
        (123, 321, 256),
        (321, 123, 256),
        (37, 53, 40),
        (3, 2, 7),
        (2000, 3, 64),
        (1, 1, 8),
        (1, 9, 5),
        (9, 1, 5),
        (200, 150, 1),
        (2, 1, 1),
    ],
)
def test_scaling_gives_pillows_bilinear_numbers_to_one_level(width: int, height: int, size: int) -> None:
    assert differences_from_pillow(width, height, size).max() <= 1


@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"), reason="another code path")
@pytest.mark.parametrize("size", [32, 64, 100, 128, 224, 227, 256, 400])
def test_a_square_face_gets_pillows_bilinear_numbers_exactly_but_for_one_byte_in_thirty(size: int) -> None:
    assert (differences_from_pillow(200, 200, size) > 0).mean() < 1 / 30


def test_the_faces_of_the_data_set_at_the_papers_size_get_exactly_pillows_numbers() -> None:
    assert not differences_from_pillow(200, 200, 256).any()


def test_scaling_down_averages_where_taking_single_pixels_would_not() -> None:
    board = np.indices((64, 64)).sum(axis=0) % 2 * np.uint8(254)  # a chess board: every average is 127
    scaled = images.resize(np.repeat(board[..., None], 3, axis=2).astype(np.uint8), 8)
    assert np.abs(scaled[1:-1, 1:-1].astype(int) - 127).max() <= 8


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(images.resize(pixels, 32), pixels)


@pytest.mark.parametrize("quality", [30, 75, 100])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_torchvision_and_pillow_decode_a_jpeg_to_the_same_pixels(
    monkeypatch: pytest.MonkeyPatch, quality: int, subsampling: str, *, progressive: bool
) -> None:
    options = {"quality": quality, "subsampling": subsampling, "progressive": progressive}
    contents = [encode(picture, "JPEG", **options) for picture in pictures(67, 45)]
    decoded = [images.decode(content) for content in contents]
    for content, pixels in zip(contents, decoded, strict=True):
        np.testing.assert_array_equal(pixels, np.asarray(Image.open(io.BytesIO(content))))
    monkeypatch.delitem(sys.modules, "torchvision")
    for content, pixels in zip(contents, decoded, strict=True):
        np.testing.assert_array_equal(images.decode(content), pixels)


def test_a_damaged_jpeg_has_the_same_fate_with_and_without_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = jpeg(0, size=64)
    rng = np.random.default_rng(0)
    fates = Counter[str]()
    for _ in range(200):
        content = np.frombuffer(whole, dtype=np.uint8).copy()
        content[rng.integers(len(content), size=3)] = rng.integers(256, size=3)
        damaged = content[: rng.choice([len(content), rng.integers(len(content))])].tobytes()
        with monkeypatch.context() as without:
            without.delitem(sys.modules, "torchvision")
            by_pillow = fate(damaged)
        by_torchvision = fate(damaged)
        np.testing.assert_array_equal(by_torchvision, by_pillow)
        fates[type(by_pillow).__name__] += 1
    assert min(fates["str"], fates["ndarray"]) > 20


def fate(content: bytes) -> np.ndarray | str:
    try:
        return images.decode(content)
    except ValueError as error:
        return str(error)


def test_reading_pictures_imports_neither_torch_nor_scipy_before_they_are_needed() -> None:
    modules = "agegender.data.images, agegender.data.hashing"
    program = f"import sys, {modules}; print([name for name in ('torch', 'scipy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
