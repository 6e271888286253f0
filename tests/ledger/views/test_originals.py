"""Originals: the list, one of them, its pictures, its evidence; each for those who may see it."""

from __future__ import annotations

import hashlib
import re

import pytest
from django.urls import reverse

from ledger.models import Blob, ImageFile, ImageState, Original
from ledger.services import keys
from ledger.services.log import seal
from ledger.services.originals import rename_original
from ledger.tlog.report import Verdict
from ledger.tlog.verify import verify_bundle
from tests.factories import register, register_one
from tests.images import exif_bytes, jpeg_bytes, product_photo

pytestmark = pytest.mark.django_db

LIST = "/originals/"


@pytest.fixture
def original(log, seller, alice) -> Original:
    return register_one(seller, actor=alice, analyse=True)


def page_of(client, url, **query):
    response = client.get(url, query)
    assert response.status_code == 200
    return response.content.decode()


def many(seller, count: int) -> list[Original]:
    register(seller, *(jpeg_bytes(product_photo(seed, (32, 24))) for seed in range(100, 100 + count)))
    return list(Original.objects.of(seller).order_by("-pk"))


def named(view: str, original: Original) -> str:
    return reverse(f"ledger:{view}", args=[original.number])


# Who --------------------------------------------------------------------------------------------------------------

PAGES = ["original", "original_file", "original_certificate", "original_bundle"]


@pytest.mark.parametrize("view", PAGES)
def test_strangers_are_sent_to_sign_in(client_of, original, view):
    assert client_of().get(named(view, original)).headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("view", PAGES)
def test_another_sellers_original_is_not_there(client_of, original, mallory, view):
    assert client_of(mallory).get(named(view, original)).status_code == 404


@pytest.mark.parametrize("view", PAGES)
def test_a_number_nobody_has_is_not_there(client_of, original, alice, view):
    for number in ("0" * 16, "nonsense", "../../etc"):
        assert client_of(alice).get(f"/originals/{number}/").status_code == 404


@pytest.mark.parametrize("view", ["original_file", "original_certificate", "original_bundle"])
def test_downloads_cannot_be_posted_to(client_of, original, alice, view):
    assert client_of(alice).post(named(view, original)).status_code == 405


def test_exact_bytes_are_for_those_with_the_right_to_them(client_of, original, bob, olga, ivan):
    for actor in (bob, olga):
        assert client_of(actor).get(named("original_file", original)).status_code == 403
        assert client_of(actor).get(named("original_bundle", original), {"original": "1"}).status_code == 403
    response = client_of(ivan).get(named("original_file", original))
    assert hashlib.sha256(response.content).digest() == bytes(original.sha256)


# The list ---------------------------------------------------------------------------------------------------------


def test_an_empty_list_says_what_to_do(client_of, log, alice, bob):
    assert "/originals/register/" in page_of(client_of(alice), LIST)
    assert "om-empty" in page_of(client_of(bob), LIST)


def test_only_the_sellers_own_show(client_of, original, mallory, other_seller):
    assert original.number not in page_of(client_of(mallory), LIST)


@pytest.mark.parametrize("layout", ["grid", "table"])
def test_grid_and_table_show_the_same(client_of, original, alice, layout):
    page = page_of(client_of(alice), LIST, layout=layout)
    assert original.number in page
    assert f"/pictures/{original.image_id}/320.webp" in page


def test_pages_of_fifty_lead_through_everything_and_back(client_of, log, seller, alice):
    rows = many(seller, 120)
    client = client_of(alice)
    seen, url = [], LIST
    while url:
        page = client.get(url).context["page"]
        seen.append([row.pk for row in page])
        url = page.older_url
    assert [len(part) for part in seen] == [50, 50, 20]
    assert [pk for part in seen for pk in part] == [row.pk for row in rows]
    back = client.get(client.get(f"{LIST}?before={seen[1][-1]}").context["page"].newer_url).context["page"]
    assert [row.pk for row in back] == seen[1]


def test_paging_keeps_the_filters(client_of, log, seller, alice):
    many(seller, 60)
    page = client_of(alice).get(LIST, {"q": "photo", "layout": "table"}).context["page"]
    assert "q=photo" in page.older_url
    assert "layout=table" in page.older_url


