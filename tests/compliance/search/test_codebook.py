"""The shipped codebook and how it is trained."""

import numpy as np
import pytest

from compliance.search.codebook import (
    CLASSES,
    GROUP,
    LEAVES,
    MEMBERS,
    coarse_search,
    expand,
    format_codebook,
    nearest_leaves,
    parse_codebook,
    shipped_codebook,
    train_classes,
    train_leaves,
    transformed_leaf,
)
from compliance.search.errors import BadCodebookError


def test_the_file_round_trips_at_half_precision():
    rng = np.random.default_rng(1)
    classes = rng.uniform(0, 200, (CLASSES, 128)).astype(np.float16).astype(np.float32)
    pieces = rng.uniform(0, 200, (16, 256, 8)).astype(np.float16).astype(np.float32)
    leaves = rng.integers(0, 256, (CLASSES, LEAVES, 128), dtype=np.uint8)
    parsed = parse_codebook(format_codebook(classes, pieces, leaves, {"seed": 1}))
    assert np.array_equal(parsed.centroids[::MEMBERS], classes)
    assert np.array_equal(parsed.pieces, pieces)
    assert np.array_equal(parsed.leaves, leaves)


def test_a_broken_file_is_refused():
    with pytest.raises(BadCodebookError):
        parse_codebook(b"PK\x03\x04 no archive")


def test_a_file_of_other_shapes_is_refused():
    classes, pieces = np.zeros((CLASSES, 128), np.float32), np.zeros((16, 256, 8), np.float32)
    leaves = np.zeros((CLASSES, LEAVES, 128), np.uint8)
    narrow = np.zeros((8, 256, 16), np.float32)
    for wrong in ((classes, narrow, leaves), (classes, pieces, leaves[:, 1:]), (classes[:5], pieces, leaves)):
        with pytest.raises(BadCodebookError):
            parse_codebook(format_codebook(wrong[0], wrong[1], wrong[2], {}))


def test_lists_of_every_member_are_looked_up_right():
    centroids = shipped_codebook().centroids
    chosen = np.arange(0, len(centroids), 37)
    for member, order in enumerate(GROUP):
        transformed = centroids[chosen][:, order]
        assert np.array_equal(centroids[transformed_leaf(chosen * LEAVES, member) // LEAVES], transformed)


def test_the_leaf_of_a_transformed_descriptor_is_looked_up_too():
    rng = np.random.default_rng(8)
    book = shipped_codebook()
    lists = rng.integers(0, len(book.centroids), (300, 1))
    vectors = np.clip(book.centroids[lists[:, 0]] + rng.normal(0, 25, (300, 128)), 0, 255).astype(np.float32)
    leaves = nearest_leaves(book, vectors, lists, 3)
    assert len(np.unique(leaves % LEAVES)) == LEAVES
    for member, order in enumerate(GROUP):
        searched = nearest_leaves(book, vectors[:, order], lists ^ member, 3)
        assert np.array_equal(searched, transformed_leaf(leaves, member))


def test_the_nearest_leaves_are_the_nearest():
    book = shipped_codebook()
    vectors = np.random.default_rng(9).uniform(0, 200, (20, 128)).astype(np.float32)
    lists = np.array([[4 * n, 8 * n + 4] for n in range(20)])
    for vector, two, chosen in zip(vectors, lists, nearest_leaves(book, vectors, lists, 5), strict=True):
        squared = {
            number * LEAVES + leaf: float(((vector - book.leaves[number // MEMBERS, leaf]) ** 2).sum())
            for number in two.tolist()
            for leaf in range(LEAVES)
        }
        assert sorted(squared, key=lambda leaf: squared[leaf])[:5] == chosen.tolist()


def test_leaves_stand_where_the_vectors_of_their_class_are():
    rng = np.random.default_rng(4)
    classes = rng.uniform(0, 255, (CLASSES, 128)).astype(np.float32)
    spread = [-60, -20, 20, 60]
    shifts = np.array([[a, b] for a in spread for b in spread], np.float32)
    own = np.repeat(classes[:1], 160, axis=0)
    own[:, :2] = 128 + np.repeat(shifts, 10, axis=0)
    leaves = train_leaves(own, np.vstack([own.mean(axis=0, keepdims=True), classes[1:]]), 1)
    reached = {tuple(leaf[:2]) for leaf in leaves[0].tolist()}
    assert len(reached & {(int(128 + a), int(128 + b)) for a, b in shifts}) >= 12
    assert np.array_equal(leaves[5], np.repeat(np.rint(classes[5:6]).astype(np.uint8), LEAVES, axis=0))
    assert expand(classes).shape == (CLASSES * MEMBERS, 128)


def test_the_quick_search_finds_nearly_all_that_a_full_one_does():
    rng = np.random.default_rng(5)
    book = shipped_codebook()
    vectors = np.clip(book.centroids[::20] + rng.normal(0, 12, (205, 128)), 0, 255).astype(np.float32)
    full = np.argsort(((vectors[:, None] - book.centroids[None]) ** 2).sum(axis=2), axis=1)[:, :4]
    quick = coarse_search(book).search(vectors, 4)[1]
    shared = [len(set(a) & set(b)) for a, b in zip(full.tolist(), quick.tolist(), strict=True)]
    assert np.mean(shared) > 3.6


def test_training_twice_gives_the_same_classes():
    vectors = np.random.default_rng(2).uniform(0, 200, (CLASSES * 2, 128)).astype(np.float32)
    assert np.array_equal(train_classes(vectors, 3), train_classes(vectors, 3))
