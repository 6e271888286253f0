"""A check is outdated once the main image of its SKU is another one: by a check, a pack or a catalogue."""

import pytest
from django.urls import reverse

from compliance.models import Catalogue, CheckBatch, CheckRun
from compliance.services.packs import PackOrder
from ledger.models import Job, Statement
from ledger.services.jobs import run_job
from tests.compliance.batches import begin_batch, finish_batch
from tests.compliance.checks.pictures import with_promotion
from tests.compliance.listings import import_listings
from tests.compliance.pack_orders import OVERLAY, packed, registered
from tests.compliance.test_sku_sets import GOOD, checked_set, collage
from tests.images import jpeg_bytes, product_photo

pytestmark = pytest.mark.usefixtures("log")
PHOTO = product_photo(1, (640, 640))
FIRST = jpeg_bytes(with_promotion(PHOTO, (40, 40, 300, 120)))
SECOND = jpeg_bytes(with_promotion(PHOTO, (40, 400, 300, 480)))
HIDDEN = jpeg_bytes(PHOTO)


def checked_sku(seller, main=FIRST, sku="A1"):
    batch = finish_batch(begin_batch(seller, {f"{sku}_main.jpg": main, f"{sku}_hidden.jpg": HIDDEN}))
    return batch.items.get().run


def fresh(run):
    return CheckRun.objects.select_related("statement").get(pk=run.pk)


def work_outdated():
    for job in Job.objects.filter(kind="checks.outdated", state="queued"):
        run_job(job.pk)


def test_a_newer_check_with_another_main_image_outdates_the_older_one(seller, other_seller):
    old, foreign = checked_sku(seller), checked_sku(other_seller)
    other_sku = checked_sku(seller, sku="B2")
    new = checked_sku(seller, SECOND)
    old = fresh(old)
    assert (old.stale["by"], old.stale["number"]) == ("check", new.number)
    assert old.statement.outdated_at is not None
    assert not any(fresh(run).stale for run in (new, foreign, other_sku))


def test_the_same_main_image_again_outdates_nothing(seller):
    old = checked_sku(seller)
    checked_sku(seller)
    assert not fresh(old).stale
    assert not Statement.objects.exclude(outdated_at=None).exists()


def test_a_pack_with_another_main_image_outdates_the_check(seller):
    old = checked_sku(seller)
    run = packed(seller, PackOrder("A1", registered(seller), OVERLAY, "overlay"))
    assert (fresh(old).stale["by"], fresh(old).stale["number"]) == ("pack", run.number)


def test_a_catalogue_that_comes_again_with_other_pixels_outdates_the_check(seller):
    old = checked_sku(seller)
    saved_anew = jpeg_bytes(with_promotion(PHOTO, (40, 40, 300, 120)), quality=75)
    row = {"product_id": "A1", "image": "a.jpg"}
    import_listings(seller, row, pictures={"a.jpg": saved_anew})
    import_listings(seller, row, pictures={"a.jpg": jpeg_bytes(with_promotion(PHOTO, (40, 40, 300, 120)), quality=70)})
    work_outdated()
    assert not fresh(old).stale
    import_listings(seller, row, pictures={"a.jpg": SECOND})
    work_outdated()
    assert (fresh(old).stale["by"], fresh(old).stale["number"]) == ("catalogue", Catalogue.objects.get().number)


def test_more_pictures_of_a_product_outdate_nothing_while_its_main_image_is_there(seller):
    old = checked_sku(seller)
    row = {"product_id": "A1", "image": "a.jpg"}
    import_listings(seller, row, pictures={"a.jpg": FIRST})
    detail = {"product_id": "A1", "image": "detail.jpg"}
    import_listings(seller, row, detail, pictures={"a.jpg": FIRST, "detail.jpg": jpeg_bytes(product_photo(9))})
    work_outdated()
    assert not fresh(old).stale


def test_another_collage_of_the_same_skus_outdates_the_older_check(seller):
    old = checked_set(seller, GOOD)
    new = checked_set(seller, GOOD, main=collage(2, 1))
    old = CheckBatch.objects.get(pk=old.pk)
    assert (old.stale["number"], CheckBatch.objects.get(pk=new.pk).stale) == (new.number, {})


def test_every_page_says_so_and_leads_to_a_new_check(client_of, alice, seller):
    old, new = checked_sku(seller), checked_sku(seller, SECOND)
    client = client_of(alice)
    page = client.get(reverse("compliance:check", args=[old.number])).content.decode()
    assert "since this check the main image of this SKU became another one" in page
    assert reverse("compliance:check", args=[new.number]) in page
    assert "Check again" in page
    assert "became another one" not in client.get(reverse("compliance:check", args=[new.number])).content.decode()
    assert "Outdated" in client.get(reverse("compliance:checks")).content.decode()
    assert "Outdated" in client.get(reverse("compliance:batch", args=[old.batch_item.batch.number])).content.decode()
    history = client.get(reverse("ledger:history"), {"outcome": "outdated"}).content.decode()
    assert old.number in history
    assert new.number not in history


def test_a_set_says_so_too(client_of, alice, seller):
    old = checked_set(seller, GOOD)
    checked_set(seller, GOOD, main=collage(2, 1))
    assert "Outdated" in client_of(alice).get(reverse("compliance:sku_set", args=[old.number])).content.decode()


def test_the_overview_asks_for_a_new_check_until_there_is_one(client_of, seller, bob):
    """A newer check answers an outdated one; a catalogue's new picture is answered by nobody yet."""
    page = client_of(bob)
    needed = "The main image of A1 changed after its check"
    checked_sku(seller)
    for main in (FIRST, SECOND):
        import_listings(seller, {"product_id": "A1", "image": "1.jpg"}, pictures={"1.jpg": main})
        work_outdated()
    run = CheckRun.objects.get()
    assert (run.stale["by"], run.verdict) == ("catalogue", "PASSED")
    assert needed in page.get("/").content.decode()
    checked_sku(seller, SECOND)
    assert needed not in page.get("/").content.decode()
