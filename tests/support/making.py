"""Images, tables, archives and sources for tests of the data."""

import io
import struct
import tarfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from agegender.data.sources.base import FaceTable


def jpeg(seed: int, size: int = 24, color: tuple[int, int, int] | None = None) -> bytes:
    """Make a JPEG file of noise in all colours, or of faint noise around one colour."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (size, size, 3))
    if color is not None:
        noise = np.array(color) + rng.integers(-12, 13, (size, size, 1))
    return encode(Image.fromarray(noise.clip(0, 255).astype(np.uint8)), "JPEG", quality=95)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def name_of(age: int, gender: int, number: int = 0, race: int = 0) -> str:
    return f"{age}_{gender}_{race}_20170101{number:09d}.jpg.chip.jpg"


def png_header(width: int, height: int) -> bytes:
    """Make a PNG file whose header has this size, without pixels."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", b""), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def make_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def make_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_table(
    ages: Sequence[int] | np.ndarray,
    genders: Sequence[int] | None = None,
    contents: Sequence[str] | None = None,
    clusters: Sequence[int] | np.ndarray | None = None,
    skipped: Sequence[str] | None = None,
) -> FaceTable:
    """Make a table without files; by default each image has its own content and cluster."""
    num = len(ages)
    return FaceTable(
        tuple(f"{row:05d}.jpg" for row in range(num)),
        np.array(ages, dtype=np.int64),
        np.array(genders if genders is not None else [0] * num),
        np.zeros(num, dtype=np.int64),
        tuple(contents if contents is not None else map(str, range(num))),
        np.array(clusters if clusters is not None else range(num)),
        tuple(skipped if skipped is not None else [""] * num),
    )


class MemorySource:
    """Files in memory; counts how often each is read, and each read takes `delay` seconds."""

    def __init__(self, files: dict[str, bytes], delay: float = 0.0) -> None:
        self.label = "memory"
        self.reads: Counter[str] = Counter()
        self._files = files
        self._delay = delay

    def names(self) -> list[str]:
        return sorted(self._files)

    def signature(self) -> str:
        return "memory"

    def read(self, name: str) -> bytes:
        self.reads[name] += 1
        time.sleep(self._delay)
        return self._files[name]
