import tracemalloc

import numpy as np
import pytest
from making import make_table

from agegender.data import duplicates
from agegender.data.duplicates import clusters, exact_duplicates, near_pairs


def hashes_at(distances: list[int], seed: int = 0) -> np.ndarray:
    """Draw a random hash, and one for each distance, which differs from it in that number of bits."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 2, 256)
    rows = [first]
    for distance in distances:
        other = first.copy()
        other[rng.permutation(256)[:distance]] ^= 1
        rows.append(other)
    return np.packbits(np.array(rows), axis=1)


def chain(distances: list[int]) -> np.ndarray:
    """Draw hashes of which each differs from the one before in new bits, so that distances along the chain add up."""
    bits = np.zeros((len(distances) + 1, 256), dtype=np.uint8)
    at = 0
    for row, distance in enumerate(distances, start=1):
        bits[row] = bits[row - 1]
        bits[row, at : at + distance] = 1
        at += distance
    return np.packbits(bits, axis=1)


def brute_force(hashes: np.ndarray, max_distance: int) -> set[tuple[int, int]]:
    bits = np.unpackbits(hashes, axis=1).astype(np.float64)
    distance = bits @ (1 - bits).T + (1 - bits) @ bits.T
    return {(int(i), int(j)) for i, j in np.argwhere(distance <= max_distance) if i < j}


@pytest.mark.parametrize(("distance", "near"), [(0, True), (19, True), (20, True), (21, False), (256, False)])
def test_pictures_are_near_up_to_20_bits(distance: int, near: bool) -> None:
    assert near_pairs(hashes_at([distance])).tolist() == ([[0, 1]] if near else [])


def test_a_picture_and_its_negative_are_256_bits_apart() -> None:
    hashes = hashes_at([0, 256])
    assert near_pairs(hashes, 255).tolist() == [[0, 1]]
    assert near_pairs(hashes, 256).tolist() == [[0, 1], [0, 2], [1, 2]]


@pytest.mark.parametrize("max_distance", [0, 19, 20, 21, 105, 256])
def test_near_pairs_are_those_of_a_brute_force_comparison(max_distance: int) -> None:
    rng = np.random.default_rng(1)
    hashes = np.concatenate([hashes_at([0, 1, 19, 20, 21, 22, 40], seed=seed) for seed in range(12)])
    hashes = hashes[rng.permutation(len(hashes))]
    found = near_pairs(hashes, max_distance)
    assert len(found) > 0
    assert len(found) == len(set(map(tuple, found.tolist()))), "each pair is given once"
    assert {(i, j) for i, j in found.tolist()} == brute_force(hashes, max_distance)


@pytest.mark.parametrize("block", [1, 1000, 1 << 18])
def test_pairs_are_found_within_across_and_behind_the_blocks_that_are_compared_at_once(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "_BLOCK", block)
    num_rows = 4500
    hashes = np.random.default_rng(2).integers(0, 256, (num_rows, 32), dtype=np.uint8)
    pairs = [(0, 4498), (5, 6), (2046, 2049), (2047, 2048), (2100, 2101), (4095, 4096), (4097, 4499)]
    for first, second in pairs:
        hashes[second] = hashes[first]
        hashes[second, 3] ^= 0b101
    assert {(i, j) for i, j in near_pairs(hashes).tolist()} == set(pairs)


@pytest.mark.parametrize("block", [1, 50, 189, 190, 191])  # 20 rows that have a key in common are 190 pairs
def test_blocks_leave_no_pair_out_and_give_none_twice(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_BLOCK", block)
    bits = np.zeros((20, 256), dtype=np.uint8)
    bits[:, ::7] = np.random.default_rng(3).integers(0, 2, (20, 37))  # 18 bits apart, more or less
    hashes = np.packbits(bits, axis=1)
    found = [(i, j) for i, j in near_pairs(hashes, 18).tolist()]
    assert 50 < len(found) < 150
    assert len(found) == len(set(found))
    assert set(found) == brute_force(hashes, 18)


def test_exactly_20_bits_are_near_and_21_are_not_wherever_they_are() -> None:
    rng = np.random.default_rng(4)
    hashes = np.concatenate([hashes_at([20, 21], seed=int(seed)) for seed in rng.integers(0, 2**31, 1000)])
    assert near_pairs(hashes).tolist() == [[first, first + 1] for first in range(0, 3000, 3)]


@pytest.mark.parametrize("step", [1, 3, 5, 7, 21, 28])
def test_20_bits_at_regular_steps_are_near(step: int) -> None:
    bits = np.zeros((257, 256), dtype=np.uint8)  # the first is 20 bits from all others
    by_steps = np.argsort(np.arange(256) % step, kind="stable")
    for start in range(256):
        bits[start + 1, np.roll(by_steps, -start)[:20]] = 1
    hashes = np.packbits(bits, axis=1)
    found = near_pairs(hashes).tolist()
    assert {(0, other) for other in range(1, 257)} <= set(map(tuple, found))
    assert {(i, j) for i, j in found} == brute_force(hashes, 20)


@pytest.mark.parametrize("num_rows", [0, 1])
def test_less_than_two_pictures_have_no_pairs(num_rows: int) -> None:
    assert near_pairs(np.zeros((num_rows, 32), dtype=np.uint8)).shape == (0, 2)


def test_clusters_join_pictures_that_are_near_only_through_a_third() -> None:
    hashes = chain([20, 20, 21, 20])  # the first and the third differ in 40 bits
    assert clusters(hashes, np.ones(5, dtype=bool)).tolist() == [0, 0, 0, 1, 1]


def test_clusters_are_numbered_by_first_appearance() -> None:
    one = chain([3])
    other = ~chain([3])
    hashes = np.stack([other[0], one[0], other[1], one[1]])
    assert clusters(hashes, np.ones(4, dtype=bool)).tolist() == [0, 1, 0, 1]


def test_clusters_are_the_components_of_a_brute_force_comparison() -> None:
    rng = np.random.default_rng(5)
    hashes = np.concatenate([hashes_at([0, 5, 12, 14, 16, 20, 21, 30], seed=seed) for seed in range(60)])
    hashes = hashes[rng.permutation(len(hashes))]
    usable = rng.random(len(hashes)) < 0.9
    expected = np.arange(len(hashes))
    pairs = [(i, j) for i, j in brute_force(hashes, 20) if usable[i] and usable[j]]
    for _ in range(len(hashes)):  # the smallest row of each component spreads
        before = expected.copy()
        for i, j in pairs:
            expected[[i, j]] = min(expected[i], expected[j])
        if (before == expected).all():
            break
    found = clusters(hashes, usable)
    assert found.tolist() == [sorted(set(expected.tolist())).index(row) for row in expected.tolist()]
    assert 60 < found.max() < 300


def test_pictures_given_again_are_in_the_clusters_of_the_first() -> None:
    hashes = np.concatenate([hashes_at([0, 10, 20, 21, 30], seed=seed) for seed in range(20)])
    found = clusters(hashes, np.ones(len(hashes), dtype=bool))
    again = clusters(np.tile(hashes, (10, 1)), np.ones(10 * len(hashes), dtype=bool))
    assert again.tolist() == 10 * found.tolist()


def test_copies_are_not_compared_pair_by_pair() -> None:
    num_rows = 200_000  # 20 billion pairs: hours, and more memory than there is
    hashes = np.repeat(hashes_at([21]), num_rows // 2, axis=0)
    labels = clusters(hashes, np.ones(num_rows, dtype=bool))
    assert (labels == np.repeat([0, 1], num_rows // 2)).all()


def test_a_crowd_of_pictures_that_are_near_each_other_is_one_cluster_in_little_memory() -> None:
    bits = np.zeros((4000, 256), dtype=np.uint8)
    rng = np.random.default_rng(6)
    for row in bits:
        row[rng.permutation(256)[:6]] = 1
    hashes = np.packbits(bits, axis=1)
    tracemalloc.start()
    labels = clusters(hashes, np.ones(4000, dtype=bool))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (labels == 0).all()
    assert peak < 40e6, "the 8 million pairs, two numbers of 8 bytes each, would take 128 MB"


def test_a_file_without_a_picture_has_a_cluster_of_its_own() -> None:
    hashes = np.zeros((4, 32), dtype=np.uint8)
    assert clusters(hashes, np.array([True, False, False, True])).tolist() == [0, 1, 2, 0]


def test_no_pictures_at_all_are_clusters_of_their_own() -> None:
    assert clusters(np.zeros((3, 32), dtype=np.uint8), np.zeros(3, dtype=bool)).tolist() == [0, 1, 2]


TABLE = make_table(
    #        agree ........   age differs  gender differs  alone  skipped
    ages=[30, 30, 30, 40, 41, 50, 50, 60, 30],
    genders=[1, 1, 1, 0, 0, 0, 1, 0, 1],
    contents=["a", "a", "a", "b", "b", "c", "c", "d", "a"],
    skipped=["", "", "", "", "", "", "", "", "cannot be decoded"],
)


def test_identical_files_are_grouped_without_those_that_were_skipped() -> None:
    assert [rows.tolist() for rows in exact_duplicates(TABLE).groups] == [[0, 1, 2], [3, 4], [5, 6]]


def test_identical_files_conflict_if_their_age_or_their_gender_differs() -> None:
    assert exact_duplicates(TABLE).conflicting.tolist() == [False, True, True]


def test_all_but_the_first_of_agreeing_copies_are_redundant() -> None:
    assert np.flatnonzero(exact_duplicates(TABLE).redundant(9)).tolist() == [1, 2]


def test_every_copy_of_a_conflicting_set_is_contradictory() -> None:
    assert np.flatnonzero(exact_duplicates(TABLE).contradictory(9)).tolist() == [3, 4, 5, 6]


def test_a_table_without_copies_has_none() -> None:
    found = exact_duplicates(make_table([1, 2, 3]))
    assert found.groups == ()
    assert not found.redundant(3).any() and not found.contradictory(3).any()
