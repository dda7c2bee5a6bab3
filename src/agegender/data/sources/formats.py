"""The image format of a file, by its first bytes."""

import re

HEAD_BYTES = 64  # enough for the list of brands in a HEIF file

_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": "JPEG2000",
    b"\xff\x4f\xff\x51": "JPEG2000",
    b"\x00\x00\x00\x0cJXL \r\n\x87\n": "JPEG XL",
}
_PPM = re.compile(rb"P[56]\s+[\d#]")
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # sizes of the second header; "BM" alone may be the start of a text
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def image_format(head: bytes) -> str | None:
    """Return Pillow's name of the format that a file's first bytes announce; None if it is not an image.

    Args:
        head: the first `HEAD_BYTES` bytes, or the whole file.
    """
    head = head[:HEAD_BYTES]
    for signature, name in _SIGNATURES.items():
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[4:8] == b"ftyp":
        return _of_brands(head)
    return "PPM" if _PPM.match(head) else None


def _of_brands(head: bytes) -> str | None:
    """Distinguish AVIF and HEIF, which share a container with video formats."""
    size = int.from_bytes(head[:4], "big")
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(size, len(head)), 4))]
    if any(brand in _AVIF_BRANDS for brand in brands):
        return "AVIF"
    return "HEIF" if brands[0] in _HEIF_BRANDS else None
