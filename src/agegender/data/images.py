"""One file's bytes to pixels."""

import io
import struct
import sys
import threading
import warnings
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from PIL import ExifTags, Image, features

from agegender.data.sources.formats import picture_format

MAX_PIXELS = 50_000_000  # a face of 200 x 200 has 40,000: a larger picture is a decompression bomb, or no face crop
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "JPEG2000")  # not those read by running other programs
_JPEG_END = b"\xff\xd9"
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


class _NeedsDecoder(ValueError):
    """The picture is of a kind that needs what is not installed; the message is the reason alone."""


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


def decode(content: bytes) -> np.ndarray:
    """Decode a picture to upright RGB.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: it cannot be decoded, is cut off, or is too large; the message is the reason alone.
    """
    try:
        with _quiet:  # the size is checked here, and broken EXIF data does not matter
            image = Image.open(io.BytesIO(content), formats=_formats_for(content))
            if image.width * image.height <= MAX_PIXELS:
                orientation = _orientation(image)
                if image.format == "JPEG" and image.mode == "RGB" and orientation not in _TURNS:
                    return _jpeg(image, content)
                return np.array(_upright(image, orientation))
    except Image.UnidentifiedImageError as error:
        raise ValueError("not an image") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"more than {MAX_PIXELS:,} pixels") from error
    except _NeedsDecoder:
        raise
    except _BROKEN as error:
        raise ValueError(f"cannot be decoded ({error})") from error
    raise ValueError(f"{image.width} x {image.height} pixels are more than {MAX_PIXELS:,}")


def _formats_for(content: bytes) -> tuple[str, ...]:
    """Return the formats that Pillow may try.

    Raises:
        _NeedsDecoder: the picture needs what is not installed; the message is the reason alone.
    """
    kind = picture_format(content)
    if kind == "HEIF":
        _register_heif()
    elif kind == "AVIF" and not features.check("avif"):
        raise _NeedsDecoder(
            "an AVIF picture, which this Pillow cannot read: install pillow>=11.3, or convert it to JPEG"
        )
    elif kind == "JPEG XL":
        raise _NeedsDecoder("a JPEG XL picture, which Pillow cannot read: convert it to JPEG")
    return (*_FORMATS, kind) if kind in ("HEIF", "AVIF") else _FORMATS


def _register_heif() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise _NeedsDecoder("a HEIC picture, which needs the extra: pip install 'agegender[heif]'") from error
    register_heif_opener()


def optional_decoders() -> list[str]:
    """Return what is installed beside Pillow and decides which files can be read, with its version."""
    try:
        return [f"pillow-heif {version('pillow-heif')}"]
    except PackageNotFoundError:
        return []


def _jpeg(image: Image.Image, content: bytes) -> np.ndarray:
    """Decode a JPEG that Pillow has opened.

    By torchvision where a job has imported it: the same library and pixels (tested), in two thirds of Pillow's time.
    Not one that is cut off: the library would complain on the terminal, without the file's name.
    """
    if "torchvision" in sys.modules and content.endswith(_JPEG_END):
        import torch
        from torchvision.io import decode_jpeg

        try:
            pixels = decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8))
            assert isinstance(pixels, torch.Tensor)
            return pixels.permute(1, 2, 0).numpy()
        except RuntimeError:
            pass  # it is broken, and Pillow says in which way
    return np.array(image)


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


def resize(pixels: np.ndarray, size: int) -> np.ndarray:
    """Scale to a square of `size` pixels, bilinear with antialiasing.

    By PyTorch, which has vector code for bytes: Pillow's numbers, to one level (tested), in a fraction of its time.

    Args:
        pixels: uint8 (H, W, 3).
        size: pixels of a side.

    Returns:
        uint8 (H, W, 3): channels last, as the cache holds it and as channels-last convolutions want it.
    """
    if pixels.shape[:2] == (size, size):
        return pixels
    import torch  # seconds to import, and an audit needs none of it
    from torch.nn import functional

    # uint8 (1, 3, H, W), and by its strides channels last, so that the result is too and need not be turned
    batch = torch.from_numpy(pixels).unsqueeze(0).permute(0, 3, 1, 2)
    scaled = functional.interpolate(batch, size=(size, size), mode="bilinear", antialias=True)
    return scaled[0].permute(1, 2, 0).contiguous().numpy()
