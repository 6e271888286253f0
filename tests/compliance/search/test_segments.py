"""The index of features: what is added is found, what is deleted or not allowed is not, however it is stored."""

import numpy as np
import pytest

from compliance.search.codebook import GROUP, LEAVES, LISTS, Codebook, shipped_codebook
from compliance.search.errors import BadSegmentError
from compliance.search.segments import (
    DESCRIPTORS_PER_IMAGE,
    NEIGHBOURS,
    PROBES,
    Ask,
    Pairs,
    Segment,
    SegmentIndex,
    leaves_visited,
)
from ledger.imaging.features import DIMENSIONS, Features, mirrored


def invented(seed: int, count: int = 60) -> Features:
    """Features near centroids of the codebook, as real ones are."""
    rng = np.random.default_rng(seed)
    centroids = shipped_codebook().centroids[rng.choice(LISTS, count)]
    descriptors = np.clip(centroids + rng.normal(0, 20, (count, DIMENSIONS)), 0, 255).astype(np.uint8)
    geometry = np.column_stack([rng.uniform(0, [400, 300, 40, 360], (count, 4))]).astype(np.float32)
    geometry[:, 2] += 2
    return Features(geometry, descriptors, 400, 300)


@pytest.fixture(scope="module")
def pictures():
    return [(100 + n, invented(n)) for n in range(12)]


@pytest.fixture
def index(pictures):
    index = SegmentIndex()
    index.add(pictures)
    return index


def ask(features: Features) -> list[Ask]:
    return [Ask(features, 0)]


def owners(pairs: Pairs) -> set[int]:
    return set(pairs.image_ids.tolist())


def rows(pairs: Pairs) -> list[tuple]:
    """A comparable form: (spot, image, distance), nearest first within a spot."""
    columns = (pairs.view.tolist(), pairs.spot.tolist(), pairs.image_ids.tolist(), pairs.squared.tolist())
    return sorted(zip(*columns, strict=True))


def test_a_picture_finds_itself(index, pictures):
    for image_id, features in pictures:
        pairs = index.neighbours(ask(features))
        nearest: dict[int, tuple[float, int]] = {}
        for spot, owner, squared in zip(pairs.spot, pairs.image_ids, pairs.squared, strict=True):
            nearest[spot] = min(nearest.get(spot, (np.inf, 0)), (squared, owner))
        own = [owner == image_id for _, owner in nearest.values()]
        assert np.mean(own) > 0.9


def test_answers_equal_brute_force_over_the_same_codes(index, pictures):
    """Every code in the visited leaves, compared one by one."""
    codebook, features = index.codebook, invented(3)
    leaves = expand_leaves(codebook)
    asked = features.descriptors.astype(np.float32)
    lists = np.argsort(squares(codebook.centroids, asked), axis=1, kind="stable")[:, :PROBES]
    below = (lists[:, :, None] * LEAVES + np.arange(LEAVES)).reshape(len(lists), -1)
    reach = np.take_along_axis(squares(leaves, asked), below, axis=1)
    nearest = np.argsort(reach, axis=1, kind="stable")[:, : leaves_visited(len(index))]
    visited = [set(row) for row in np.take_along_axis(below, nearest, axis=1).tolist()]
    every = np.concatenate([one.descriptors for _, one in pictures]).astype(np.float32)
    home = squares(codebook.centroids, every).argmin(axis=1)
    home = home * LEAVES + np.array(
        [
            ((leaves[n * LEAVES : (n + 1) * LEAVES] - one) ** 2).sum(axis=1).argmin()
            for n, one in zip(home, every, strict=True)
        ]
    )
    spelled = spell(codebook.pieces, every)
    pairs = index.neighbours(ask(features))
    agreeing = 0
    for spot, vector in enumerate(asked):
        wanted = np.array([n for n in range(len(every)) if home[n] in visited[spot]], int)
        squared = np.sort(((spelled[wanted] - vector) ** 2).sum(axis=1))[:NEIGHBOURS]
        found = np.sort(pairs.squared[pairs.spot == spot])
        agreeing += len(found) == len(squared) and bool(np.allclose(found, squared, rtol=1e-3))
    # The lists are found by an approximate search: a few spots visit another fourth list.
    assert agreeing >= 0.9 * len(features)


