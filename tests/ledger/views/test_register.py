"""Registering by form and by the page's script: every file gets its own answer."""

from __future__ import annotations

import io
import uuid
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from ledger.accounts.models import Store
from ledger.imaging.scan import MAX_FILE_BYTES
from ledger.models import Entry, Job, Original
from tests.images import jpeg_bytes, product_photo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]

URL = "/originals/register/"
PHOTO = jpeg_bytes(product_photo(1, (64, 48)))
OTHER = jpeg_bytes(product_photo(2, (64, 48)))
JSON = {"accept": "application/json"}  # what upload.js asks for


def photo(content: bytes = PHOTO, name: str = "photo.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "image/jpeg")


def packed(**files: bytes) -> SimpleUploadedFile:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.jpg", content)
    return SimpleUploadedFile("shoot.zip", out.getvalue(), "application/zip")


def send(client, *files, **fields):
    """As upload.js sends one file."""
    return client.post(URL, {"files": list(files), **fields}, headers=JSON)


def results(response) -> list[dict[str, object]]:
    answer: list[dict[str, object]] = response.json()["results"]
    return answer


# Who --------------------------------------------------------------------------------------------------------------


def test_strangers_are_sent_to_sign_in(client_of):
    assert client_of().get(URL).headers["Location"].startswith("/accounts/login/")
    assert client_of().post(URL, {"files": photo()}).headers["Location"].startswith("/accounts/login/")


def test_a_viewer_cannot_register(client_of, bob):
    assert client_of(bob).get(URL).status_code == 403
    assert send(client_of(bob), photo()).status_code == 403
    assert not Entry.objects.exists()


def test_other_methods_are_refused(client_of, alice):
    assert client_of(alice).put(URL).status_code == 405
    assert client_of(alice).delete(URL).status_code == 405


def test_an_operator_can(client_of, olga):
    assert client_of(olga).get(URL).status_code == 200
    assert results(send(client_of(olga), photo()))[0]["status"] == "registered"


# By the script ----------------------------------------------------------------------------------------------------


def test_an_answer_has_what_the_script_shows(client_of, alice, seller):
    (row,) = results(send(client_of(alice), photo(), request_id=str(uuid.uuid4())))
    original = Original.objects.get(seller=seller)
    assert row == {
        "file": "photo.jpg",
        "status": "registered",
        "code": "",
        "message": "Entry 0",
        "url": f"/originals/{original.number}/",
        "seq": 0,
        "leaf_hash": bytes(original.statement.entry.leaf_hash).hex(),
    }


def test_a_receipt_that_got_lost_is_given_again(client_of, alice):
    client, request_id = client_of(alice), str(uuid.uuid4())
    (first,) = results(send(client, photo(), request_id=request_id))
    (again,) = results(send(client, photo(), request_id=request_id))
    assert (again["status"], again["seq"], again["url"]) == ("existing", first["seq"], first["url"])
    assert Entry.objects.count() == 1


def test_the_same_file_again_links_to_its_entry(client_of, alice):
    client = client_of(alice)
    (first,) = results(send(client, photo(), request_id="r1"))
    (again,) = results(send(client, photo(name="copy.jpg"), request_id="r2"))
    assert (again["status"], again["url"], again["message"]) == ("existing", first["url"], "Entry 0")


def test_another_sellers_same_file_is_their_own_and_shows_nothing(client_of, alice, mallory):
    (mine,) = results(send(client_of(alice), photo(), request_id="r"))
    (theirs,) = results(send(client_of(mallory), photo(), request_id="r"))
    assert theirs["status"] == "registered"
    assert theirs["url"] != mine["url"]
    assert client_of(mallory).get(str(mine["url"])).status_code == 404


def test_a_mixed_batch_names_each_file_in_order(client_of, alice):
    files = [photo(), photo(b"hello", "notes.txt"), photo(OTHER, "b.jpg"), photo(PHOTO, "c.jpg"), photo(OTHER, "d.png")]
    rows = results(send(client_of(alice), *files))
    assert [(row["file"], row["status"], row["code"]) for row in rows] == [
        ("photo.jpg", "registered", ""),
        ("notes.txt", "rejected", "unsupported_type"),
        ("b.jpg", "registered", ""),
        ("c.jpg", "existing", ""),
        ("d.png", "rejected", "type_mismatch"),
    ]
    assert "Export a JPEG" in str(rows[1]["message"])


def test_an_archive_among_pictures_keeps_its_place(client_of, alice):
    rows = results(send(client_of(alice), photo(), packed(a=OTHER), photo(OTHER, "b.jpg")))
    assert [row["file"] for row in rows] == ["photo.jpg", "shoot.zip", "b.jpg"]
    job = Job.objects.get(kind="originals.register_zip")
    assert rows[1]["url"] == f"/jobs/{job.public_id}/"


def test_an_archive_sent_again_is_the_same_job(client_of, alice):
    client = client_of(alice)
    (first,) = results(send(client, packed(a=PHOTO), request_id="r1"))
    (again,) = results(send(client, packed(a=PHOTO), request_id="r1"))
    assert first["url"] == again["url"]


def test_a_refused_archive_is_named(client_of, alice):
    broken = SimpleUploadedFile("shoot.zip", b"PK\x03\x04 nothing more", "application/zip")
    (row,) = results(send(client_of(alice), broken))
    assert (row["file"], row["status"], row["code"]) == ("shoot.zip", "rejected", "corrupt_zip")


def test_no_file_is_a_named_refusal(client_of, alice):
    response = client_of(alice).post(URL, {}, headers=JSON)
    assert response.status_code == 400
    assert [row["code"] for row in results(response)] == ["no_file"]


@pytest.mark.parametrize(
    "fields",
    [{"category": "spaceships"}, {"store": "77"}, {"request_id": "x" * 73}, {"request_id": "a\0b"}],
)
def test_a_choice_that_does_not_exist_is_named_and_nothing_registered(client_of, alice, fields):
    response = send(client_of(alice), photo(), **fields)
    assert response.status_code == 400
    assert [row["code"] for row in results(response)] == ["form_invalid"]
    assert not Entry.objects.exists()


def test_the_longest_request_id_fits_its_column(client_of, alice):
    files = [photo(jpeg_bytes(product_photo(seed, (32, 32))), f"{seed}.jpg") for seed in range(3, 16)]
    rows = results(send(client_of(alice), *files, request_id="x" * 72))
    assert {row["status"] for row in rows} == {"registered"}


def test_a_store_of_another_seller_is_no_choice(client_of, alice, other_seller):
    store = Store.objects.create(seller=other_seller, marketplace="ebay", name="Rival", shop_id="1")
    response = send(client_of(alice), photo(), store=str(store.pk))
    assert [row["code"] for row in results(response)] == ["form_invalid"]


def test_category_and_store_are_kept(client_of, alice, seller):
    store = Store.objects.create(seller=seller, marketplace="ebay", name="Acme", shop_id="1")
    send(client_of(alice), photo(), category="bags", store=str(store.pk))
    original = Original.objects.get()
    assert (original.category, original.store) == ("bags", store)


def test_a_file_over_the_cap_is_named_and_never_cut_to_fit(client_of, alice):
    (row,) = results(send(client_of(alice), photo(PHOTO + bytes(MAX_FILE_BYTES))))
    assert (row["status"], row["code"]) == ("rejected", "too_large")
    assert not Entry.objects.exists()


def test_a_form_token_is_needed(client_of, alice):
    client = client_of(alice)
    client.handler.enforce_csrf_checks = True
    assert send(client, photo()).status_code == 403
    assert not Entry.objects.exists()


# By a plain form --------------------------------------------------------------------------------------------------


def test_without_a_script_the_page_lists_every_outcome(client_of, alice):
    response = client_of(alice).post(URL, {"files": [photo(), photo(b"x", "notes.txt")]})
    page = response.content.decode()
    assert response.status_code == 200
    assert f"/originals/{Original.objects.get().number}/" in page
    assert "notes.txt" in page
    assert "unsupported_type" in page


def test_without_a_script_a_missing_file_is_said_beside_the_form(client_of, alice):
    response = client_of(alice).post(URL, {})
    assert response.status_code == 400
    assert "no_file" in response.content.decode()


def test_a_hostile_file_name_is_escaped(client_of, alice):
    response = client_of(alice).post(URL, {"files": [photo(b"x", '"><script>alert(1)</script>.jpg')]})
    assert "<script>alert" not in response.content.decode()


def test_the_page_costs_a_fixed_number_of_queries(client_of, alice, django_assert_num_queries):
    client = client_of(alice)
    client.get(URL)
    with django_assert_num_queries(5):
        client.get(URL)
