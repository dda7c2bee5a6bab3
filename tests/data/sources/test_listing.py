"""Which files are images: the same rule for a folder, a tar, a zip and a prediction."""

import logging
import os
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from making import encode, jpeg, make_tar, make_zip, name_of, png_header
from PIL import Image

from agegender.data.cache import Cache
from agegender.data.sources.base import FaceTable
from agegender.data.sources.formats import image_format
from agegender.data.sources.utkface import FolderSource, open_source
from agegender.jobs.predict import find_images
from agegender.system.errors import DatasetNotFoundError, InputError, describe

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8))
STEM = "24_0_1_20170116220224657"
NOT_IMAGES = {
    "README": b"some text",
    "list.txt": b"some text",
    "Thumbs.db": b"some text",
    "notes.html": b"some text",
    f"__MACOSX/._{name_of(20, 0)}": b"x",
    f"._{name_of(20, 0)}": b"\x00\x05\x16\x07",
    ".DS_Store": b"x",
    "BMW.txt": b"BMW is a maker of cars",
    "film": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42",
    "empty": b"",
}
PLACES: dict[str, Callable[[Path, dict[str, bytes]], Path]] = {
    "folder": lambda place, files: put(place / "a", files),
    "tar": lambda place, files: make_tar(place / "a.tar", files),
    "tar.gz": lambda place, files: make_tar(place / "a.tar.gz", files, "w:gz"),
    "zip": lambda place, files: make_zip(place / "a.zip", files),
}


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def scan(root: Path) -> FaceTable:
    return Cache(open_source(root), image_size=None, limit=None, seed=0, folder=None).table()


@pytest.mark.parametrize("place", PLACES)
def test_a_picture_is_found_by_its_content_where_its_suffix_is_no_images(place: str, tmp_path: Path) -> None:
    content = jpeg(1)
    names = [f"{STEM}{suffix}" for suffix in ("jpg", "", ".jpg_large", ".JPG.bak", ".jfif", ".txt")]
    root = PLACES[place](tmp_path, dict.fromkeys(names, content) | NOT_IMAGES)
    table = scan(root)
    assert table.names == tuple(sorted(names))
    assert table.usable.all()


@pytest.mark.parametrize("place", PLACES)
def test_every_place_gives_the_same_files_and_reasons(place: str, tmp_path: Path) -> None:
    files = {
        f"{STEM}.jfif": jpeg(1),
        f"{STEM}jpg": jpeg(2),
        "25_0_1_20170116220224657.jpg": b"no picture",
        "26_0_1_20170116220224657.jxl": b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(40),
        "27_0_1_20170116220224657": jpeg(3)[:200],
        "holiday.gif": encode(PICTURE, "GIF"),
        **NOT_IMAGES,
    }
    table = scan(PLACES[place](tmp_path, files))
    assert len(table) == 6
    reasons = table.skipped_by_name
    assert sorted(reasons) == sorted(set(files) - set(NOT_IMAGES) - {f"{STEM}.jfif", f"{STEM}jpg"})
    assert reasons["25_0_1_20170116220224657.jpg"] == "not an image"
    assert reasons["26_0_1_20170116220224657.jxl"].startswith("a JPEG XL image, which Pillow cannot read")
    assert reasons["27_0_1_20170116220224657"].startswith("cannot be decoded")


