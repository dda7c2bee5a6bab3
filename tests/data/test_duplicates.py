import numpy as np
import pytest
from making import make_table

from agegender.data.duplicates import clusters, exact_duplicates, near_pairs


def hashes_at(distances: list[int], seed: int = 0) -> np.ndarray:
    """One random hash, and one for each distance that differs from it in so many bits."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 2, 256)
    rows = [first]
    for distance in distances:
        other = first.copy()
        other[rng.permutation(256)[:distance]] ^= 1
        rows.append(other)
    return np.packbits(np.array(rows), axis=1)


def chain(distances: list[int]) -> np.ndarray:
    """Hashes of which each flips further bits of the one before, so that distances along the chain add up."""
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


@pytest.mark.parametrize("max_distance", [0, 19, 20, 21, 105, 256])
def test_near_pairs_are_those_of_a_brute_force_comparison(max_distance: int) -> None:
    rng = np.random.default_rng(1)
    hashes = np.concatenate([hashes_at([0, 1, 19, 20, 21, 22, 40], seed=seed) for seed in range(12)])
    hashes = hashes[rng.permutation(len(hashes))]
    found = near_pairs(hashes, max_distance)
    assert len(found) > 0
    assert len(found) == len(set(map(tuple, found.tolist()))), "each pair is given once"
    assert {(i, j) for i, j in found.tolist()} == brute_force(hashes, max_distance)


def test_pairs_are_found_within_across_and_behind_the_blocks_that_are_compared_at_once() -> None:
    num_rows = 4500  # blocks of 2,048 rows
    hashes = np.random.default_rng(2).integers(0, 256, (num_rows, 32), dtype=np.uint8)
    pairs = [(0, 4498), (5, 6), (2046, 2049), (2047, 2048), (2100, 2101), (4095, 4096), (4097, 4499)]
    for first, second in pairs:
        hashes[second] = hashes[first]
        hashes[second, 3] ^= 0b101
    assert {(i, j) for i, j in near_pairs(hashes).tolist()} == set(pairs)


@pytest.mark.parametrize("num_rows", [0, 1])
def test_less_than_two_pictures_have_no_pairs(num_rows: int) -> None:
    assert near_pairs(np.zeros((num_rows, 32), dtype=np.uint8)).shape == (0, 2)


def test_clusters_join_pictures_that_are_near_only_through_a_third() -> None:
    hashes = chain([20, 20, 21, 20])  # the first and the third differ in 40 bits
    assert clusters(hashes, np.ones(5, dtype=bool)).tolist() == [0, 0, 0, 1, 1]


def test_clusters_are_numbered_by_first_appearance() -> None:
    one, other = chain([3]), ~chain([3])
    hashes = np.stack([other[0], one[0], other[1], one[1]])
    assert clusters(hashes, np.ones(4, dtype=bool)).tolist() == [0, 1, 0, 1]


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
