"""One file's bytes to pixels, and to the hash that finds near duplicates."""

import io
import struct
import threading
import warnings

import numpy as np
from PIL import ExifTags, Image

MAX_PIXELS = 50_000_000  # a face of 200 x 200 has 40,000: a larger picture is a decompression bomb, or no face crop
HASH_SIDE = 16  # 16 x 16 = 256 bits of difference hash
HASH_BYTES = HASH_SIDE * HASH_SIDE // 8
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")  # Pillow reads more, some of them by running other programs
# What Pillow raises on broken files.
_BROKEN = (
    *(OSError, SyntaxError, EOFError, LookupError, ArithmeticError, MemoryError),
    *(TypeError, ValueError, struct.error),
)
_TURNS: dict[object, Image.Transpose] = {  # EXIF's orientation: what makes the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class _Quiet:
    """Python's warnings off while any thread is inside.

    `warnings.catch_warnings` is one thread's: with several inside, the last one out would leave all warnings off.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.__exit__(None, None, None)


_quiet = _Quiet()


def decode(content: bytes) -> Image.Image:
    """Decode a picture to upright RGB.

    Raises:
        ValueError: it cannot be decoded, is cut off, or is too large; the message is the reason alone.
    """
    try:
        with _quiet:  # the size is checked here, and broken EXIF data does not matter
            image = Image.open(io.BytesIO(content), formats=_FORMATS)
            if image.width * image.height <= MAX_PIXELS:
                return _upright(image, _orientation(image))
    except Image.UnidentifiedImageError as error:
        raise ValueError("not an image") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"more than {MAX_PIXELS:,} pixels") from error
    except _BROKEN as error:
        raise ValueError(f"cannot be decoded ({error})") from error
    raise ValueError(f"{image.width} x {image.height} pixels are more than {MAX_PIXELS:,}")


def _orientation(image: Image.Image) -> object:
    # A JPEG's header has told whether there is any; the look-up costs as much as the open.
    if image.format == "JPEG" and not {"exif", "xmp"} & image.info.keys():
        return None
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except _BROKEN:
        return None


def _upright(image: Image.Image, orientation: object) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits per pixel, which Pillow would clip at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image.load()
    rgb = image if image.mode == "RGB" else image.convert("RGB")  # `convert` would copy
    return rgb.transpose(_TURNS[orientation]) if orientation in _TURNS else rgb


def resize(image: Image.Image, size: int) -> np.ndarray:
    """Scale to a square of `size` pixels, bilinear with antialiasing.

    By PyTorch, which has vector code for bytes: Pillow's numbers, to one level (tested), in a fraction of its time.

    Returns:
        uint8 (H, W, 3): channels last, as the cache holds it and as channels-last convolutions want it.
    """
    if image.size == (size, size):
        return np.asarray(image)
    import torch  # seconds to import, and an audit needs none of it
    from torch.nn import functional

    batch = torch.empty((1, image.height, image.width, 3), dtype=torch.uint8)
    batch.numpy()[0] = np.asarray(image)
    # uint8 (1, 3, H, W), and by its strides channels last, so that the result is too and need not be turned
    batch = batch.permute(0, 3, 1, 2)
    scaled = functional.interpolate(batch, size=(size, size), mode="bilinear", antialias=True)
    return scaled[0].permute(1, 2, 0).contiguous().numpy()


def difference_hash(image: Image.Image) -> np.ndarray:
    """Hash what a picture looks like: near duplicates differ in few bits; Krawetz 2013.

    Returns:
        uint8 (32,): 256 bits, packed.
    """
    import imagehash  # brings scipy: for the first scan only

    return np.packbits(imagehash.dhash(image, hash_size=HASH_SIDE).hash)