@pytest.mark.parametrize("hidden", [f".{name_of(20, 0)}", f".thumbnails/{name_of(20, 0)}"])
@pytest.mark.parametrize("place", PLACES)
def test_hidden_pictures_are_left_out_and_counted(
    place: str, hidden: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = PLACES[place](tmp_path, {name_of(30, 1): jpeg(1), hidden: jpeg(2)})
    with caplog.at_level(logging.WARNING):
        assert open_source(root).names() == [name_of(30, 1)]
    assert f"{root}: 1 hidden image files are left out" in caplog.text


def test_notes_of_macos_are_no_hidden_pictures(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    open_source(put(tmp_path, {name_of(30, 1): jpeg(1), f"._{name_of(30, 1)}": b"x", **NOT_IMAGES})).names()
    assert caplog.text == ""


def test_a_prediction_lists_the_files_that_a_training_lists(tmp_path: Path) -> None:
    files = {f"a/{STEM}jpg": jpeg(1), f"{STEM}.heic": b"x", "me.avif": b"x", "b/IMG_1.JPEG": b"x", **NOT_IMAGES}
    root = put(tmp_path, files)
    listed = [path.relative_to(root).as_posix() for path in find_images([root])]
    assert listed == sorted(open_source(root).names()) == sorted(set(files) - set(NOT_IMAGES))


def test_a_prediction_takes_a_file_that_is_named_whatever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "._odd.txt"
    path.write_bytes(b"x")
    assert list(find_images([path])) == [path]


def test_an_archive_is_the_images_in_it_for_a_prediction_too(tmp_path: Path) -> None:
    files = {name_of(30, 1): jpeg(1), name_of(40, 0): jpeg(2), "README.md": b"x"}
    archive = make_zip(tmp_path / "faces.zip", files)
    listed = find_images([archive])
    assert [path.relative_to(archive).as_posix() for path in listed] == sorted(set(files) - {"README.md"})
    assert {path.name: read() for path, read in listed.items()} == {
        name: content for name, content in files.items() if name != "README.md"
    }
    with pytest.raises(InputError, match=r"broken\.tar"):
        (tmp_path / "broken.tar").write_bytes(b"x" * 600)
        find_images([tmp_path / "broken.tar"])


def test_a_pipe_in_the_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    put(tmp_path, {name_of(30, 1): jpeg(1)})
    assert open_source(tmp_path).names() == [name_of(30, 1)]


@pytest.mark.parametrize("kind", ["hard", "symbolic"])
def test_a_link_inside_a_tar_is_skipped_with_a_reason(kind: str, tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", {name_of(30, 1): jpeg(1)})
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo(name_of(31, 1))
        link.type = tarfile.LNKTYPE if kind == "hard" else tarfile.SYMTYPE
        link.linkname = name_of(30, 1)
        archive.addfile(link)
    reasons = scan(path).skipped_by_name
    assert reasons == {name_of(31, 1): "a link inside the archive; extract it and give the folder"}


# Formats


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF"])
def test_a_format_is_told_by_the_first_bytes_and_read(kind: str, tmp_path: Path) -> None:
    content = encode(PICTURE, kind)
    assert image_format(content) == kind
    assert scan(put(tmp_path, {f"{STEM}.unknown": content})).usable.all()


@pytest.mark.parametrize(
    "content", [b"", b"BM", b"BMW is a maker", b"P6", b"RIFF1234WAVE", b"\x00\x00\x00\x18ftypmp42"]
)
def test_what_is_no_picture_has_no_format(content: bytes) -> None:
    assert image_format(content) is None


def test_a_heic_picture_is_read_where_the_plugin_is_there(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    content = encode(PICTURE, "HEIF")
    assert image_format(content) == "HEIF"
    assert scan(put(tmp_path, {f"{STEM}.heic": content})).usable.all()


def test_a_heic_picture_names_the_extra_where_the_plugin_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    head = b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heic" + bytes(40)
    put(tmp_path, {f"{STEM}.heic": head, name_of(30, 1): jpeg(1)})
    assert scan(tmp_path).skipped_by_name == {
        f"{STEM}.heic": "a HEIC image, which needs the extra: pip install 'agegender[heif]'"
    }


# Files of faces that are no image files


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("age_gender.csv", b"age,ethnicity,gender,img_name,pixels\n1,0,0,a.jpg,129 128\n", "a table"),
        ("train-00000-of-00001.parquet", b"PAR1" + bytes(20), "a Parquet table"),
        ("faces.npz", b"PK", "a file of arrays"),
        ("UTKFace.rar", b"Rar!", "an archive of an unsupported format"),
    ],
)
def test_other_files_of_faces_are_named_with_what_they_are(
    name: str, content: bytes, what: str, tmp_path: Path
) -> None:
    folder = put(tmp_path / "a", {name: content, "README.md": b"x"})
    for root in (folder, make_zip(tmp_path / "a.zip", {name: content}), make_tar(tmp_path / "a.tar", {name: content})):
        with pytest.raises(DatasetNotFoundError, match=r"no UTKFace images in .*which is not read as images") as caught:
            open_source(root).names()
        assert f"{name} ({what}" in str(caught.value)


@pytest.mark.parametrize("name", ["age_gender.csv", "data.parquet", "download"])
def test_a_table_as_root_is_named_with_what_it_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"age,pixels\n" if name.endswith("csv") else b"PAR1" + bytes(20))
    with pytest.raises(InputError, match="which is not read as images: give the folder or archive") as caught:
        open_source(path)
    assert str(path) in str(describe(caught.value))


def test_the_size_of_a_png_is_still_checked_before_it_is_decoded(tmp_path: Path) -> None:
    put(tmp_path, {f"{STEM}": png_header(60_000, 60_000), name_of(30, 1): jpeg(1)})
    assert "pixels" in scan(tmp_path).skipped_by_name[STEM]


def test_a_link_to_nothing_is_one_skipped_file(tmp_path: Path) -> None:
    (tmp_path / "22_1_0_20170109142408075.jpg").symlink_to(tmp_path / "gone.jpg")
    source = FolderSource(tmp_path)
    (name,) = source.names()
    assert source.signature()
    with pytest.raises(ValueError, match="a symbolic link to a file that does not exist"):
        source.read(name)
