"""What travels to a machine without network: the source, wheels of what that machine lacks, and the images, in parts.

The files are one stream of bytes, which is cut into parts. The manifest says where each file lies in it, so that a file
is whole, and can be used, as soon as the parts that hold it have arrived.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MANIFEST = "campaign.json"
TOOLS = ("gpu_campaign.sh", "gpu_campaign.py")  # beside every part: they need no package
_ROOT = Path(__file__).parents[1]
_GIVEN = ("torch", "torchvision")  # gigabytes, and of the driver's CUDA: the machine must have them
_NOT_NEEDED = ("wandb",)  # logger=none
_CHECKS = ("pytest>=8", "pytest-timeout>=2.3", "pytest-xdist>=3.6")
_PLATFORMS = tuple(f"manylinux{name}_x86_64" for name in ("_2_28", "_2_27", "_2_17", "2014", "1"))
_FOR_TOOLS = 500_000  # bytes of a part that are left for the tools and the manifest
_CHUNK = 1 << 20


class PackError(Exception):
    """Something that has to travel cannot."""


@dataclass
class Wheels:
    """The packages that travel, and why.

    Attributes:
        versions: by name, in the order in which they were found.
        reasons: by name: missing there, or too old.
    """

    versions: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def read_list(path: Path) -> dict[str, str | None]:
    """Read what a machine has: the output of `pip list` or `pip freeze`, or names; None: its version is not said."""
    found: dict[str, str | None] = {}
    for line in path.read_text(encoding="utf-8").replace(",", "\n").splitlines():
        matched = re.match(r"\s*([A-Za-z0-9][\w.-]*)(?:\s*==\s*|\s+@\s+\S*|\s+)?([0-9][\w.+!-]*)?\s*$", line)
        if matched and matched[1] != "Package":
            found[canonicalize_name(matched[1])] = matched[2]
    return found


def project_requirements() -> list[str]:
    """Return what a job needs, and what the checks need."""
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *_CHECKS]


def choose_wheels(requirements: Iterable[str], have: Mapping[str, str | None], python: str) -> Wheels:
    """Find the packages that a machine lacks, in the versions that are installed here.

    Args:
        requirements: of the project.
        have: packages of the machine; a version that is not known is taken to suffice.
        python: version of its Python, such as 3.12.

    Raises:
        PackError: it lacks what cannot travel, or a package is not installed here either.
    """
    chosen = Wheels()
    markers = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        wanted = waiting.pop(0)
        name = canonicalize_name(wanted.name)
        if name in _NOT_NEEDED or name in chosen.versions:
            continue
        reason = _why_missing(wanted, have)
        if reason is None:
            continue
        if name in _GIVEN:
            raise PackError(f"{wanted} is {reason} there, and is too large to travel; install it there first")
        try:
            chosen.versions[name] = version(name)
        except PackageNotFoundError as error:
            raise PackError(f"{wanted} is {reason} there, and not installed here: pip install {name}") from error
        chosen.reasons[name] = reason
        for text in requires(name) or ():
            needed = Requirement(text)
            extras = ("", *sorted(wanted.extras))
            if needed.marker is None or any(needed.marker.evaluate({**markers, "extra": item}) for item in extras):
                waiting.append(needed)
    return chosen


def _why_missing(wanted: Requirement, have: Mapping[str, str | None]) -> str | None:
    name = canonicalize_name(wanted.name)
    if name not in have:
        return "missing"
    found = have[name]
    is_right = found is None or wanted.specifier.contains(found, prereleases=True)
    return None if is_right else f"there as {found}, not {wanted.specifier}"


def fetch_wheels(versions: Mapping[str, str], python: str, folder: Path) -> list[Path]:
    """Download wheels for another Python, or build the pure ones that the index has as source only.

    Raises:
        PackError: some cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    refused = []
    for name, number in versions.items():
        if not any(path.name.startswith(f"{_file_name(name)}-{number}-") for path in _wheels_in(folder)):
            refused += [] if _download(name, number, python, folder) or _build(name, number, folder) else [name]
    if refused:
        raise PackError(
            f"no wheel for Python {python}, and none that is pure Python, of {', '.join(refused)}; find another "
            "version, or install it there"
        )
    return _wheels_in(folder)


def _wheels_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.whl"), key=lambda path: path.name)


def _file_name(name: str) -> str:
    return name.replace("-", "_")


def _download(name: str, number: str, python: str, folder: Path) -> bool:
    platforms = [item for platform in _PLATFORMS for item in ("--platform", platform)]
    options = ["--no-deps", "--only-binary=:all:", "--python-version", python, "--implementation", "cp", *platforms]
    _pip("download", *options, "-d", str(folder), f"{name}=={number}")
    return _normalize(folder, name, number)


def _build(name: str, number: str, folder: Path) -> bool:
    with tempfile.TemporaryDirectory() as built:
        _pip("wheel", "--no-deps", "-w", built, f"{name}=={number}")
        for path in Path(built).glob("*-none-any.whl"):
            shutil.copy(path, folder)
    return _normalize(folder, name, number)


def _pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", *arguments, "--quiet"], check=False, capture_output=True)


