"""The whole search over drawn pictures: every kind of copy is found and named, strangers are not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from compliance.search.benchmark import Copies, query_of
from compliance.search.compare import look_again, make_query
from compliance.search.copy_score import COPIES, Verdict
from compliance.search.finder import Candidate, called_from, find_copies
from compliance.search.index import EVERYTHING, Filter, Item, Scope
from ledger.imaging.geometry import apply, locate
from tests.images import (
    brightened,
    captioned,
    cropped,
    encoded,
    jpeg_bytes,
    mirrored,
    product_photo,
    recompressed,
    rescaled,
    rotated,
)

SEEDS = tuple(range(40, 52))
SIZE = (420, 520)


def photo(seed: int) -> Image.Image:
    return product_photo(seed, SIZE)


@pytest.fixture(scope="module")
def system():
    system = Copies()
    for seed in SEEDS:
        system.add(str(seed), jpeg_bytes(photo(seed), quality=92))
    system.finish()
    return system


def ask(system: Copies, data: bytes, **options) -> list[Candidate]:
    return find_copies(system._gallery, query_of(data), **options)


def collage(seed: int) -> Image.Image:
    sheet = Image.new("RGB", (860, 1060), (255, 255, 255))
    for place, other in enumerate((90, seed, 91, 92)):
        sheet.paste(photo(other), (10 + place % 2 * 430, 10 + place // 2 * 530))
    return sheet


def test_the_same_file_is_identical(system):
    best = ask(system, jpeg_bytes(photo(43), quality=92))[0]
    assert (best.image_id, best.score, best.verdict) == (3, 100.0, Verdict.IDENTICAL_FILE)


def test_the_same_pixels_are_the_same_picture(system):
    decoded = Image.open(io.BytesIO(jpeg_bytes(photo(43), quality=92)))
    best = ask(system, encoded(decoded, "PNG"))[0]
    assert (best.image_id, best.score, best.verdict) == (3, 99.9, Verdict.SAME_PICTURE)


@pytest.mark.parametrize(
    ("edit", "verdict"),
    [
        (lambda image: recompressed(image, 40), Verdict.SAME_PICTURE),
        (lambda image: rescaled(image, 0.5), Verdict.SAME_PICTURE),
        (lambda image: brightened(image, 0.75), Verdict.EDITED_COPY),
        (mirrored, Verdict.EDITED_COPY),
        (lambda image: image.transpose(Image.Transpose.ROTATE_90), Verdict.EDITED_COPY),
        (lambda image: rotated(image, 9), Verdict.EDITED_COPY),
        (lambda image: cropped(image, 0.15), Verdict.EDITED_COPY),
        (captioned, Verdict.EDITED_COPY),
        (ImageOps.invert, Verdict.EDITED_COPY),
        (lambda image: rotated(mirrored(cropped(image, 0.1)), 6), Verdict.EDITED_COPY),
    ],
    ids=[
        "saved again",
        "smaller",
        "darker",
        "mirrored",
        "turned",
        "tilted",
        "cropped",
        "text",
        "inverted",
        "three at once",
    ],
)
def test_an_edited_copy_is_found_and_named(system, edit, verdict):
    for seed in (41, 46):
        best = ask(system, jpeg_bytes(edit(photo(seed)), quality=85))[0]
        assert best.image_id == seed - SEEDS[0]
        assert best.score >= 85
        assert best.verdict is verdict


def test_where_copies_are_called_so_later_an_uncertain_one_is_not(system):
    found = ask(system, jpeg_bytes(rotated(photo(45), 8)))[0]
    assert found.edits is not None
    assert called_from(found, found.score) is found
    later = called_from(found, found.score + 0.1)
    assert (later.score, later.verdict, later.edits) == (found.score, Verdict.SAME_SCENE, None)
    assert called_from(Candidate(7, 100.0, Verdict.IDENTICAL_FILE), 100.0).verdict is Verdict.IDENTICAL_FILE
    unlike = Candidate(7, 40.0, Verdict.NO_MATCH)
    assert called_from(unlike, 99.0) is unlike


def test_a_picture_in_a_collage_is_contained(system):
    best = ask(system, jpeg_bytes(collage(45)))[0]
    assert (best.image_id, best.verdict) == (5, Verdict.CONTAINED)


def test_other_pictures_of_the_same_kind_are_no_copies(system):
    for seed in range(200, 206):
        answer = ask(system, jpeg_bytes(photo(seed)))
        assert not any(candidate.verdict in COPIES for candidate in answer)


def test_a_blank_picture_finds_nothing(system):
    assert ask(system, jpeg_bytes(Image.new("RGB", SIZE, (250, 250, 250)))) == []


def test_two_searches_give_the_same_answer(system):
    data = jpeg_bytes(rotated(photo(44), 8))
    first, second = ask(system, data), ask(system, data)
    assert [(c.image_id, c.score, c.verdict, c.edits) for c in first] == [
        (c.image_id, c.score, c.verdict, c.edits) for c in second
    ]
    assert first[0].comparison.measures.tobytes() == second[0].comparison.measures.tobytes()


def test_only_allowed_pictures_are_found(system):
    data = jpeg_bytes(rotated(photo(44), 8))
    answer = ask(system, data, where=Filter(Scope.REGISTERED), allowed=np.array([1, 2]))
    assert 4 not in {candidate.image_id for candidate in answer}


def test_answers_come_best_first_and_no_more_than_asked_for(system):
    answer = ask(system, jpeg_bytes(collage(47)), where=EVERYTHING, limit=2)
    assert len(answer) <= 2
    assert [c.score for c in answer] == sorted((c.score for c in answer), reverse=True)


def test_a_settled_hint_needs_no_features(system):
    query = query_of(jpeg_bytes(recompressed(photo(48), 70)))

    def refuse():
        raise AssertionError("features were made")

    unready = type(query)(query.probe, query.grey, query.tint, refuse)
    assert find_copies(system._gallery, unready)[0].image_id == 8


def test_the_system_of_the_benchmark_answers_with_names(system):
    assert system.query(jpeg_bytes(photo(50), quality=92), 5)[0] == ("50", 100.0)
    assert isinstance(system._items[0], Item)


def test_a_small_picture_in_a_large_one_is_looked_at_again(system):
    page = product_photo(95, (1000, 1200))
    page.paste(photo(49).resize((160, 198)), (600, 700))
    query = make_query(np.asarray(page))
    reference = system._gallery.reference(9)
    first = locate(query.views["upright"], reference.features)
    again = look_again(query.grey, reference.features, first)
    assert again.inliers > first.inliers
    corner = apply(again.matrix, np.array([(0.0, 0.0)]))[0] * 1200 / 640
    assert np.abs(corner - [600, 700]).max() < 4
