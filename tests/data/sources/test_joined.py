"""Several archives and folders as one data set."""

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from making import jpeg, make_tar, make_zip, name_of

from agegender.data.cache import Cache
from agegender.data.sources.base import FaceTable, Source
from agegender.data.sources.utkface import open_source
from agegender.jobs import build
from agegender.jobs import config as schema
from agegender.records import identity
from agegender.system.errors import DatasetNotFoundError, InputError

PARTS = {
    f"part{part}": {name_of(age, age % 2, 100 * part + age): jpeg(100 * part + age) for age in range(1, 11)}
    for part in (1, 2, 3)
}


def scan(source: Source) -> FaceTable:
    return Cache(source, image_size=None, limit=None, seed=0, folder=None).table()


def make_parts(folder: Path) -> list[Path]:
    folder.mkdir()
    return [
        make_tar(folder / f"{part}.tar.gz", {f"{part}/{name}": files[name] for name in files}, "w:gz")
        for part, files in PARTS.items()
    ]


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> FaceTable:
    folder = tmp_path_factory.mktemp("extracted")
    for part, files in PARTS.items():
        (folder / part).mkdir()
        for name, content in files.items():
            (folder / part / name).write_bytes(content)
    return scan(open_source(folder))


def test_a_folder_of_archives_is_what_extracting_them_gives(extracted: FaceTable, tmp_path: Path) -> None:
    make_parts(tmp_path / "parts")
    source = open_source(tmp_path / "parts")
    assert source.label == "parts"
    table = scan(source)
    assert table.names == extracted.names
    assert table.fingerprint == extracted.fingerprint


def test_a_list_of_archives_is_what_extracting_them_gives(extracted: FaceTable, tmp_path: Path) -> None:
    source = open_source([str(path) for path in make_parts(tmp_path / "parts")])
    assert source.label == "part1.tar.gz + part2.tar.gz + part3.tar.gz"
    assert dataclasses.astuple(scan(source))[0] == extracted.names
    assert scan(source).fingerprint == extracted.fingerprint


def test_a_list_may_mix_folders_tars_and_zips(extracted: FaceTable, tmp_path: Path) -> None:
    (tmp_path / "part1").mkdir()
    for name, content in PARTS["part1"].items():
        (tmp_path / "part1" / name).write_bytes(content)
    paths = [
        tmp_path / "part1",
        make_tar(tmp_path / "part2.tar", PARTS["part2"]),
        make_zip(tmp_path / "part3.ZIP", PARTS["part3"]),
    ]
    assert scan(open_source(paths)).fingerprint == extracted.fingerprint


def test_a_list_on_the_command_line_reaches_the_data(
    composed: Callable[..., dict[str, Any]], extracted: FaceTable, tmp_path: Path
) -> None:
    paths = make_parts(tmp_path / "parts")
    config = composed(f"data.root=[{','.join(map(str, paths))}]", "data.cache=false")
    schema.parse(config)
    assert build.make_datamodule(config).source.names() == list(extracted.names)


def test_a_list_that_lies_elsewhere_is_the_same_experiment(composed: Callable[..., dict[str, Any]]) -> None:
    here, there, other = (
        composed(f"data.root={root}") for root in ("[/a/x.tar,/a/y.tar]", "[/b/x.tar,y.tar]", "[x.tar]")
    )
    assert identity.differences(here, there) == []
    assert len(identity.differences(here, other)) == 1


def test_a_list_of_one_is_that_one(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", PARTS["part1"])
    assert open_source([path]).names() == open_source(path).names() == sorted(PARTS["part1"])


def test_archives_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = []
    for place, part in (("a", "part1"), ("b", "part2")):
        (tmp_path / place).mkdir()
        paths.append(make_zip(tmp_path / place / "faces.zip", PARTS[part]))
    source = open_source(paths)
    expected = [f"faces/{name}" for name in PARTS["part1"]] + [f"faces-2/{name}" for name in PARTS["part2"]]
    assert source.names() == sorted(expected)
    assert all(source.read(name) == (PARTS["part1"] | PARTS["part2"])[Path(name).name] for name in source.names())


def test_the_signature_changes_with_one_of_the_archives(tmp_path: Path) -> None:
    paths = make_parts(tmp_path / "parts")
    before = open_source(paths).signature()
    assert open_source(paths).signature() == before
    make_tar(paths[1], {name_of(20, 0): jpeg(1)}, "w:gz")
    assert open_source(paths).signature() != before


def test_archives_beside_images_are_left_alone_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / name_of(20, 0)).write_bytes(jpeg(1))
    make_zip(tmp_path / "more.zip", PARTS["part1"])
    with caplog.at_level(logging.WARNING):
        assert open_source(tmp_path).names() == [name_of(20, 0)]
    assert "contains images, so its 1 archives are not read, more.zip first" in caplog.text


@pytest.mark.parametrize("roots", [["a.tar", "a.tar"], ["a.tar", "./b/../a.tar"]])
def test_one_archive_twice_is_refused(roots: list[str], tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    make_tar(tmp_path / "a.tar", PARTS["part1"])
    with pytest.raises(InputError, match=r"data.root names .*a\.tar twice"):
        open_source([str(tmp_path / root) for root in roots])


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(InputError, match=r"data.root=\[\] names nothing"):
        open_source([])


def test_what_is_missing_in_a_list_is_named(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", PARTS["part1"])
    with pytest.raises(DatasetNotFoundError, match=r"nowhere\.tar does not exist"):
        open_source([path, tmp_path / "nowhere.tar"])


def test_an_archive_without_images_in_a_folder_of_archives_is_named(tmp_path: Path) -> None:
    make_parts(tmp_path / "parts")
    make_zip(tmp_path / "parts" / "code.zip", {"train.py": b"x"})
    with pytest.raises(DatasetNotFoundError, match=r"no UTKFace images in .*code\.zip"):
        open_source(tmp_path / "parts")


def test_an_archive_in_an_archive_is_named(tmp_path: Path) -> None:
    inner = make_tar(tmp_path / "part1.tar.gz", PARTS["part1"], "w:gz").read_bytes()
    with pytest.raises(DatasetNotFoundError, match=r"part1\.tar\.gz \(an archive inside: extract it\)"):
        open_source(make_zip(tmp_path / "all.zip", {"part1.tar.gz": inner})).names()
