"""Facts of the real UTKFace, aligned and cropped: AGEGENDER_UTKFACE names its folder or archive."""

import io
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

from agegender.data.audit import Audit, audit
from agegender.data.cache import Cache
from agegender.data.duplicates import exact_duplicates
from agegender.data.hashing import difference_hash
from agegender.data.images import decode, resize
from agegender.data.pixels import Pixels
from agegender.data.sources.base import FaceTable, Source
from agegender.data.sources.utkface import open_source
from agegender.data.split import PARTS, Split, make_split, manifest_hash, read_split, save_manifest
from agegender.labels import age_groups

ROOT = os.environ.get("AGEGENDER_UTKFACE")
SIZE = 16
CLOSED = age_groups("closed")

pytestmark = [
    pytest.mark.utkface,
    pytest.mark.skipif(not ROOT, reason="AGEGENDER_UTKFACE does not name the folder or archive of UTKFace"),
]


@dataclass(frozen=True)
class Real:
    source: Source
    table: FaceTable
    pixels: Pixels
    folder: Path


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    assert ROOT is not None
    folder = tmp_path_factory.mktemp("cache")
    source = open_source(ROOT)
    cache = Cache(source, image_size=SIZE, limit=None, seed=0, folder=folder)
    table = cache.table()
    return Real(source, table, cache.pixels(table), folder)


@pytest.fixture(scope="module")
def found(real: Real) -> Audit:
    return audit(real.table, CLOSED, "UTKFace")


@pytest.fixture(scope="module")
def controlled(real: Real) -> Split:
    return make_split(real.table, CLOSED, leak_control=True, seed=0)


def test_the_hash_of_a_face_is_that_of_imagehash_and_its_pixels_those_of_pillow(real: Real) -> None:
    for name in real.table.names[::40]:
        content = real.source.read(name)
        by_pillow = Image.open(io.BytesIO(content)).convert("RGB")
        pixels = decode(content)
        np.testing.assert_array_equal(pixels, np.asarray(by_pillow))
        expected = imagehash.dhash(by_pillow, hash_size=16).hash
        np.testing.assert_array_equal(np.unpackbits(difference_hash(pixels)).reshape(16, 16), expected)


def test_all_23707_files_can_be_used(real: Real) -> None:
    assert len(real.table) == 23_707
    assert [reason for reason in real.table.skipped if reason] == []


def test_there_are_12390_men_and_11317_women(found: Audit) -> None:
    assert found.genders == {"male": 12_390, "female": 11_317}  # 12,389 and the irregular name of age 14


def test_three_names_give_no_race(found: Audit) -> None:
    assert found.races["unknown"] == 3


def test_ages_go_from_1_to_116(real: Real) -> None:
    assert (real.table.ages.min(), real.table.ages.max()) == (1, 116)


def test_the_closed_groups_have_the_known_sizes(found: Audit) -> None:
    # 1,463 names of 13 to 20 years follow the set's own rule; one more, of 14 years, lacks a digit.
    assert list(found.groups.values()) == [1605, 888, 919, 1463 + 1, 8798, 3880, 2156, 3997]


def test_375_pictures_are_there_more_than_once_and_224_of_them_contradict_themselves(found: Audit) -> None:
    assert found.exact == {"sets": 375, "files": 765, "conflicting_sets": 224}


def test_near_duplicates_are_as_many_as_known(found: Audit) -> None:
    assert found.near["sets"] == pytest.approx(912, rel=0.1)
    assert found.near["files"] == pytest.approx(1907, rel=0.1)


def test_copies_are_near_duplicates_of_each_other(real: Real) -> None:
    for rows in exact_duplicates(real.table).groups:
        assert len(set(real.table.clusters[rows])) == 1


def test_a_random_split_leaks_5_to_9_percent_of_its_test_images(found: Audit) -> None:
    assert found.leak["test"] == 4741  # 0.2 x 23,707 = 4741.4
    assert 0.05 < found.leak["test_with_copy_elsewhere"] / found.leak["test"] < 0.09


def test_leak_control_keeps_one_of_agreeing_copies_and_none_that_conflict(real: Real, controlled: Split) -> None:
    labels_of: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for content, age, gender in zip(real.table.sha256, real.table.ages, real.table.genders, strict=True):
        labels_of[content].append((int(age), int(gender)))
    kept = [labels for labels in labels_of.values() if len(set(labels)) == 1]
    assert sum(len(controlled.rows(part)) for part in PARTS) == len(kept)
    assert controlled.dropped["exact_duplicates"] == sum(len(labels) - 1 for labels in kept)
    assert controlled.dropped["conflicting_duplicates"] == 23_707 - sum(map(len, kept))


def test_sizes_under_leak_control_follow_the_papers_rounding(controlled: Split) -> None:
    train, val, test = (len(controlled.rows(part)) for part in PARTS)
    total = train + val + test
    assert test == (2 * total + 5) // 10
    assert val == (30 * (total - test) + 100) // 200


def test_no_near_duplicates_are_in_two_parts_under_leak_control(real: Real, controlled: Split) -> None:
    clusters = [set(real.table.clusters[controlled.rows(part)].tolist()) for part in PARTS]
    assert not (clusters[0] & clusters[1] or clusters[0] & clusters[2] or clusters[1] & clusters[2])


def test_no_two_images_of_a_split_under_leak_control_have_the_same_bytes(real: Real, controlled: Split) -> None:
    contents = [real.table.sha256[row] for part in PARTS for row in controlled.rows(part)]
    assert len(contents) == len(set(contents))


def test_the_standard_split_is_the_one_of_all_published_results(real: Real, controlled: Split) -> None:
    assert manifest_hash(controlled.manifest(real.table.names)).startswith("dd0aa383c84a")


def test_no_photograph_of_the_aligned_release_has_several_crops(found: Audit, controlled: Split) -> None:
    assert found.crops == {"sets": 0, "files": 0, "conflicting_sets": 0}
    assert controlled.joined == {"photographs": 0, "files": 0}


def test_every_group_has_its_share_of_every_part(real: Real, controlled: Split) -> None:
    counts = np.array([np.bincount(CLOSED.of(real.table.ages[controlled.rows(part)]), minlength=8) for part in PARTS])
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    assert np.abs(counts - expected).max() < 2


def test_the_split_of_the_real_images_can_be_read_back(real: Real, controlled: Split, tmp_path: Path) -> None:
    path = save_manifest(tmp_path, controlled.manifest(real.table.names))
    again = read_split(path, real.table, CLOSED)
    assert manifest_hash(again.manifest(real.table.names)) == manifest_hash(controlled.manifest(real.table.names))


def test_the_cached_pixels_are_those_of_the_files(real: Real) -> None:
    rows = np.random.default_rng(0).choice(23_707, 20, replace=False)
    for row, pixels in zip(rows, real.pixels[rows], strict=True):
        np.testing.assert_array_equal(pixels, resize(decode(real.source.read(real.table.names[row])), SIZE))


def test_a_second_start_reads_the_same_table_from_the_cache(real: Real) -> None:
    assert ROOT is not None
    again = Cache(open_source(ROOT), image_size=SIZE, limit=None, seed=0, folder=real.folder).table()
    assert again.names == real.table.names
    assert again.fingerprint == real.table.fingerprint
    np.testing.assert_array_equal(again.clusters, real.table.clusters)


def test_pictures_are_200_by_200(real: Real) -> None:
    assert {decode(real.source.read(name)).shape for name in real.table.names[::500]} == {(200, 200, 3)}