def test_filters(client_of, original, seller, alice):
    (other,) = (row for row in many(seller, 1) if row.pk != original.pk)
    rename_original(actor=alice, original=other, title="Blue tote", category="bags")
    client = client_of(alice)
    for query, expected in [
        ({"category": "bags"}, [other.pk]),
        ({"state": "ready"}, [original.pk]),
        ({"state": "sealed"}, [other.pk]),
        ({"state": "undecodable"}, []),
        ({"q": "blue"}, [other.pk]),
        ({"q": "nowhere"}, []),
        ({"state": "nonsense"}, [other.pk, original.pk]),
    ]:
        assert [row.pk for row in client.get(LIST, query).context["page"]] == expected, query


@pytest.mark.parametrize(
    "query",
    [
        {"before": "²"},
        {"before": "99999999999999999999999"},
        {"after": "-1"},
        {"before": "1 OR 1"},
        {"after": "９９"},
        {"q": "a\0b"},
        {"category": "x" * 10_000},
        {"q": "%"},
        {"before": str(2**63 - 1)},
        {"after": str(2**63)},
    ],
)
def test_whatever_the_address_says_there_is_a_page(client_of, original, alice, query):
    assert client_of(alice).get(LIST, query).status_code == 200


def test_a_page_beyond_the_end_is_no_first_page(client_of, original, alice):
    assert "om-empty" not in page_of(client_of(alice), LIST, before="1")


def test_the_list_costs_the_same_for_one_and_for_fifty(client_of, original, seller, alice, django_assert_num_queries):
    client = client_of(alice)
    client.get(LIST)
    for _ in range(2):
        with django_assert_num_queries(5):
            client.get(LIST)
        many(seller, 60)


# One original -----------------------------------------------------------------------------------------------------


def test_the_page_shows_what_is_proven(client_of, original, bob):
    page = page_of(client_of(bob), named("original", original))
    assert bytes(original.sha256).hex() in page
    assert bytes(original.statement.entry.leaf_hash).hex() in page
    assert "om-bracket" in page


def test_both_fingerprints_are_shown(client_of, log, seller, bob):
    (answer,) = register(seller, jpeg_bytes(product_photo(3, (480, 600))), analyse=True)
    assert answer.original is not None
    page = page_of(client_of(bob), named("original", answer.original))
    for row in answer.original.image.fingerprints.all():
        assert row.algorithm in page
        assert bytes(row.value).hex() in page
    assert {"phash64", "dhash64"} <= {row.algorithm for row in answer.original.image.fingerprints.all()}


def test_place_and_serial_numbers_show_to_managers_only(client_of, log, seller, ivan, olga):
    content = jpeg_bytes(product_photo(3, (64, 64)), exif=exif_bytes(gps=(31.25, 121.5), serial="SN-4711"))
    (answer,) = register(seller, content, analyse=True)
    assert answer.original is not None
    url = named("original", answer.original)
    manager, operator = page_of(client_of(ivan), url), page_of(client_of(olga), url)
    for secret in ("31.25000", "SN-4711"):
        assert secret in manager
        assert secret not in operator
    assert "K-100" in operator


def test_a_picture_still_waiting_and_one_that_cannot_be_opened_are_said(client_of, log, seller, alice):
    original = register_one(seller)
    client, url = client_of(alice), named("original", original)
    assert "The preview is being made" in page_of(client, url)
    ImageFile.objects.update(state=ImageState.UNDECODABLE, error_code="decode_timeout")
    assert "Opening the picture took too long." in page_of(client, url)


def test_a_small_picture_is_flagged(client_of, log, seller, alice):
    (answer,) = register(seller, jpeg_bytes(product_photo(3, (320, 240))), analyse=True)
    assert answer.original is not None
    assert "too_small" in page_of(client_of(alice), named("original", answer.original))


def test_renaming(client_of, original, olga, bob):
    client = client_of(olga)
    response = client.post(named("original", original), {"title": "蓝色杯子", "category": "bags"})
    assert response.headers["Location"] == named("original", original)
    original.refresh_from_db()
    assert (original.title, original.category) == ("蓝色杯子", "bags")
    assert client_of(bob).post(named("original", original), {"title": "mine"}).status_code == 403
    assert client_of(bob).post(named("original", original), {"category": "spaceships"}).status_code == 403


