import dataclasses
import errno
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from making import MemorySource, encode, jpeg, make_table, name_of, png_header
from paths import ROOT
from PIL import Image

from agegender.data import cache as cache_module
from agegender.data import cache_folder, images, parallel
from agegender.data.cache import Cache
from agegender.data.scan import read_table, scan, write_table
from agegender.data.sources.base import FaceTable, Source
from agegender.data.sources.utkface import open_source
from agegender.system.cores import available_cores
from agegender.system.errors import InputError, MachineError, describe

SIZE = 16
FILES = {name_of(age, age % 2, age): jpeg(age) for age in range(1, 13)}
BAD = {
    name_of(300, 0): jpeg(100),
    name_of(50, 0): b"",
    name_of(51, 0): b"a letter",
    name_of(52, 0): jpeg(101)[:-200],
    name_of(53, 0): png_header(12_000, 12_000),
}


def cache_of(source: Source, folder: Path | None, *, size: int | None = SIZE, limit: int | None = None) -> Cache:
    return Cache(source, image_size=size, limit=limit, seed=5, folder=folder)


def use(source: Source, folder: Path | None, **options: int | None) -> tuple[FaceTable, np.ndarray]:
    cache = cache_of(source, folder, **options)
    table = cache.table()
    return table, np.asarray(cache.pixels(table)[np.arange(len(table))])


def expected_pixels(files: dict[str, bytes]) -> np.ndarray:
    return np.stack([images.resize(images.decode(files[name]), SIZE) for name in sorted(files)])


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def assert_same(one: FaceTable, other: FaceTable) -> None:
    for field in dataclasses.fields(FaceTable):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


# The scan


def test_the_scan_reads_labels_and_contents() -> None:
    table = scan(MemorySource(FILES), sorted(FILES))
    assert table.names == tuple(sorted(FILES))
    assert table.ages.tolist() == [int(name.split("_")[0]) for name in sorted(FILES)]
    assert table.genders.tolist() == [age % 2 for age in table.ages]
    assert len(set(table.sha256)) == 12
    assert table.usable.all()


def test_what_cannot_be_used_is_counted_with_its_reason_and_the_scan_goes_on() -> None:
    files = FILES | BAD
    table = scan(MemorySource(files), sorted(files))
    reasons = {name: reason for name, reason in zip(table.names, table.skipped, strict=True) if reason}
    assert reasons.pop(name_of(52, 0)).startswith("cannot be decoded (image file is truncated")
    assert reasons == {
        name_of(300, 0): "age 300 is not in 0 to 120",
        name_of(50, 0): "not an image",
        name_of(51, 0): "not an image",
        name_of(53, 0): "12000 x 12000 pixels are more than 50,000,000",
    }
    assert table.usable.sum() == 12


def test_a_file_whose_name_is_refused_is_not_read() -> None:
    source = MemorySource(BAD)
    scan(source, [name_of(300, 0)])
    assert not source.reads


def test_copies_and_near_duplicates_share_a_cluster() -> None:
    face = jpeg(0, size=64)
    near = encode(Image.fromarray(images.decode(face)), "JPEG", quality=60)
    pictures = (face, jpeg(1, size=64), face, near)
    files = {name_of(age, 0): picture for age, picture in enumerate(pictures, start=1)}
    assert scan(MemorySource(files), sorted(files)).clusters.tolist() == [0, 1, 0, 0]


# The table as a file


def test_odd_names_and_reasons_survive_the_cached_table(tmp_path: Path) -> None:
    odd = ["a b", " a", "a,b", 'a"b', "'", "a\nb", "a\r\nb", "a\rb", "", "end", os.fsdecode(b"a\xffb"), "\u00e9\u4e2d"]
    table = make_table([25] * len(odd), skipped=['it is "broken", so', *[""] * (len(odd) - 1)])
    table = dataclasses.replace(table, names=tuple(odd))
    write_table(tmp_path / "table.csv", table)
    again = read_table(tmp_path / "table.csv")
    assert again is not None
    assert_same(again, table)


