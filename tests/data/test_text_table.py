"""Split files as spreadsheets write them."""

import os
from pathlib import Path

import pytest

from agegender.data.split import read_manifest
from agegender.data.text_table import read_rows
from agegender.system.errors import InputError

PART_OF = {"a.jpg": "train", "b c.jpg": "val", "d,e;f.jpg": "test", 'g"h.jpg': "train"}
PLAIN = 'image,part\na.jpg,train\nb c.jpg,val\n"d,e;f.jpg",test\n"g""h.jpg",train\n'
WITH_SEMICOLONS = 'image;part\na.jpg;train\nb c.jpg;val\n"d,e;f.jpg";test\n"g""h.jpg";train\n'
WITH_TABS = 'image\tpart\na.jpg\ttrain\nb c.jpg\tval\nd,e;f.jpg\ttest\n"g""h.jpg"\ttrain\n'


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace("\n", "\r\n").encode("utf-8-sig"),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.rstrip("\n").encode(),
        WITH_SEMICOLONS.encode("utf-8-sig"),
        WITH_SEMICOLONS.replace("\n", "\r\n").encode(),
        WITH_TABS.encode(),
        WITH_TABS.replace("\n", "\r\n").encode("utf-16"),
        ("sep=;\r\n" + WITH_SEMICOLONS).encode(),
        (PLAIN + ",\n,\n\n").encode(),
        PLAIN.replace("image,part", " Image , PART").encode(),
        ("image,part,note\n" + "".join(f'"{line[0]}",{line[1]} ,x\n' for line in (("a.jpg", "train"),))).encode()
        + b'b c.jpg,val,\n"d,e;f.jpg",test,\n"g""h.jpg",train,\n',
    ],
)
def test_a_split_file_is_read_as_spreadsheets_write_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_bytes(content)
    assert read_manifest(path) == PART_OF


def test_bytes_of_a_name_that_are_no_utf8_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_bytes(b"image,part\ncaf\xe9.jpg,train\n")
    assert read_manifest(path) == {os.fsdecode(b"caf\xe9.jpg"): "train"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "does not name the columns image and part once each"),
        (b"image part\na.jpg train\n", "does not name the columns image and part once each"),
        (b"image,part,part\na.jpg,train,test\n", "does not name the columns image and part once each"),
        (b"a.jpg,train\n", "does not name the columns image and part once each"),
        (b"image,part\na.jpg\n", "line 2 has too few values"),
        (b"image,part\na.jpg,train\na.jpg,test\n", "a.jpg is in train and in test"),
        (b"image,part\na.jpg,valid\n", "must hold train, val or test"),
        (b"image,part\n", "must hold train, val or test, not nothing"),
        (b"PK\x03\x04" + bytes(range(256)), "does not name the columns"),
        (b"\xff\xfei\x00m\x00\x00", "cannot be read as UTF-16"),
    ],
)
def test_what_is_no_split_file_is_refused_with_the_reason(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_manifest(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)


def test_only_the_columns_that_were_asked_for_are_given(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("note;file;age\nx;a.jpg;3\n")
    assert read_rows(path, ("file", "age")) == [{"file": "a.jpg", "age": "3"}]