def squares(known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Squared distances, (asked, known)."""
    return (asked**2).sum(axis=1)[:, None] + (known**2).sum(axis=1) - 2 * asked @ known.T


def expand_leaves(codebook: Codebook) -> np.ndarray:
    """(65536, 128): the leaves of every list, those of the other members of a class permuted."""
    members = [codebook.leaves[:, :, order] for order in GROUP]
    return np.stack(members, axis=1).reshape(-1, DIMENSIONS)


def spell(pieces: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Each vector as its code says it."""
    parts = vectors.reshape(len(vectors), 16, 8)
    codes = ((parts[:, :, None] - pieces[None]) ** 2).sum(axis=3).argmin(axis=2)
    return pieces[np.arange(16), codes].reshape(len(vectors), DIMENSIONS)


def test_geometry_comes_back_nearly_as_it_was(index, pictures):
    pairs = index.neighbours(ask(pictures[4][1]))
    known = pictures[4][1].geometry
    for spot, owner, geometry, squared in zip(pairs.spot, pairs.image_ids, pairs.geometry, pairs.squared, strict=True):
        if owner == 104 and squared == pairs.squared[pairs.spot == spot].min():
            assert np.abs(geometry[:2] - known[spot, :2]).max() < 2
            assert abs(np.log2(geometry[2] / known[spot, 2])) < 0.05
            assert abs((geometry[3] - known[spot, 3] + 180) % 360 - 180) < 1


def test_a_deleted_picture_is_never_found(index, pictures):
    assert index.delete([103, 999]) == 1
    assert 103 not in owners(index.neighbours(ask(pictures[3][1])))
    assert len(index) == 11
    assert 103 not in index.image_ids()


def test_deleting_twice_counts_once(index):
    assert (index.delete([101]), index.delete([101])) == (1, 0)


def test_adding_again_replaces(index, pictures):
    index.add([(103, invented(77))])
    assert len(index) == 12
    pairs = index.neighbours(ask(invented(77)))
    assert pairs.image_ids[np.argmin(pairs.squared)] == 103


def test_only_allowed_pictures_answer(index, pictures):
    allowed = np.array([102, 105])
    assert owners(index.neighbours(ask(pictures[3][1]), allowed)) <= {102, 105}
    assert owners(index.neighbours(ask(pictures[3][1]), np.zeros(0, np.int64))) == set()


def test_a_filter_finds_what_an_index_of_only_those_would(index, pictures):
    alone = SegmentIndex()
    alone.add(pictures[:5])
    query = ask(invented(2))
    assert rows(index.neighbours(query, np.arange(100, 105))) == rows(alone.neighbours(query))


def test_sealing_changes_no_answer(pictures):
    whole, cut = SegmentIndex(), SegmentIndex()
    whole.add(pictures)
    cut.add(pictures[:5])
    cut.seal()
    cut.add(pictures[5:8])
    cut.seal()
    cut.add(pictures[8:])
    for seed in range(3):
        assert rows(cut.neighbours(ask(invented(seed)))) == rows(whole.neighbours(ask(invented(seed))))


def test_a_saved_segment_answers_as_before(index, pictures, tmp_path):
    index.delete([102])
    before = rows(index.neighbours(ask(invented(2))))
    index.seal().save(tmp_path)
    opened = SegmentIndex([Segment.open(tmp_path)])
    assert rows(opened.neighbours(ask(invented(2)))) == before
    assert opened.size_bytes >= 11 * 60 * 28


def test_pictures_can_be_deleted_from_an_opened_segment(index, tmp_path):
    index.seal().save(tmp_path)
    opened = SegmentIndex([Segment.open(tmp_path)])
    opened.delete([104])
    assert 104 not in owners(opened.neighbours(ask(invented(4))))


@pytest.mark.parametrize("name", ["codes.faiss", "geometry.npy", "pictures.npz"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_file_is_refused(index, tmp_path, name, share):
    index.seal().save(tmp_path)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadSegmentError):
        Segment.open(tmp_path)


def test_a_missing_segment_is_refused(tmp_path):
    with pytest.raises(BadSegmentError):
        Segment.open(tmp_path)


def test_an_empty_index_and_an_empty_query_answer_nothing(index):
    nothing = Features(np.zeros((0, 4), np.float32), np.zeros((0, DIMENSIONS), np.uint8), 256, 256)
    assert len(SegmentIndex().neighbours(ask(invented(1))).spot) == 0
    assert len(index.neighbours(ask(nothing)).spot) == 0


def test_a_picture_without_features_is_counted_and_never_found(index):
    nothing = Features(np.zeros((0, 4), np.float32), np.zeros((0, DIMENSIONS), np.uint8), 256, 256)
    index.add([(500, nothing)])
    assert 500 in index.image_ids()
    assert 500 not in owners(index.neighbours(ask(invented(1))))


def test_a_picture_takes_less_than_ten_kilobytes():
    index = SegmentIndex()
    index.add([(1, invented(1, 400)), (2, invented(2, 400))])
    assert index.size_bytes / 2 <= DESCRIPTORS_PER_IMAGE * 28 + 32 <= 10_000


def test_many_pictures_are_searched_in_fewer_leaves():
    visited = [leaves_visited(count) for count in (0, 1_100, 100_000, 100_001, 250_001, 10_000_000)]
    assert visited == [16, 16, 16, 8, 6, 6]


def test_a_picture_finds_itself_in_few_leaves_too(monkeypatch, pictures):
    monkeypatch.setattr("compliance.search.segments.LEAVES_VISITED", ())
    index = SegmentIndex()
    index.add(pictures)
    for image_id, features in pictures:
        pairs = index.neighbours([Ask(features, 0), Ask(mirrored(features), 1)])
        assert np.bincount(pairs.image_ids[pairs.view == 0]).argmax() == image_id


def test_a_mirrored_query_finds_the_mirrored_picture(pictures):
    index = SegmentIndex()
    index.add([(n, mirrored(features)) for n, features in pictures])
    pairs = index.neighbours([Ask(pictures[6][1], 0), Ask(mirrored(pictures[6][1]), 1)])
    found = pairs.image_ids[pairs.view == 1]
    assert np.bincount(found).argmax() == 106
