"""The shipped codebook and how it is trained."""

import numpy as np
import pytest

from compliance.search.codebook import (
    CLASSES,
    GROUP,
    MEMBERS,
    coarse_search,
    format_codebook,
    parse_codebook,
    shipped_codebook,
    train_classes,
    transformed_list,
)
from compliance.search.errors import BadCodebookError


def test_the_file_round_trips_at_half_precision():
    rng = np.random.default_rng(1)
    classes = rng.uniform(0, 200, (CLASSES, 128)).astype(np.float16).astype(np.float32)
    pieces = rng.uniform(0, 200, (16, 256, 8)).astype(np.float16).astype(np.float32)
    parsed = parse_codebook(format_codebook(classes, pieces, {"seed": 1}))
    assert np.array_equal(parsed.centroids[::MEMBERS], classes)
    assert np.array_equal(parsed.pieces, pieces)


def test_a_broken_file_is_refused():
    with pytest.raises(BadCodebookError):
        parse_codebook(b"PK\x03\x04 no archive")


def test_a_file_of_other_shapes_is_refused():
    data = format_codebook(np.zeros((CLASSES, 128), np.float32), np.zeros((8, 256, 16), np.float32), {})
    with pytest.raises(BadCodebookError):
        parse_codebook(data)


def test_lists_of_every_member_are_looked_up_right():
    centroids = shipped_codebook().centroids
    chosen = np.arange(0, len(centroids), 37)
    for member, order in enumerate(GROUP):
        transformed = centroids[chosen][:, order]
        assert np.array_equal(centroids[transformed_list(chosen, member)], transformed)


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
