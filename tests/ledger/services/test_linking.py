"""Linking derived files by hand: measured, entered once, refused where nothing shows the descent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse
from PIL import Image

from ledger.imaging.errors import ImagingError
from ledger.models import Blob, Derivative
from ledger.services.blobs import read_blob
from ledger.services.linking import SameFileError, UnrelatedError, derivative_zip, link_upload
from ledger.services.log import own_policy, seal
from ledger.services.originals import Upload
from ledger.tlog.claims import parse_claim
from ledger.tlog.report import Verdict
from ledger.tlog.verify import verify_bundle
from tests.factories import register_one
from tests.images import jpeg_bytes, product_photo

pytestmark = pytest.mark.django_db
SMALL = jpeg_bytes(product_photo(1).resize((400, 500), Image.Resampling.LANCZOS))


@pytest.fixture
def original(log, seller, alice):
    return register_one(seller, actor=alice, analyse=True)


def test_the_entry_names_both_files_and_the_relation(original, olga, assert_log_valid):
    made = link_upload(actor=olga, original=original, upload=Upload("small.jpg", SMALL))
    claim: Any = parse_claim("derivative.linked", bytes(made.statement.claim))
    assert claim["original"]["leaf"] == bytes(original.statement.entry.leaf_hash).hex()
    assert (claim["geometry"], claim["method"]["name"]) == ("similarity", "originmark.geometry")
    assert abs(claim["matrix_micro"][0] - 500_000) < 5_000
    assert claim["residual_milli"] < 2_000
    assert read_blob(made.image.blob) == SMALL
    assert made.image.has_thumbnails
    assert_log_valid()


def test_the_same_file_again_is_the_same_link(original, alice):
    first = link_upload(actor=alice, original=original, upload=Upload("small.jpg", SMALL))
    assert link_upload(actor=alice, original=original, upload=Upload("other.jpg", SMALL)).pk == first.pk


def test_another_picture_the_original_itself_and_no_picture_are_refused(original, alice):
    blobs = Blob.objects.count()
    with pytest.raises(UnrelatedError):
        link_upload(actor=alice, original=original, upload=Upload("x.jpg", jpeg_bytes(product_photo(2))))
    with pytest.raises(SameFileError):
        link_upload(actor=alice, original=original, upload=Upload("x.jpg", read_blob(original.image.blob)))
    with pytest.raises(ImagingError):
        link_upload(actor=alice, original=original, upload=Upload("x.jpg", b"no picture"))
    assert (Derivative.objects.count(), Blob.objects.count()) == (0, blobs)


def test_a_viewer_links_nothing(original, bob):
    with pytest.raises(PermissionDenied):
        link_upload(actor=bob, original=original, upload=Upload("small.jpg", SMALL))


def test_the_proof_of_a_link_passes(original, alice):
    made = link_upload(actor=alice, original=original, upload=Upload("small.jpg", SMALL))
    seal()
    report = verify_bundle(derivative_zip(actor=alice, derivative=made), own_policy())
    assert report.verdict is Verdict.PASSED
    assert [digest.role for digest in report.digests] == ["original", "derivative"]


def test_a_file_is_linked_on_the_originals_page(client_of, original, alice):
    url = reverse("ledger:link_derivative", args=[original.number])
    client = client_of(alice)
    page = client.post(url, {"file": SimpleUploadedFile("small.jpg", SMALL), "role": "upload"}, follow=True)
    assert "Linked by entry 1." in page.content.decode()
    assert "small.jpg" in page.content.decode()
    assert "scaled or cropped" in page.content.decode()
    number = Derivative.objects.get().statement.number
    assert client.get(reverse("ledger:derivative_bundle", args=[number])).status_code == 200
    other = SimpleUploadedFile("x.jpg", jpeg_bytes(product_photo(2)))
    page = client.post(url, {"file": other, "role": "upload"}, follow=True)
    assert "derivative_unrelated" in page.content.decode()
    assert "no_file" in client.post(url, {"role": "upload"}, follow=True).content.decode()


def test_files_are_linked_by_command(original, tmp_path, capsys):
    (tmp_path / "small.jpg").write_bytes(SMALL)
    (tmp_path / "other.jpg").write_bytes(jpeg_bytes(product_photo(2)))
    paths = [str(tmp_path / name) for name in ("small.jpg", "other.jpg")]
    with pytest.raises(CommandError, match="1 of 2"):
        call_command("link_derivative", *paths, "--seller", "acme", "--original", original.number, "--json")
    good, bad = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (good["status"], good["geometry"], good["seq"]) == ("linked", "similarity", 1)
    assert (bad["status"], bad["code"]) == ("rejected", "derivative_unrelated")
