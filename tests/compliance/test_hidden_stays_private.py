"""Hidden images are for comparing only: no page a stranger can open shows one, and no file handed out carries one."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pytest
from django.test import Client
from django.urls import reverse

from compliance.services.check_receipt import receipt_of
from compliance.services.search import searched_counts
from ledger.models import ImageFile
from ledger.services.blobs import read_blob
from ledger.services.evidence import evidence_zip
from tests import test_matrix
from tests.compliance.check_pairs import HIDDEN, checked
from tests.compliance.listings import ask, found, work
from tests.matrix.world import ROWS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]

SIZES = (320, 1024)


world = test_matrix.world  # the fixture with a person in each role


def secrets_of(image: ImageFile) -> list[bytes]:
    """What would give a hidden image away: its bytes, its digest, its name, the address of its previews."""
    digest = bytes(image.sha256)
    return [HIDDEN[2000:2400], digest, digest.hex().encode(), b"hidden.jpg", f"/pictures/{image.pk}/".encode()]


def test_no_public_page_shows_a_hidden_image(seller, world):
    run = checked(seller)
    secrets = [*secrets_of(run.hidden_image), run.number.encode()]
    public = {name: row for name, row in ROWS.items() if row.public}
    assert len(public) > 10
    for name, row in public.items():
        make = getattr(row, "make", None)
        kwargs = make(world) if make else getattr(row, "kwargs", {})
        answer = Client().get(reverse(name, kwargs=dict(kwargs)), getattr(row, "query", {}))
        content = b"".join(answer) if answer.streaming else answer.content
        assert [secret for secret in secrets if secret in content] == [], name


def test_a_stranger_gets_neither_preview_nor_map_of_a_pair(client_of, seller, mallory):
    run = checked(seller)
    places = [reverse("ledger:picture", args=[run.hidden_image_id, size]) for size in SIZES]
    places += [reverse(f"compliance:check_{name}", args=[run.number]) for name in ("heatmap", "difference", "bundle")]
    for place in places:
        assert client_of().get(place)["Location"].startswith("/accounts/login/")
        assert client_of(mallory).get(place).status_code == 404


def test_the_evidence_of_a_check_names_the_hidden_image_and_does_not_carry_it(seller, alice):
    run = checked(seller)
    content = evidence_zip(actor=alice, certificate=receipt_of(actor=alice, run=run))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    digest = hashlib.sha256(HIDDEN).hexdigest().encode()
    assert digest in files["claim.json"]
    assert not any(HIDDEN[2000:2400] in data for data in files.values())
    assert read_blob(run.hidden_image.blob) == HIDDEN


def test_no_search_looks_through_hidden_images(seller):
    checked(seller)
    work()
    assert searched_counts(seller) == {"originals": 0, "listing_images": 0, "newest_import": ""}
    assert found(ask(seller, HIDDEN)) == []
