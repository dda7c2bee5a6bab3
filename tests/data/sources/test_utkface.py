import gzip
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from making import jpeg, make_tar, make_zip, name_of

from agegender.data.cache import Cache
from agegender.data.sources.base import Face, FaceTable
from agegender.data.sources.listing import MAX_FILE_BYTES
from agegender.data.sources.utkface import open_source, parse_name
from agegender.data.split import make_split, manifest_hash
from agegender.labels import age_groups
from agegender.system.errors import DatasetNotFoundError, InputError, describe

FILES = {name_of(age, age % 2, age): jpeg(age) for age in range(1, 41)}
NESTED = {f"{'women' if name.split('_')[1] == '1' else 'men/old'}/{name}": FILES[name] for name in FILES}


def scan(root: Path) -> FaceTable:
    return Cache(open_source(root), image_size=None, limit=None, seed=0, folder=None).table()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


# Names


@pytest.mark.parametrize(
    ("name", "face"),
    [
        ("100_0_0_20170112213500903.jpg.chip.jpg", Face(100, 0, 0)),
        ("1_1_4_20161219154956800.jpg.chip.jpg", Face(1, 1, 4)),
        ("39_1_20170116174525125.jpg.chip.jpg", Face(39, 1, -1)),
        ("61_1_20170109142408075.jpg.chip.jpg", Face(61, 1, -1)),
        ("61_1_20170109150557335.jpg.chip.jpg", Face(61, 1, -1)),
        ("24_0_1_20170116220224657 .jpg.chip.jpg", Face(24, 0, 1)),
        ("55_0_0_20170116232725357jpg.chip.jpg", Face(55, 0, 0)),
        ("14_0_0_2017011022340900.jpg.chip.jpg", Face(14, 0, 0)),
        ("part1/33_1_2_20170104233550119.jpg", Face(33, 1, 2)),
        ("28_1_2_201701161846515488.jpg.chip.jpg", Face(28, 1, 2)),
        ("part3/3_1_2_20161219140623097jpg", Face(3, 1, 2)),
        ("24_0_1_20170116220224657 (1).jpg", Face(24, 0, 1)),
        ("24_0_1_20170116220224657_crop.png", Face(24, 0, 1)),
        ("0_0_0_20170112.jpg", Face(0, 0, 0)),
        ("120_1_3_20170112213500903.jpg", Face(120, 1, 3)),
    ],
)
def test_a_name_of_utkface_tells_age_gender_and_race(name: str, face: Face) -> None:
    assert parse_name(name) == face


def test_a_race_that_utkface_does_not_have_is_unknown() -> None:
    assert parse_name("30_1_7_20170104.jpg") == Face(30, 1, -1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("300_0_0_20170112.jpg", "age 300 is not in 0 to 120"),
        ("121_0_0_20170112.jpg", "age 121 is not in 0 to 120"),
        ("30_3_0_20170112.jpg", "gender 3 is neither 0 (male) nor 1 (female)"),
        ("30_10_0_20170112.jpg", "gender 10 is neither 0 (male) nor 1 (female)"),
        *(
            (name, "the name is not [age]_[gender]_[race]_[date&time]")
            for name in (
                "53__0_2017.jpg",
                "hello.jpg",
                "-5_0_0_2017.jpg",
                "3.5_0_0_2017.jpg",
                "x30_1_0_2017.jpg",
                "30.jpg",
                "IMG_20170112_213500.jpg",
                "2017-01-12.jpg",
                "part_1.jpg",
                "\u0663\u0669_1_0_2017.jpg",
                "3\u0669_1_0_2017.jpg",  # Arabic digits
            )
        ),
    ],
)
def test_a_name_without_age_and_gender_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_name(name)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "name",
    [
        "0001_0.jpg",
        "12_1_2020.jpg",
        "26_0.jpg",
        "26_0_1.jpg",
        "0_0_0_1.jpg",
        "1_1_3_000123.jpg",
        "12_1_12345678.jpg",
        "30_1_0_20171312213500903.jpg",
        "30_1_0_20170100213500903.jpg",
        "30_1_0_1234567890123456789012.jpg",
    ],
)
def test_a_name_without_utkfaces_date_is_refused_as_it_may_say_something_else(name: str) -> None:
    with pytest.raises(ValueError, match="the name has no date such as 20170116174525125"):
        parse_name(name)