def test_odd_file_names_survive_a_second_start(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    odd = [f"{20 + number}_0_0_20170101{end}.jpg" for number, end in enumerate(["a b", "a,b", '"a', "a\nb", "a\udcff"])]
    try:
        for number, name in enumerate(odd):
            (folder / name).write_bytes(jpeg(number))
    except OSError:
        pytest.skip("this file system takes no such name")
    first, _ = use(open_source(folder), tmp_path / "cache")
    second, pixels = use(open_source(folder), tmp_path / "cache")
    assert second.names == tuple(sorted(odd))
    assert_same(first, second)
    np.testing.assert_array_equal(pixels, expected_pixels({name: jpeg(i) for i, name in enumerate(odd)}))


@pytest.mark.parametrize("keep", [0, 1, 40, 300, -1, -10])
def test_a_table_that_was_cut_off_is_scanned_anew(keep: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, _ = use(MemorySource(FILES), tmp_path)
    path = only(tmp_path, "table-*.csv")
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    source = MemorySource(FILES)
    again, _ = use(source, tmp_path)
    assert_same(again, first)
    assert sum(source.reads.values()) == (0 if keep == -1 else 12), "the last line break does not matter"
    assert path.read_bytes() == (whole[:keep] if keep == -1 else whole)
    assert ("scanning again" in caplog.text) == (keep != -1)


def test_a_table_with_a_line_missing_is_scanned_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, _ = use(MemorySource(FILES), tmp_path)
    path = only(tmp_path, "table-*.csv")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:4] + lines[5:]))
    assert_same(cache_of(MemorySource(FILES), tmp_path).table(), first)
    assert "it is cut off" in caplog.text


# The pixels


def test_the_cache_holds_the_pixels_of_each_file_in_the_order_of_the_table(tmp_path: Path) -> None:
    _, pixels = use(MemorySource(FILES), tmp_path)
    np.testing.assert_array_equal(pixels, expected_pixels(FILES))


@pytest.mark.skipif(sys.platform != "linux", reason="this system does not fork")
def test_processes_build_the_same_cache_as_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, pixels = use(MemorySource(FILES), tmp_path / "threads")
    monkeypatch.setattr(parallel, "_MANY", 1)
    monkeypatch.setattr(parallel, "available_cores", lambda: [available_cores()[0]] * 2)
    other, others = use(MemorySource(FILES), tmp_path / "processes")
    assert (other.names, other.sha256, other.skipped) == (table.names, table.sha256, table.skipped)
    np.testing.assert_array_equal(other.clusters, table.clusters)
    np.testing.assert_array_equal(others[:], pixels[:])


def test_files_that_cannot_be_used_are_black(tmp_path: Path) -> None:
    table, pixels = use(MemorySource(FILES | BAD), tmp_path)
    assert not pixels[~table.usable].any()
    np.testing.assert_array_equal(pixels[table.usable], expected_pixels(FILES))


def test_without_a_cache_the_pixels_are_the_same(tmp_path: Path) -> None:
    with_cache = use(MemorySource(FILES), tmp_path)
    without = use(MemorySource(FILES), None)
    np.testing.assert_array_equal(with_cache[1], without[1])
    assert_same(with_cache[0], without[0])


def test_without_a_cache_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    use(MemorySource(FILES), None)
    assert list(tmp_path.iterdir()) == []


def test_every_file_is_read_once_and_by_a_second_start_never(tmp_path: Path) -> None:
    first = MemorySource(FILES)
    second = MemorySource(FILES)
    one = use(first, tmp_path)
    two = use(second, tmp_path)
    assert first.reads == Counter(list(FILES))
    assert not second.reads
    np.testing.assert_array_equal(one[1], two[1])
    assert_same(one[0], two[0])


