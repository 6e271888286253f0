"""Where pictures come from: declared at registration, changed later, and every word of it kept."""

from __future__ import annotations

import io

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from ledger.models import Original, SourceDeclaration
from ledger.services.sources import declare_source
from tests.factories import register_one
from tests.images import jpeg_bytes, product_photo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]


def photo_file(seed: int) -> io.BytesIO:
    file = io.BytesIO(jpeg_bytes(product_photo(seed)))
    file.name = f"{seed}.jpg"
    return file


def test_the_registration_form_declares_it_and_says_nothing_by_itself(client_of, alice, seller):
    client = client_of(alice)
    client.post(reverse("ledger:register"), {"files": photo_file(1), "source": "supplier"})
    client.post(reverse("ledger:register"), {"files": photo_file(2)})
    assert list(Original.objects.order_by("pk").values_list("source", flat=True)) == ["supplier", ""]
    assert list(SourceDeclaration.objects.values_list("source", "actor__email")) == [("supplier", "alice@example.org")]


def test_registering_again_overwrites_no_declaration(client_of, alice, seller):
    client = client_of(alice)
    for source in ("ai", "self"):
        client.post(reverse("ledger:register"), {"files": photo_file(1), "source": source})
    assert Original.objects.get().source == "ai"


def test_a_change_keeps_what_was_said_before(client_of, alice, seller):
    original = register_one(seller)
    client, page = client_of(alice), reverse("ledger:original", args=[original.number])
    for source in ("self", "self", "ai", ""):
        client.post(page, {"title": "x", "category": "", "source": source})
    assert list(SourceDeclaration.objects.values_list("source", flat=True)) == ["self", "ai", ""]
    assert b"made by an AI" in client.get(page).content


def test_a_viewer_or_a_stranger_declares_nothing(seller, other_seller, bob, mallory):
    original = register_one(seller)
    with pytest.raises(PermissionDenied):
        declare_source(actor=bob, seller=seller, originals=[original], source="self")
    assert declare_source(actor=mallory, seller=other_seller, originals=[original], source="self") == 0
    with pytest.raises(ValueError, match="no such source"):
        declare_source(actor=None, seller=seller, originals=[original], source="theirs")