# The same images, packed in different ways


def as_archive_folder(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"UTKFace/{name}": content for name, content in files.items()}


PACKINGS: dict[str, Callable[[Path], Path]] = {
    "folder in a folder": lambda place: put(place / "a", as_archive_folder(FILES)) and place / "a",
    "tar": lambda place: make_tar(place / "a.tar", FILES),
    "tar with a folder": lambda place: make_tar(place / "a.tar", as_archive_folder(FILES)),
    "tar of a dot": lambda place: make_tar(place / "a.tar", {f"./{name}": FILES[name] for name in FILES}),
    "tar of a dot and a folder": lambda place: make_tar(
        place / "a.tar", {f"./U/{name}": FILES[name] for name in FILES}
    ),
    "tar with absolute names": lambda place: make_tar(place / "a.tar", {f"/U/{name}": FILES[name] for name in FILES}),
    "tar with some absolute names": lambda place: make_tar(
        place / "a.tar", {f"{'/' * (number % 2)}U/{name}": FILES[name] for number, name in enumerate(FILES)}
    ),
    "tar in another order": lambda place: make_tar(place / "a.tar", dict(reversed(FILES.items()))),
    "tar.gz": lambda place: make_tar(place / "a.tar.gz", as_archive_folder(FILES), "w:gz"),
    "tar.xz": lambda place: make_tar(place / "a.tar.xz", as_archive_folder(FILES), "w:xz"),
    "tar.gz without its suffix": lambda place: make_tar(place / "download", FILES, "w:gz"),
    "zip": lambda place: make_zip(place / "a.zip", FILES),
    "zip with a folder": lambda place: make_zip(place / "a.zip", as_archive_folder(FILES), zipfile.ZIP_DEFLATED),
}


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> FaceTable:
    return scan(put(tmp_path_factory.mktemp("flat"), FILES))


@pytest.mark.parametrize("packing", PACKINGS)
def test_every_packing_gives_the_names_and_the_fingerprint_of_the_folder(
    packing: str, flat: FaceTable, tmp_path: Path
) -> None:
    table = scan(PACKINGS[packing](tmp_path))
    assert table.names == tuple(sorted(FILES))
    assert table.fingerprint == flat.fingerprint


@pytest.mark.parametrize("packing", ["tar with a folder", "tar.gz", "zip"])
def test_every_packing_gives_the_same_split(packing: str, flat: FaceTable, tmp_path: Path) -> None:
    groups = age_groups("closed")
    table = scan(PACKINGS[packing](tmp_path))
    one, other = (make_split(made, groups, leak_control=True, seed=3).manifest(made.names) for made in (flat, table))
    assert manifest_hash(one) == manifest_hash(other)


def test_nested_folders_have_the_same_names_and_fingerprint_in_a_folder_a_tar_and_a_zip(tmp_path: Path) -> None:
    tables = [
        scan(put(tmp_path / "a", NESTED)),
        scan(make_tar(tmp_path / "a.tar", as_archive_folder(NESTED))),
        scan(make_zip(tmp_path / "a.zip", NESTED)),
    ]
    assert [table.names for table in tables] == [tuple(sorted(NESTED))] * 3
    assert len({table.fingerprint for table in tables}) == 1


def test_an_archive_gives_the_bytes_that_were_packed(tmp_path: Path) -> None:
    for root in (make_tar(tmp_path / "a.tar", FILES), make_tar(tmp_path / "a.tgz", FILES, "w:gz")):
        source = open_source(root)
        assert {name: source.read(name) for name in source.names()} == FILES


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_what_file_managers_leave_behind_is_no_image(kind: str, tmp_path: Path) -> None:
    clutter = {
        **{name: b"" for name in (".DS_Store", "Thumbs.db", "README.md", "list.csv")},
        **{f"__MACOSX/._{name_of(20, 0)}": b"x", f".{name_of(21, 0)}": b"x", f".thumbnails/{name_of(22, 0)}": b"x"},
        **FILES,
    }
    root = {
        "folder": lambda: put(tmp_path / "a", clutter),
        "tar": lambda: make_tar(tmp_path / "a.tar", clutter),
        "zip": lambda: make_zip(tmp_path / "a.zip", clutter),
    }[kind]()
    assert open_source(root).names() == sorted(FILES)


