"""One file's bytes to pixels, and to the hash that finds near duplicates."""

import io
import warnings

import imagehash
import numpy as np
from PIL import Image, ImageOps

MAX_PIXELS = 50_000_000  # a face of 200 x 200 has 40,000: a larger picture is a decompression bomb, or no face crop
HASH_SIDE = 16  # 16 x 16 = 256 bits of difference hash
HASH_BYTES = HASH_SIDE * HASH_SIDE // 8


def decode(content: bytes) -> Image.Image:
    """Decode a picture to upright RGB.

    Raises:
        ValueError: it cannot be decoded, is cut off, or is too large; the message is the reason alone.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the size is checked here, and broken EXIF data does not matter
            image = Image.open(io.BytesIO(content))
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ValueError(f"{width} x {height} pixels are more than {MAX_PIXELS:,}")
            return ImageOps.exif_transpose(image).convert("RGB")
    except Image.UnidentifiedImageError as error:
        raise ValueError("not an image") from error
    except Image.DecompressionBombError as error:
        raise ValueError(f"more than {MAX_PIXELS:,} pixels") from error
    except (OSError, SyntaxError, EOFError, IndexError, OverflowError, MemoryError) as error:
        raise ValueError(f"cannot be decoded ({error})") from error  # what Pillow raises on broken files


def resize(image: Image.Image, size: int) -> np.ndarray:
    """Scale to a square of `size` pixels, bilinear with antialiasing.

    Returns:
        uint8 (H, W, 3): channels last, as the cache holds it and as channels-last convolutions want it.
    """
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image)


def difference_hash(image: Image.Image) -> np.ndarray:
    """Hash what a picture looks like: near duplicates differ in few bits; Krawetz 2013.

    Returns:
        uint8 (32,): 256 bits, packed.
    """
    return np.packbits(imagehash.dhash(image, hash_size=HASH_SIDE).hash)
