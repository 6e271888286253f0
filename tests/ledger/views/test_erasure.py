"""The pages about erasing: what will go, what is left, what strangers see."""

from __future__ import annotations

from io import BytesIO

import pytest
from django.urls import reverse

from ledger.models import Original
from ledger.services.erasure import clean_up, erase_original
from ledger.services.holds import place_hold
from ledger.services.log import seal
from ledger.tlog.report import Verdict
from ledger.tlog.verify import verify_bundle
from tests.factories import register_one

pytestmark = pytest.mark.django_db
SURE = {"reason": "request", "sure": "on"}


@pytest.fixture
def original(log, seller, alice) -> Original:
    return register_one(seller, actor=alice, analyse=True)


def at(name: str, original: Original) -> str:
    return reverse(f"ledger:{name}", args=[original.number])


def text(response) -> str:
    return response.content.decode()


def test_the_page_says_what_goes_and_what_was_handed_out(client_of, original, alice):
    client = client_of(alice)
    client.get(at("original_certificate", original))
    client.get(at("original_file", original))
    page = text(client.get(at("erase", original)))
    assert "picture files, with their previews" in page
    assert "Certificate PDF" in page
    assert "The file itself" in page


def test_it_has_to_be_meant(client_of, original, alice):
    assert client_of(alice).post(at("erase", original), {"reason": "request"}).status_code == 400
    assert Original.objects.filter(pk=original.pk).exists()


def test_a_held_original_is_not_erased_and_the_page_says_why(client_of, original, alice):
    place_hold(actor=None, original=original, reason="case 7 is open")
    response = client_of(alice).post(at("erase", original), SURE)
    assert response.status_code == 409
    assert "case 7 is open" in text(response)
    assert "erasure_on_hold" in text(response)


def test_afterwards_the_page_says_so_and_the_entry_can_still_be_taken_away(client_of, original, alice, bob):
    name = original.image.file_name
    client = client_of(alice)
    page = text(client.post(at("erase", original), SURE, follow=True))
    assert "entry still provable" in page
    assert name not in page
    assert "entry still provable" in text(client_of(bob).get(at("original", original)))
    seal()
    bundle = client.get(at("original_bundle", original)).content
    assert verify_bundle(bundle, None).verdict is Verdict.INDETERMINATE
    assert client.get(at("original_file", original)).status_code == 404
    assert client.get(at("original_certificate", original)).status_code == 410
    assert original.number not in text(client.get("/originals/"))
    assert client.get(at("erase", original)).status_code == 302


def test_strangers_see_that_it_was_erased_and_that_the_entry_holds(client_of, original, alice):
    erase_original(actor=alice, original=original, reason="request")
    seal()
    page = text(client_of().get(reverse("ledger:certificate_public", args=[original.number])))
    assert "Erased on" in page
    assert original.image.file_name not in page


def test_a_certificate_handed_out_before_still_passes_with_a_remark(client_of, original, alice):
    client = client_of(alice)
    pdf = client.get(at("original_certificate", original)).content
    erase_original(actor=alice, original=original, reason="request")
    with_pdf = {"evidence": BytesIO(pdf)}
    page = text(client_of().post(reverse("ledger:verify"), with_pdf))
    assert "Signed by this site" in page
    assert "erased it here on" in page


def test_the_list_says_what_was_lost(client_of, original, alice):
    client = client_of(alice)
    assert "om-empty" in text(client.get(reverse("ledger:erasures")))
    erasure = erase_original(actor=alice, original=original, reason="legal")
    clean_up(erasure.pk)
    page = text(client.get(reverse("ledger:erasures")))
    assert "the law demands it" in page
    assert "picture files" in page


def test_a_hold_is_placed_and_released_on_the_originals_page(client_of, original, ivan):
    client = client_of(ivan)
    page = text(client.post(at("hold", original), {"reason": "case 7"}, follow=True))
    assert "case 7" in page
    (hold,) = original.holds.all()
    url = reverse("ledger:release_hold", args=[original.number, hold.pk])
    assert "case 7" not in text(client.post(url, follow=True))