def test_images_are_told_by_their_suffix_in_any_case(tmp_path: Path) -> None:
    names = ["1_0_0_1.JPG", "1_0_0_2.jpeg", "1_0_0_3.Png", "1_0_0_4.webp", "1_0_0_5.bmp", "1_0_0_6.gif", "1_0_0_7.JFIF"]
    put(tmp_path, dict.fromkeys([*names, "1_0_0_8.txt", "jpg"], b"x"))
    assert open_source(tmp_path).names() == names


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere", FILES)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "faces").symlink_to(tmp_path / "elsewhere")
    assert open_source(tmp_path / "a").names() == sorted(FILES)


def test_a_link_that_leads_back_up_does_not_repeat_the_images(tmp_path: Path) -> None:
    put(tmp_path, {"inner/1_0_0_1.jpg": b"x"})
    (tmp_path / "inner" / "loop").symlink_to(tmp_path)
    assert open_source(tmp_path).names() == ["1_0_0_1.jpg"]


def test_a_home_folder_is_written_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "faces", FILES)
    assert open_source("~/faces").names() == sorted(FILES)


# Mistakes of the user, each reported in one line


def message_for(root: Path, error: type[InputError]) -> str:
    """Use a source as a run does, and return the line that the user sees."""
    with pytest.raises(InputError) as caught:
        source = open_source(root)
        source.names()
    assert caught.type is error
    line = describe(caught.value)
    assert line is not None
    assert line == str(caught.value), "it is one line as it stands"
    assert str(root) in line
    return line


def test_a_missing_path_is_message_for(tmp_path: Path) -> None:
    assert "does not exist" in message_for(tmp_path / "nowhere", DatasetNotFoundError)


@pytest.mark.parametrize(
    "make",
    [
        lambda place: put(place / "empty", {"README.md": b"no image"}),
        lambda place: make_tar(place / "empty.tar", {}),
        lambda place: make_tar(place / "empty.tar.gz", {}, "w:gz"),
        lambda place: make_zip(place / "empty.zip", {}),
        lambda place: make_zip(place / "text.zip", {"README.md": b"no image"}),
    ],
    ids=["folder", "tar", "tar.gz", "zip", "zip of text"],
)
def test_a_place_without_images_is_told_as_such(make: Callable[[Path], Path], tmp_path: Path) -> None:
    assert "no UTKFace images in" in message_for(make(tmp_path), DatasetNotFoundError)


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "zip"])
def test_an_archive_of_zero_bytes_is_message_for(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"")
    assert "neither a folder nor a .tar, .tar.gz or .zip" in message_for(path, InputError)