def test_a_complete_cache_is_read_without_writing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, pixels = use(MemorySource(FILES), tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("this directory may only be read")

    monkeypatch.setattr(cache_module, "locked", refuse)
    monkeypatch.setattr(cache_module.os, "access", lambda *_: False)
    again, same = use(MemorySource(FILES), tmp_path)
    assert_same(again, table)
    assert np.array_equal(same, pixels)


def test_the_table_alone_decodes_nothing_into_the_cache(tmp_path: Path) -> None:
    cache_of(MemorySource(FILES), tmp_path, size=None).table()
    assert not list(tmp_path.glob("*.npy"))


def test_another_image_size_is_kept_beside_the_first_without_another_scan(tmp_path: Path) -> None:
    use(MemorySource(FILES), tmp_path)
    source = MemorySource(FILES)
    _, pixels = use(source, tmp_path, size=8)
    assert pixels.shape == (12, 8, 8, 3)
    assert len(list(tmp_path.glob("*.npy"))) == 2
    assert len(list(tmp_path.glob("*.csv"))) == 1
    assert source.reads == Counter(list(FILES))


def test_the_same_images_elsewhere_are_scanned_but_share_the_pixels(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        for name, content in FILES.items():
            (tmp_path / place / name).write_bytes(content)
        use(open_source(tmp_path / place), tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("*.csv"))) == 2
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 1


def test_a_file_with_new_content_under_the_same_name_gives_a_new_table_and_new_pixels(tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    before, _ = use(open_source(folder), tmp_path / "cache")
    changed = FILES | {min(FILES): jpeg(500, size=25)}
    (folder / min(FILES)).write_bytes(changed[min(FILES)])
    after, pixels = use(open_source(folder), tmp_path / "cache")
    assert after.fingerprint != before.fingerprint
    np.testing.assert_array_equal(pixels, expected_pixels(changed))


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def reshape(path: Path) -> None:
    np.save(path, np.zeros((3, SIZE, SIZE, 3), dtype=np.uint8))


def retype(path: Path) -> None:
    np.save(path, np.zeros((12, SIZE, SIZE, 3), dtype=np.float32))


@pytest.mark.parametrize(
    "damage",
    [
        shorten,
        reshape,
        retype,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"PK\x03\x04 this is no array"),
        lambda path: path.write_bytes(path.read_bytes()[:40]),
    ],
    ids=["cut off", "another shape", "another type", "empty", "another format", "half a header"],
)
def test_a_broken_pixel_file_is_built_anew_with_a_warning(
    damage: Callable[[Path], object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    use(MemorySource(FILES), tmp_path)
    damage(only(tmp_path, "*.npy"))
    with caplog.at_level(logging.WARNING):
        _, pixels = use(MemorySource(FILES), tmp_path)
    assert "is broken" in caplog.text and "rebuilding it" in caplog.text
    np.testing.assert_array_equal(pixels, expected_pixels(FILES))


def test_a_deleted_pixel_file_is_built_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    use(MemorySource(FILES | BAD), tmp_path)
    only(tmp_path, "*.npy").unlink()
    table, pixels = use(MemorySource(FILES | BAD), tmp_path)
    np.testing.assert_array_equal(pixels[table.usable], expected_pixels(FILES))
    assert not pixels[~table.usable].any()
    assert not caplog.records


# Samples


def test_a_sample_has_as_many_files_as_asked_and_is_the_same_each_time(tmp_path: Path) -> None:
    one, two = (use(MemorySource(FILES), folder, limit=5)[0] for folder in (tmp_path, None))
    assert len(one) == 5
    assert list(one.names) == sorted(set(one.names) & set(FILES))
    assert_same(one, two)


def test_another_seed_draws_another_sample(tmp_path: Path) -> None:
    drawn = {
        Cache(MemorySource(FILES), image_size=None, limit=5, seed=seed, folder=tmp_path).table().names
        for seed in range(6)
    }
    assert len(drawn) > 3


def test_a_sample_reads_no_other_file() -> None:
    source = MemorySource(FILES)
    table = cache_of(source, None, size=None, limit=5).table()
    assert source.reads == Counter(table.names)


@pytest.mark.parametrize("limit", [12, 13, 1000])
def test_a_sample_larger_than_the_data_is_all_of_it(limit: int, tmp_path: Path) -> None:
    assert use(MemorySource(FILES), tmp_path, limit=limit)[0].names == tuple(sorted(FILES))


def test_a_sample_and_the_whole_do_not_share_a_table(tmp_path: Path) -> None:
    assert [len(use(MemorySource(FILES), tmp_path, limit=limit)[0]) for limit in (5, None, 5, 7)] == [5, 12, 5, 7]


# Disks without space


def explanation(error: BaseException) -> str:
    line = describe(error)
    assert line is not None and "\n" not in line
    return line


def test_a_disk_without_room_is_told_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = cache_folder.shutil.disk_usage(tmp_path)._replace(free=12 * SIZE * SIZE * 3 - 1)
    monkeypatch.setattr(cache_folder.shutil, "disk_usage", lambda _: usage)
    source = MemorySource(FILES)
    with pytest.raises(MachineError, match=r"has 0\.0 GB free.*data\.cache=false"):
        use(source, tmp_path)
    assert not source.reads
    assert not list(tmp_path.glob("*.npy"))


def test_what_a_killed_job_left_is_removed_before_the_room_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(MemorySource(FILES), tmp_path)
    pixels = only(tmp_path, "*.npy")
    left = pixels.rename(tmp_path / f".{pixels.name}.12ab34cd.tmp")
    usage = cache_folder.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(cache_folder.shutil, "disk_usage", lambda _: usage._replace(free=0 if left.exists() else 10**9))
    use(MemorySource(FILES), tmp_path)


def test_a_disk_with_just_enough_room_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = cache_folder.shutil.disk_usage(tmp_path)._replace(free=12 * SIZE * SIZE * 3)
    monkeypatch.setattr(cache_folder.shutil, "disk_usage", lambda _: usage)
    use(MemorySource(FILES), tmp_path)


def test_a_disk_that_fills_up_is_told_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(MachineError, match=r"cannot be written: No space left on device.*data\.cache=false") as caught:
        use(MemorySource(FILES), tmp_path)
    explanation(caught.value)
    assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".lease")]


@pytest.mark.parametrize("inside", ["", "deeper/still"])
def test_a_file_in_the_place_of_the_cache_directory_is_explanation(inside: str, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a directory")
    with pytest.raises(InputError) as caught:
        use(MemorySource(FILES), tmp_path / "cache" / inside)
    line = explanation(caught.value)
    assert str(tmp_path / "cache") in line
    assert all(key in line for key in ("data.cache_dir=", "data.cache=false", "AGEGENDER_CACHE"))


PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from agegender.data.cache import Cache
from making import MemorySource, jpeg, name_of

folder, delay, out = Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
source = MemorySource({name_of(age, age % 2, age): jpeg(age) for age in range(1, 13)}, delay)
cache = Cache(source, image_size=16, limit=None, seed=5, folder=folder)
out.with_suffix(".started").touch()
while not (out.parent / "go").exists():
    pass
table = cache.table()
np.savez(out, pixels=cache.pixels(table)[np.arange(12)], names=table.names, reads=sum(source.reads.values()))
"""


def start(folder: Path, out: Path, delay: float = 0.0) -> subprocess.Popen[str]:
    """Start another process that uses the cache as soon as there is a file "go" next to `out`."""
    path = os.pathsep.join([str(ROOT / "tests" / "support"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), str(delay), str(out)],
        env=os.environ | {"PYTHONPATH": path},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def test_of_two_processes_that_start_at_once_one_builds_and_both_have_the_pixels(tmp_path: Path) -> None:
    outs = [tmp_path / f"{number}.npz" for number in range(2)]
    processes = [start(tmp_path / "cache", out, delay=0.03) for out in outs]
    wait_for(lambda: all(out.with_suffix(".started").exists() for out in outs))
    (tmp_path / "go").touch()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    found = [np.load(out) for out in outs]
    assert sorted(int(file["reads"]) for file in found) == [0, 12]
    for file in found:
        np.testing.assert_array_equal(file["pixels"], expected_pixels(FILES))
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 1
    assert not list((tmp_path / "cache").glob(".*.tmp"))


def test_a_killed_job_leaves_nothing_that_looks_complete_and_the_next_one_builds(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    (tmp_path / "go").touch()
    process = start(folder, tmp_path / "0.npz", delay=1.0)
    wait_for(lambda: list(folder.glob(".*.tmp")))
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not list(folder.glob("*.npy")) and not list(folder.glob("*.csv"))
    _, pixels = use(MemorySource(FILES), folder)
    np.testing.assert_array_equal(pixels, expected_pixels(FILES))
    assert not list(folder.glob(".*.tmp")), "what the killed job left takes no room"


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
from pathlib import Path
from agegender.data.cache import Cache
from agegender.system.errors import InputError, describe
from agegender.system.errors import MachineError, describe
from making import MemorySource, jpeg, name_of

source = MemorySource({name_of(age, 0, age): jpeg(age) for age in range(1, 13)})
cache = Cache(source, image_size=64, limit=None, seed=0, folder=Path(sys.argv[1]))
try:
    cache.pixels(cache.table())
except MachineError as error:
    print(describe(error))
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="the system limits no file sizes")
def test_a_limit_on_file_sizes_is_told_instead_of_a_crash(tmp_path: Path) -> None:
    path = os.pathsep.join([str(ROOT / "tests" / "support"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert f"the cache in {tmp_path} cannot be written" in line and "File too large" in line
    assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".lease")]