def test_renaming_badly_says_what_is_wrong(client_of, original, olga):
    response = client_of(olga).post(named("original", original), {"title": "x" * 256})
    assert response.status_code == 400
    assert "om-errors" in response.content.decode()


def test_the_page_costs_a_fixed_number_of_queries(client_of, original, alice, django_assert_num_queries):
    client = client_of(alice)
    client.get(named("original", original))
    with django_assert_num_queries(16):
        client.get(named("original", original))
    client.get(named("original_certificate", original))
    with django_assert_num_queries(16):
        client.get(named("original", original))


def test_a_persons_other_sellers_original_opens_as_that_sellers(client_of, original, alice, other_seller, mallory):
    """The address decides, not the switch: rights and frame are those of the original's seller."""
    from_other = register_one(other_seller, 5)
    assert client_of(alice).get(named("original", from_other)).status_code == 404
    other_seller.memberships.create(user=alice, role="viewer")
    response = client_of(alice).get(named("original", from_other))
    assert response.status_code == 200
    assert response.context["can"]["register"] is False
    assert client_of(alice).get(named("original_file", from_other)).status_code == 403


# Pictures and evidence --------------------------------------------------------------------------------------------


def test_previews_come_without_metadata_and_cannot_run_anything(client_of, log, seller, bob):
    (answer,) = register(seller, jpeg_bytes(product_photo(3, (900, 700)), exif=exif_bytes()), analyse=True)
    assert answer.original is not None
    for size in (320, 1024):
        response = client_of(bob).get(f"/pictures/{answer.original.image_id}/{size}.webp")
        assert response.headers["Content-Type"] == "image/webp"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert response.headers["Cache-Control"].startswith("private")
        assert b"Kestrel" not in response.content


@pytest.mark.parametrize("path", ["/pictures/{}/640.webp", "/pictures/{}/320.jpg", "/pictures/0/320.webp"])
def test_other_sizes_and_pictures_are_not_there(client_of, original, alice, path):
    assert client_of(alice).get(path.format(original.image_id)).status_code == 404


def test_pictures_of_others_are_not_there(client_of, original, mallory):
    url = f"/pictures/{original.image_id}/320.webp"
    assert client_of(mallory).get(url).status_code == 404
    assert client_of().get(url).headers["Location"].startswith("/accounts/login/")
    assert client_of(mallory).post(url).status_code == 405


def test_a_download_keeps_its_name_and_is_never_run(client_of, log, seller, ivan):
    original = register_one(seller)
    ImageFile.objects.update(file_name='夏装 "新品"\r\nX: 1.jpg')
    response = client_of(ivan).get(named("original_file", original))
    disposition = response.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename=")
    assert re.fullmatch(r"[\x20-\x7e]+", disposition)
    assert "filename*=UTF-8''%E5%A4%8F" in disposition
    assert response.headers["Cache-Control"] == "private, no-store"


def test_the_certificate_is_the_same_bytes_for_everybody(client_of, original, alice, bob):
    first = client_of(alice).get(named("original_certificate", original))
    assert first.headers["Content-Type"] == "application/pdf"
    assert client_of(bob).get(named("original_certificate", original)).content == first.content


def test_the_zip_holds(client_of, original, bob):
    response = client_of(bob).get(named("original_bundle", original))
    assert verify_bundle(response.content).verdict is Verdict.PASSED


def test_trouble_has_a_page_with_its_name(client_of, log, original, alice):
    client = client_of(alice)
    seal()
    keys.write_signer_state(log.origin, keys.SignerState(9, b"\x01" * 32))
    register_one(original.seller, 2)
    newer = Original.objects.order_by("-pk")[0]
    response = client.get(named("original_certificate", newer))
    assert response.status_code == 503
    assert "log_fork" in response.content.decode()
    Blob.objects.update(wrapped_key=b"")
    response = client.get(named("original_file", original))
    assert response.status_code == 503
    assert "blob_unreadable" in response.content.decode()
