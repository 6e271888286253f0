"""Files made from an original are linked to it by entries that say how, and only within one seller."""

from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import transaction

from ledger.models import Derivative
from ledger.services.derivatives import Descent, Link, link_derivatives
from ledger.services.log import lock_head
from ledger.services.originals import Upload, store_pictures
from ledger.tlog.claim_documents import NamedVersion
from ledger.tlog.claims import parse_claim
from tests.factories import register_one
from tests.images import jpeg_bytes, product_photo

pytestmark = pytest.mark.usefixtures("log")
HALF = Descent("similarity", (0.5, 0.0, -0.25, 0.0, 0.5, -0.25, 0.0, 0.0, 1.0), 0.1234, ("scaled",))


def made_from(original, seller=None, name="half.jpg") -> Link:
    (image,) = store_pictures(
        seller=seller or original.seller, uploads=[Upload(name, jpeg_bytes(product_photo(1, (640, 640))))]
    )
    return Link(original, image, "detail", HALF, f"made-{name}")


def link(seller, *links, actor=None):
    with transaction.atomic():
        head = lock_head()
        return link_derivatives(actor=actor, seller=seller, links=links, method=NamedVersion("test", "1"), head=head)


def test_the_entry_says_what_was_made_from_what_and_how(seller, alice, assert_log_valid):
    original = register_one(seller)
    (made,) = link(seller, made_from(original), actor=alice)
    claim: Any = parse_claim("derivative.linked", bytes(made.statement.claim))
    assert claim["original"]["leaf"] == bytes(original.statement.entry.leaf_hash).hex()
    assert claim["original"]["size"] == original.image.size_bytes
    assert claim["derivative"]["sha256"] == bytes(made.image.sha256).hex()
    assert claim["matrix_micro"] == [500_000, 0, -250_000, 0, 500_000, -250_000, 0, 0, 1_000_000]
    assert claim["residual_milli"] == 123
    assert (made.statement.label, made.steps) == ("half.jpg", ["scaled"])
    assert_log_valid()


def test_several_files_are_entries_in_their_order(seller):
    original = register_one(seller)
    made = link(seller, made_from(original, name="a.jpg"), made_from(original, name="b.jpg"))
    assert [row.statement.label for row in made] == ["a.jpg", "b.jpg"]
    assert made[1].statement.entry_id == made[0].statement.entry_id + 1


def test_nothing_of_another_seller_is_linked(seller, other_seller):
    foreign = register_one(other_seller)
    with pytest.raises(ValueError, match="different sellers"):
        link(seller, made_from(foreign, seller=seller))
    assert not Derivative.objects.exists()


def test_a_viewer_links_nothing(seller, bob):
    with pytest.raises(PermissionDenied):
        link(seller, made_from(register_one(seller)), actor=bob)
