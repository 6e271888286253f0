"""The search gallery: what is in it, and that every process sees a change at its next search."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.db import connection, connections, transaction

from compliance.models import Gallery, GalleryItem
from compliance.search.index import Filter, Probe, country_number
from compliance.services import gallery
from compliance.services.gallery import (
    CATEGORY_NUMBERS,
    GallerySource,
    indexes,
    refresh_gallery,
    remove_from_gallery,
    sweep_gallery,
    update_gallery,
)
from ledger.accounts.models import Seller
from ledger.models import ImageFile, ImageState, Job
from ledger.services.pictures import analyse_pictures
from tests.compliance.listings import import_listings, photo, work
from tests.factories import make_seller, register, register_one

ROOT = Path(__file__).resolve().parents[2]
SEEN_WITHIN_S = 1.0
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]


def add_originals(seller: Seller, *seeds: int) -> list[ImageFile]:
    """Registered and analysed, not in the gallery yet."""
    answers = register(seller, *map(photo, seeds))
    ids = [answer.original.image_id for answer in answers if answer.original]
    analyse_pictures(image_ids=ids)
    Job.objects.all().delete()
    return list(ImageFile.objects.filter(pk__in=ids).order_by("pk"))


def ids(images) -> list[int]:
    return [image.pk for image in images]


def generation(seller: Seller) -> int:
    return Gallery.objects.get(seller=seller).generation


def test_only_analysed_pictures_enter(seller):
    register_one(seller)
    assert update_gallery(seller=seller, image_ids=ImageFile.objects.values_list("pk", flat=True)) == 0


def test_an_update_counts_one_change_and_adds_nothing_twice(seller):
    images = add_originals(seller, 1, 2)
    assert update_gallery(seller=seller, image_ids=ids(images)) == 2
    assert update_gallery(seller=seller, image_ids=ids(images)) == 0
    assert (generation(seller), GalleryItem.objects.count()) == (1, 2)


def test_pictures_of_another_seller_are_left_alone(seller, other_seller):
    images = add_originals(other_seller, 1)
    assert update_gallery(seller=seller, image_ids=ids(images)) == 0
    assert not GalleryItem.objects.exists()


def test_queries_and_pairs_never_enter(seller):
    images = add_originals(seller, 1)
    images[0].original.delete()
    assert update_gallery(seller=seller, image_ids=ids(images)) == 0


def test_a_removed_picture_leaves_the_index_and_no_sweep_brings_it_back(seller):
    images = add_originals(seller, 1, 2)
    update_gallery(seller=seller, image_ids=ids(images))
    assert len(indexes.get(seller.pk)) == 2
    assert remove_from_gallery(seller=seller, image_ids=[images[0].pk]) == 1
    assert remove_from_gallery(seller=seller, image_ids=[images[0].pk]) == 0
    assert (len(indexes.get(seller.pk)), sweep_gallery(), len(indexes.get(seller.pk))) == (1, 0, 1)


def test_the_sweep_finds_what_no_news_arrived_of(seller, other_seller):
    add_originals(seller, 1, 2)
    add_originals(other_seller, 3)
    assert (sweep_gallery(), sweep_gallery()) == (3, 0)
    assert GalleryItem.objects.of(other_seller).count() == 1


def test_a_refresh_makes_the_index_read_the_row_again(seller):
    (image,) = add_originals(seller, 1)
    update_gallery(seller=seller, image_ids=[image.pk])
    wanted = Filter(category=CATEGORY_NUMBERS["shoes"])
    probe = Probe(sha256=bytes(image.sha256))
    assert indexes.get(seller.pk).query(probe, wanted) == []
    type(image.original).objects.filter(pk=image.original.pk).update(category="shoes")
    assert refresh_gallery(seller=seller, image_ids=[image.pk]) == 1
    assert len(indexes.get(seller.pk).query(probe, wanted)) == 1


def test_the_index_equals_the_rows(seller):
    row = {
        "product_id": "P",
        "image": "1.jpg",
        "shop_country": "CN",
        "category": "shoes",
        "listed_at": "2026-05-01",
    }
    import_listings(seller, row, pictures={"1.jpg": photo(1)})
    work()
    index = indexes.get(seller.pk)
    assert index.verify().is_clean
    (item,) = [change.item for change in GallerySource(seller.pk).load_since(0)]
    assert item is not None
    assert (item.country, item.category, item.is_original) == (
        country_number("CN"),
        CATEGORY_NUMBERS["shoes"],
        False,
    )
    assert item.listed_at == 1_777_593_600


def test_loading_costs_two_queries_per_portion_not_per_row(seller, django_assert_num_queries, monkeypatch):
    images = add_originals(seller, 1, 2, 3)
    update_gallery(seller=seller, image_ids=ids(images))
    with django_assert_num_queries(3):  # rows, their fingerprints, and a look that there are no more
        assert len(list(GallerySource(seller.pk).load_since(0))) == 3
    monkeypatch.setattr(gallery, "LOAD_ROWS", 2)
    with django_assert_num_queries(5):
        assert len(list(GallerySource(seller.pk).load_since(0))) == 3


def test_an_index_that_is_up_to_date_costs_one_query(seller, django_assert_num_queries):
    update_gallery(seller=seller, image_ids=ids(add_originals(seller, 1)))
    indexes.get(seller.pk)
    with django_assert_num_queries(1):
        indexes.get(seller.pk)


# Other processes ------------------------------------------------------------------------------------------------------


class Reader:
    """A process with an index of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, sha256: bytes) -> dict:
        assert self.process.stdin and self.process.stdout  # noqa: PT018
        self.process.stdin.write(sha256.hex() + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextmanager
def reader_of(seller: Seller, data_dir: Path) -> Iterator[Reader]:
    names = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")
    settings = json.dumps({name: str(connection.settings_dict[name]) for name in names})
    command = [sys.executable, "-m", "tests.compliance.gallery_reader", settings, str(seller.pk)]
    environment = os.environ | {"ORIGINMARK_DATA": str(data_dir), "ORIGINMARK_KEYS": str(data_dir)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Reader(process)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.django_db(transaction=True)
def test_another_process_sees_adds_and_removals_within_a_second(log, seller, tmp_path):
    first, second = add_originals(seller, 1, 2)
    update_gallery(seller=seller, image_ids=[first.pk])
    with reader_of(seller, tmp_path / "reader") as reader:
        assert reader.ask(bytes(first.sha256))["rows"] == 1  # the process has started and loaded
        update_gallery(seller=seller, image_ids=[second.pk])
        committed = time.monotonic()
        added = reader.ask(bytes(second.sha256))
        assert (added["rows"], len(added["exact"])) == (2, 1)
        assert time.monotonic() - committed < SEEN_WITHIN_S
        remove_from_gallery(seller=seller, image_ids=[first.pk])
        removed = reader.ask(bytes(first.sha256))
        assert (removed["rows"], removed["exact"]) == (1, [])


@pytest.mark.django_db(transaction=True)
def test_changes_of_one_seller_wait_for_each_other_and_are_numbered_in_order(log, seller):
    """A late commit with a low number would never be loaded by a process that has seen a higher one."""
    images = add_originals(seller, *range(4))
    started, seen = threading.Barrier(len(images)), []

    def add(image_id: int) -> None:
        with closing(connections["default"]):
            started.wait()
            update_gallery(seller=seller, image_ids=[image_id])
            seen.append(len(indexes.get(seller.pk)))

    threads = [threading.Thread(target=add, args=(image.pk,)) for image in images]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(GalleryItem.objects.values_list("generation", flat=True)) == [1, 2, 3, 4]
    assert (max(seen), len(indexes.get(seller.pk)), generation(seller)) == (4, 4, 4)


@pytest.mark.django_db(transaction=True)
def test_two_jobs_with_the_same_pictures_add_them_once(log, seller):
    images = add_originals(seller, 1)
    started, added = threading.Barrier(2), []

    def add() -> None:
        with closing(connections["default"]):
            started.wait()
            added.append(update_gallery(seller=seller, image_ids=ids(images)))

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sorted(added), GalleryItem.objects.count()) == ([0, 1], 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time anyway")
def test_one_sellers_change_does_not_wait_for_another_sellers(log, seller):
    other = make_seller("third")
    mine, theirs = add_originals(seller, 1), add_originals(other, 2)
    with transaction.atomic():
        update_gallery(seller=seller, image_ids=ids(mine))
        done = []

        def add() -> None:
            with closing(connections["default"]):
                done.append(update_gallery(seller=other, image_ids=ids(theirs)))

        thread = threading.Thread(target=add)
        thread.start()
        thread.join(timeout=10)
        assert done == [1]


def test_an_analysed_state_is_what_lets_a_picture_in(log, seller):
    (image,) = add_originals(seller, 1)
    ImageFile.objects.filter(pk=image.pk).update(state=ImageState.UNDECODABLE)
    assert update_gallery(seller=seller, image_ids=[image.pk]) == 0
