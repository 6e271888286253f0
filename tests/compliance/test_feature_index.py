"""The features of a seller's gallery: followed by every process, sealed to disk, never wrong."""

from __future__ import annotations

import os
import shutil
import signal

import pytest
from django.db import connections

from compliance.indexes.feature_follow import SellerFeatures
from compliance.models import GalleryItem, IndexSegment
from compliance.search.segments import Segment
from compliance.services import feature_index
from compliance.services.feature_index import (
    GalleryFeatures,
    index_folder,
    reference_reader,
    seal_segments,
    sweep_segments,
)
from compliance.services.gallery import refresh_gallery, remove_from_gallery, update_gallery
from ledger.models import Job
from tests.factories import register_one


@pytest.fixture(autouse=True)
def _seal_soon(monkeypatch):
    monkeypatch.setattr(feature_index, "SEAL_FROM", 2)


def add(seller, *seeds: int) -> list[int]:
    """Registered, analysed and in the gallery; the items' numbers."""
    images = [register_one(seller, seed=seed, analyse=True).image_id for seed in seeds]
    for image in images:
        update_gallery(seller=seller, image_ids=[image])
    return list(GalleryItem.objects.filter(image__in=images).order_by("pk").values_list("pk", flat=True))


def fresh() -> SellerFeatures:
    """What another process would start with."""
    return SellerFeatures(GalleryFeatures)


def ids(features: SellerFeatures, seller) -> list[int]:
    return features.get(seller.pk).image_ids().tolist()


@pytest.mark.usefixtures("log")
def test_an_added_picture_is_there_at_the_next_search_and_a_removed_one_gone(seller):
    here = fresh()
    assert ids(here, seller) == []
    first, second = add(seller, 1, 2)
    assert ids(here, seller) == [first, second]
    remove_from_gallery(seller=seller, image_ids=[GalleryItem.objects.get(pk=first).image_id])
    assert ids(here, seller) == [second]


@pytest.mark.usefixtures("log")
def test_another_sellers_pictures_are_in_another_index(seller, other_seller):
    (mine,), (theirs,) = add(seller, 1), add(other_seller, 1)
    here = fresh()
    assert (ids(here, seller), ids(here, other_seller)) == ([mine], [theirs])
    assert reference_reader(seller)(theirs) is None
    assert reference_reader(seller)(mine) is not None


@pytest.mark.usefixtures("log")
def test_a_sealed_index_is_opened_without_reading_a_blob(seller, monkeypatch):
    added = add(seller, 1, 2, 3)
    assert seal_segments(seller=seller) == 3
    monkeypatch.setattr(feature_index, "reference_of", pytest.fail)
    assert ids(fresh(), seller) == added


@pytest.mark.usefixtures("log")
def test_sealing_again_adds_nothing_and_only_the_new_ones_later(seller):
    first = add(seller, 1, 2)
    assert (seal_segments(seller=seller), seal_segments(seller=seller)) == (2, 0)
    later = add(seller, 3)
    assert seal_segments(seller=seller) == 1
    assert ids(fresh(), seller) == [*first, *later]


@pytest.mark.usefixtures("log")
def test_small_segments_are_joined(seller):
    added = []
    for seed in range(4):
        added += add(seller, seed)
        seal_segments(seller=seller)
    assert [row.pictures for row in IndexSegment.objects.all()] == [4]
    assert ids(fresh(), seller) == added


@pytest.mark.usefixtures("log")
def test_what_was_removed_after_sealing_stays_removed_in_every_process(seller):
    first, second = add(seller, 1, 2)
    seal_segments(seller=seller)
    remove_from_gallery(seller=seller, image_ids=[GalleryItem.objects.get(pk=first).image_id])
    third = add(seller, 3)
    seal_segments(seller=seller)
    assert ids(fresh(), seller) == [second, *third]


@pytest.mark.usefixtures("log")
def test_a_changed_category_does_not_put_a_picture_in_twice(seller):
    added = add(seller, 1, 2)
    seal_segments(seller=seller)
    here = fresh()
    assert ids(here, seller) == added
    refresh_gallery(seller=seller, image_ids=GalleryItem.objects.values_list("image_id", flat=True))
    assert (seal_segments(seller=seller), ids(here, seller), ids(fresh(), seller)) == (0, added, added)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize("name", ["codes.faiss", "geometry.npy", "pictures.npz"])
@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_a_damaged_segment_is_read_from_the_blobs_instead(seller, name, damage):
    added = add(seller, 1, 2)
    seal_segments(seller=seller)
    path = index_folder(seller.pk) / IndexSegment.objects.get().folder / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:100] if damage == "cut" else b"something else")
    assert ids(fresh(), seller) == added


@pytest.mark.usefixtures("log")
def test_a_lost_folder_changes_no_answer(seller):
    added = add(seller, 1, 2)
    seal_segments(seller=seller)
    shutil.rmtree(index_folder(seller.pk))
    assert ids(fresh(), seller) == added


@pytest.mark.usefixtures("log")
def test_sealing_is_asked_for_once_enough_pictures_wait(seller):
    add(seller, 1)
    assert sweep_segments() == 0
    add(seller, 2)
    assert (sweep_segments(), Job.objects.filter(kind="gallery.seal").count()) == (1, 1)
    seal_segments(seller=seller)
    assert sweep_segments() == 0


DEATHS = {
    "before the files": (Segment, "save"),
    "before they are durable": (feature_index, "sync_directory"),
    "before the row": (type(IndexSegment.objects), "create"),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("death", DEATHS)
def test_a_process_killed_while_sealing_leaves_the_answer_as_it_was(log, seller, death):
    added = add(seller, 1, 2)
    connections.close_all()
    child = os.fork()
    if child == 0:
        setattr(*DEATHS[death], lambda *_a, **_k: os.kill(os.getpid(), signal.SIGKILL))
        seal_segments(seller=seller)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert (IndexSegment.objects.count(), ids(fresh(), seller)) == (0, added)
    assert (seal_segments(seller=seller), ids(fresh(), seller)) == (2, added)
