"""Perceptual hashes of 256 bits: those of near duplicates differ in few bits."""

from functools import lru_cache

import numpy as np
from PIL import Image

HASH_SIDE = 16  # 16 x 16 = 256 bits of difference hash
HASH_BYTES = HASH_SIDE * HASH_SIDE // 8
_LOBES = 3  # of the Lanczos window
_BITS = 22  # after the binary point, in Pillow's weights
_LUMA = np.array([19595, 38470, 7471], dtype=np.float32) / 2**16  # ITU-R 601, as Pillow rounds it
_ONE_THREAD = 200_000  # multiply-accumulates; for larger products OpenBLAS starts threads, here on the same core
_LARGEST = 1024  # pixels of a side; limits the memory for the weights and for an image in float64


def difference_hash(pixels: np.ndarray) -> np.ndarray:
    """Hash an image: whether each pixel of a small copy is brighter than its left neighbour; Krawetz 2013.

    The bits are those of `imagehash.dhash`, which scales grey pixels with Pillow to 17 x 16. For square images, as face
    crops are, the same sums of integers are computed as matrix products here, exactly, in half of the time.

    Args:
        pixels: uint8 (H, W, 3), RGB.

    Returns:
        uint8 (32,): 256 bits, packed.
    """
    height, width = pixels.shape[:2]
    if height != width or width > _LARGEST:  # Pillow sums non-square images in another order
        import imagehash

        return np.packbits(imagehash.dhash(Image.fromarray(pixels), hash_size=HASH_SIDE).hash)
    grey = _rounded(pixels.astype(np.float32) @ _LUMA).astype(np.float64)  # 24 bits: exact
    across = _lanczos(width, HASH_SIDE + 1).T
    down = _lanczos(width, HASH_SIDE)
    rows = max(1, _ONE_THREAD // across.size)
    narrow = np.concatenate([_rounded(grey[row : row + rows] @ across) for row in range(0, height, rows)])
    small = _rounded(down @ narrow)
    return np.packbits(small[:, 1:] > small[:, :-1])


@lru_cache(maxsize=16)
def _lanczos(num_in: int, num_out: int) -> np.ndarray:
    """Return the weights of Pillow's Lanczos filter, (num_out, num_in), rounded to 22 bits as Pillow does."""
    scale = num_in / num_out
    stretch = max(scale, 1.0)
    weights = np.zeros((num_out, num_in))
    for out in range(num_out):
        center = (out + 0.5) * scale
        first = max(int(center - _LOBES * stretch + 0.5), 0)
        end = min(int(center + _LOBES * stretch + 0.5), num_in)
        x = (np.arange(first, end) - center + 0.5) / stretch
        window = np.where(np.abs(x) < _LOBES, np.sinc(x) * np.sinc(x / _LOBES), 0.0)
        window /= window.sum()
        weights[out, first:end] = np.trunc(window * 2**_BITS + np.copysign(0.5, window)) / 2**_BITS
    return weights


def _rounded(sums: np.ndarray) -> np.ndarray:
    """Round to bytes, in place; a half is rounded up."""
    sums += 0.5
    return np.clip(np.floor(sums, out=sums), 0, 255, out=sums)