def test_a_text_file_as_root_is_message_for(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("25_0_0_2017.jpg\n" * 100)
    assert "neither a folder nor a .tar, .tar.gz or .zip" in message_for(path, InputError)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_that_was_cut_off_is_told_wherever_it_ends_or_read_whole(mode: str, tmp_path: Path) -> None:
    files = dict(list(FILES.items())[:4])
    whole = make_tar(tmp_path / "a.tar", files, mode).read_bytes()
    path = tmp_path / "cut.tar"
    refused = 0
    for length in range(1, len(whole), 97 if mode == "w" else 37):
        path.write_bytes(whole[:length])
        try:
            assert open_source(path).names() == sorted(files), "only what follows the last image is missing"
        except InputError:
            refused += 1
            message_for(path, InputError)
    assert refused >= 30


def test_a_tar_cut_off_between_two_files_is_message_for(tmp_path: Path) -> None:
    whole = make_tar(tmp_path / "a.tar", FILES)
    with tarfile.open(whole) as archive:
        start = archive.getmembers()[20].offset
    whole.write_bytes(whole.read_bytes()[:start])
    assert "broken archive" in message_for(whole, InputError)


def test_a_tar_with_a_damaged_header_in_the_middle_is_message_for(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", FILES)
    with tarfile.open(path) as archive:
        start = archive.getmembers()[20].offset
    content = bytearray(path.read_bytes())
    content[start + 3] ^= 0xFF
    path.write_bytes(content)
    assert "broken archive" in message_for(path, InputError)


def test_a_gzip_that_is_no_tar_is_message_for(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(b"hello"))
    assert "neither a folder nor a .tar, .tar.gz or .zip" in message_for(path, InputError)


def test_a_zip_that_was_cut_off_is_told_wherever_it_ends(tmp_path: Path) -> None:
    whole = make_zip(tmp_path / "a.zip", dict(list(FILES.items())[:4])).read_bytes()
    path = tmp_path / "cut.zip"
    for length in range(1, len(whole), 97):
        path.write_bytes(whole[:length])
        message_for(path, InputError)


def test_an_encrypted_zip_is_message_for(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", FILES)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")  # the first entry of the central directory; its flags are at 8
    content[at + 8] |= 1
    path.write_bytes(content)
    assert "is encrypted" in message_for(path, InputError)


def test_a_zip_that_needs_a_newer_reader_is_message_for(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", FILES)
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 6] = 99  # version needed to extract: 9.9
    path.write_bytes(content)
    assert "zip file version 9.9" in message_for(path, InputError)


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=str
)
def test_a_damaged_file_in_a_zip_is_skipped_with_a_reason_and_the_others_are_read(method: int, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", FILES, method)
    first = min(FILES)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(first).header_offset + 30 + len(first)
    content = bytearray(path.read_bytes())
    content[start + 12 : start + 60] = os.urandom(48)
    path.write_bytes(content)
    table = scan(path)
    assert {name for name, reason in zip(table.names, table.skipped, strict=True) if reason} == {first}
    assert table.skipped[0].startswith("broken in the archive")


def test_a_link_to_nowhere_is_skipped_with_its_reason_and_the_others_are_read(tmp_path: Path) -> None:
    put(tmp_path, FILES)
    lost = name_of(50, 0)
    (tmp_path / lost).symlink_to(tmp_path / "gone")
    assert scan(tmp_path).skipped_by_name == {lost: "a symbolic link to a file that does not exist"}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_message_for(tmp_path: Path) -> None:
    put(tmp_path / "a" / "b", FILES)
    (tmp_path / "a" / "b").chmod(0)
    try:
        with pytest.raises(InputError, match="cannot be read"):
            open_source(tmp_path / "a").names()
    finally:
        (tmp_path / "a" / "b").chmod(0o700)


def test_a_file_too_large_to_be_a_face_is_skipped_without_being_read(tmp_path: Path) -> None:
    put(tmp_path, FILES)
    with (tmp_path / name_of(50, 0)).open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # sparse
    table = scan(tmp_path)
    assert [reason for reason in table.skipped if reason] == ["the file has 67,108,865 bytes, more than 67,108,864"]


# The signature


def test_the_signature_stays_while_the_files_do(tmp_path: Path) -> None:
    root = put(tmp_path / "a", FILES)
    assert open_source(root).signature() == open_source(root).signature()


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_the_signature_changes_with_the_files(kind: str, tmp_path: Path) -> None:
    def make(files: dict[str, bytes]) -> Path:
        if kind == "folder":
            return put(tmp_path / "a", files)
        return make_tar(tmp_path / "a.tar", files) if kind == "tar" else make_zip(tmp_path / "a.zip", files)

    before = open_source(make(FILES)).signature()
    assert open_source(make(FILES | {min(FILES): jpeg(999, size=25)})).signature() != before


@pytest.mark.parametrize("kind", ["folder", "tar", "zip"])
def test_a_path_whose_name_is_not_utf8_has_a_signature(kind: str, tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    try:
        (tmp_path / odd).mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    place = tmp_path / odd
    root = {
        "folder": lambda: put(place / "a", FILES),
        "tar": lambda: make_tar(place / "a.tar", FILES),
        "zip": lambda: make_zip(place / "a.zip", FILES),
    }[kind]()
    assert len(open_source(root).signature()) == 64


def test_the_fingerprint_tells_contents_and_names_apart() -> None:
    def table(names: tuple[str, ...], contents: tuple[str, ...], skipped: tuple[str, ...] = ("", "")) -> FaceTable:
        zeros = np.zeros(2, dtype=np.int64)
        return FaceTable(names, zeros, zeros, zeros, contents, np.arange(2), skipped)

    prints = [
        table(names, contents, skipped).fingerprint
        for names, contents, skipped in (
            (("a", "b"), ("1", "2"), ("", "")),
            (("a", "c"), ("1", "2"), ("", "")),
            (("a", "b"), ("2", "1"), ("", "")),
            (("a", "b"), ("1", "2"), ("", "age 300")),
        )
    ]
    assert len(set(prints)) == 4
