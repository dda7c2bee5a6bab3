"""Decoding an image file's bytes to pixels."""

import io
import struct
import sys
import threading
import warnings
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from PIL import ExifTags, Image, features

from agegender.data.sources.formats import image_format

MAX_PIXELS = 50_000_000  # a face of 200 x 200 has 40,000: a larger image is a decompression bomb, or no face crop
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "JPEG2000")  # none that Pillow reads by other programs
_JPEG_END = b"\xff\xd9"
# Errors of Pillow for broken files.
_BROKEN = (
    OSError,
    SyntaxError,
    EOFError,
    LookupError,
    ArithmeticError,
    MemoryError,
    TypeError,
    ValueError,
    struct.error,
)
_TRANSPOSES: dict[object, Image.Transpose] = {  # by EXIF orientation: what makes the image upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class _MissingDecoderError(ValueError):
    """The format of the image needs a package that is not installed; the message is the reason alone."""


class _WithoutWarnings:
    """Switches Python's warnings off while at least one thread is inside.

    `warnings.catch_warnings` is not thread-safe: if several threads use it, the last one to leave may switch all
    warnings off for good.
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


_without_warnings = _WithoutWarnings()


def decode(content: bytes) -> np.ndarray:
    """Decode an image to upright RGB.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: it cannot be decoded, is cut off, or is too large; the message is the reason alone.
    """
    try:
        with _without_warnings:  # Pillow's are about the size, which is checked here, and about broken EXIF data
            image = Image.open(io.BytesIO(content), formats=_formats_for(content))
            if image.width * image.height <= MAX_PIXELS:
                orientation = _orientation(image)
                if image.format == "JPEG" and image.mode == "RGB" and orientation not in _TRANSPOSES:
                    return _jpeg(image, content)
                return np.array(_upright(image, orientation))
    except Image.UnidentifiedImageError as error:
        raise ValueError("not an image") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"more than {MAX_PIXELS:,} pixels") from error
    except _MissingDecoderError:
        raise
    except _BROKEN as error:
        raise ValueError(f"cannot be decoded ({error})") from error
    raise ValueError(f"{image.width} x {image.height} pixels are more than {MAX_PIXELS:,}")


def _formats_for(content: bytes) -> tuple[str, ...]:
    """Return the formats that Pillow may try.

    Raises:
        _MissingDecoderError: the format needs a package that is not installed.
    """
    kind = image_format(content)
    if kind == "HEIF":
        _register_heif()
    elif kind == "AVIF" and not features.check("avif"):
        raise _MissingDecoderError(
            "an AVIF image, which this Pillow cannot read: install pillow>=11.3, or convert it to JPEG"
        )
    elif kind == "JPEG XL":
        raise _MissingDecoderError("a JPEG XL image, which Pillow cannot read: convert it to JPEG")
    return (*_FORMATS, kind) if kind in ("HEIF", "AVIF") else _FORMATS


def _register_heif() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise _MissingDecoderError("a HEIC image, which needs the extra: pip install 'agegender[heif]'") from error
    register_heif_opener()


def optional_decoders() -> list[str]:
    """Return the installed packages, with version, on which it depends which files can be read, besides Pillow."""
    try:
        return [f"pillow-heif {version('pillow-heif')}"]
    except PackageNotFoundError:
        return []


def _jpeg(image: Image.Image, content: bytes) -> np.ndarray:
    """Decode a JPEG that Pillow has opened.

    By torchvision if a job has imported it: the same library and pixels (tested), in two thirds of Pillow's time. But
    not if the file is truncated: then the library would print a warning without the file's name.
    """
    if "torchvision" in sys.modules and content.endswith(_JPEG_END):
        import torch
        from torchvision.io import decode_jpeg

        try:
            pixels = decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8))
            assert isinstance(pixels, torch.Tensor)
            return pixels.permute(1, 2, 0).numpy()
        except RuntimeError:
            pass  # the file is broken; Pillow's error says how
    return np.array(image)


def _orientation(image: Image.Image) -> object:
    # Opening a JPEG has shown whether it has EXIF data; reading the orientation takes as long as opening.
    if image.format == "JPEG" and not {"exif", "xmp"} & image.info.keys():
        return None
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except _BROKEN:
        return None


def _upright(image: Image.Image, orientation: object) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits per pixel; converting them, Pillow would clip at 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image.load()
    rgb = image if image.mode == "RGB" else image.convert("RGB")  # `convert` would copy
    return rgb.transpose(_TRANSPOSES[orientation]) if orientation in _TRANSPOSES else rgb


def resize(pixels: np.ndarray, size: int) -> np.ndarray:
    """Scale to a square of `size` pixels, bilinear with antialiasing.

    By PyTorch, which has vector code for bytes: equal to Pillow's result up to one level (tested), and much faster.

    Args:
        pixels: uint8 (H, W, 3).
        size: pixels of a side.

    Returns:
        uint8 (H, W, 3): channels last, as the cache holds it and as channels-last convolutions want it.
    """
    if pixels.shape[:2] == (size, size):
        return pixels
    import torch  # here, as it takes seconds to import, and an audit does not need it
    from torch.nn import functional

    # uint8 (1, 3, H, W) with channels last in memory, so that the result has them last too, without a copy
    batch = torch.from_numpy(pixels).unsqueeze(0).permute(0, 3, 1, 2)
    scaled = functional.interpolate(batch, size=(size, size), mode="bilinear", antialias=True)
    return scaled[0].permute(1, 2, 0).contiguous().numpy()