def _normalize(folder: Path, name: str, number: str) -> bool:
    """Rename a wheel to the name's usual spelling, and return whether there is one."""
    for path in _wheels_in(folder):
        parts = path.name.split("-")
        if canonicalize_name(parts[0]) == name and parts[1] == number:
            path.rename(path.with_name("-".join([_file_name(name), *parts[1:]])))
            return True
    return False


def pack_source(out: Path) -> None:
    """Write the checkout's files, with changes that are not committed, and the name of their commit, to a `.tar.gz`."""
    listed = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    state = {"commit": _git("rev-parse", "HEAD"), "dirty": bool(_git("status", "--porcelain"))}
    with tempfile.TemporaryDirectory() as folder, tarfile.open(out, "w:gz") as archive:
        for name in sorted(filter(None, listed)):
            if (_ROOT / name).is_file():
                archive.add(_ROOT / name, name)
        note = Path(folder) / "git_state.json"
        note.write_text(json.dumps(state) + "\n")
        archive.add(note, note.name)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=True).stdout.strip()


def pack_images(data: Path, out: Path) -> None:
    """Write a folder or a plain tar of images as `.tar.gz`, which spares its padding; other archives as they are."""
    with gzip.GzipFile(out, "wb", compresslevel=1, mtime=0) as file:
        if data.is_dir():
            with tarfile.open(fileobj=file, mode="w|") as archive:
                archive.add(data, data.name)
        else:
            with data.open("rb") as source:
                shutil.copyfileobj(source, file, _CHUNK)


def cut(sizes: Mapping[str, int], limit: int) -> tuple[dict[str, int], list[int]]:
    """Lay files behind each other and cut the whole into parts.

    Args:
        sizes: bytes by file name, in their order.
        limit: bytes of a part.

    Returns:
        The offset of each file in the whole, and the bytes of each part.
    """
    offsets = {}
    total = 0
    for name, size in sizes.items():
        offsets[name] = total
        total += size
    return offsets, [min(limit, total - start) for start in range(0, total, limit)]


def write_parts(files: list[Path], out: Path, limit: int, about: Mapping[str, Any]) -> list[Path]:
    """Write a directory for each part: its bytes, the manifest, and the tools.

    Args:
        files: in the order in which they are needed.
        out: directory of the parts.
        limit: bytes of a directory.
        about: what else the manifest says.
    """
    sizes = {path.name: path.stat().st_size for path in files}
    offsets, parts = cut(sizes, limit - _FOR_TOOLS)
    names = [f"part-{number:02}" for number in range(1, len(parts) + 1)]
    stream = _chunks(files)
    rest = b""
    hashes = []
    for name, size in zip(names, parts, strict=True):
        (out / name).mkdir(parents=True)
        rest, digest = _write_part(out / name / name, size, stream, rest)
        hashes.append(digest)
    manifest = {
        **about,
        "files": [
            {"name": path.name, "offset": offsets[path.name], "size": sizes[path.name], "sha256": sha256(path)}
            for path in files
        ],
        "parts": [
            {"name": name, "size": size, "sha256": digest}
            for name, size, digest in zip(names, parts, hashes, strict=True)
        ],
    }
    for name in names:
        (out / name / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        for tool in TOOLS:
            shutil.copy(Path(__file__).parent / tool, out / name)
    return [out / name for name in names]


def _chunks(files: list[Path]) -> Iterator[bytes]:
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk


def _write_part(path: Path, size: int, stream: Iterator[bytes], rest: bytes) -> tuple[bytes, str]:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        while size:
            chunk = rest or next(stream)
            rest = chunk[size:]
            chunk = chunk[:size]
            size -= len(chunk)
            digest.update(chunk)
            file.write(chunk)
    return rest, digest.hexdigest()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pack(data: Path, have: Mapping[str, str | None], python: str, out: Path, limit: int) -> None:
    """Pack everything and say what travels.

    Raises:
        PackError: something cannot travel, or `out` holds something else.
    """
    if out.exists() and any(out.iterdir()):
        raise PackError(f"{out} is not empty; remove it, or give another directory with --out")
    chosen = choose_wheels(project_requirements(), have, python)
    for name, number in chosen.versions.items():
        print(f"wheel: {name} {number} ({chosen.reasons[name]})")
    unsaid = sorted(name for name, number in have.items() if number is None)
    if unsaid:
        print(f"the versions of {len(unsaid)} packages there are not known; `check` compares them")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        source, wheels, images = folder / "source.tar.gz", folder / "wheels.tar", folder / "images.tar.gz"
        pack_source(source)
        found = fetch_wheels(chosen.versions, python, folder / "wheels")
        with tarfile.open(wheels, "w") as archive:
            for path in found:
                archive.add(path, path.name)
        pack_images(data, images)
        label = f"{data.name}.tar" if data.is_dir() else data.name
        about = {"python": python, "images": label, "git": _git("rev-parse", "HEAD"), "wheels": chosen.versions}
        folders = write_parts([source, wheels, images], out, limit, about)
        for path in (source, wheels, images):
            print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
    for path in folders:
        size = sum(file.stat().st_size for file in path.iterdir())
        print(f"{path}: {size / 1e6:.1f} MB")
