"""No room: refused by name before anything is stored, and everything that was there stays as it was."""

from __future__ import annotations

import errno
import io
import os
import shutil

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from ledger.accounts.models import Seller
from ledger.accounts.tokens import create_token
from ledger.models import Blob, Entry, Original
from ledger.services.blobs import read_blob
from ledger.services.originals import Upload, register_originals
from ledger.services.room import NoRoomError, disk_full_by_name, files_today, used_bytes
from tests.factories import register_one
from tests.images import jpeg_bytes, product_photo

PHOTO = jpeg_bytes(product_photo(7))
REGISTER = "ledger:register"


def send(client, content: bytes = PHOTO, **headers: str):
    return client.post(reverse(REGISTER), {"files": SimpleUploadedFile("photo.jpg", content)}, headers=headers)


def fill_disk(settings) -> None:
    """As good as full: the reserve is larger than what is free."""
    settings.DISK_RESERVE_BYTES = shutil.disk_usage(settings.DATA_DIR.parent).free + 2**40


@pytest.fixture
def earlier(log, seller, assert_log_valid):
    """One original from better days, which must come out of every test unharmed."""
    original = register_one(seller)
    yield original
    assert read_blob(Original.objects.get(pk=original.pk).image.blob)
    assert Original.objects.count() == 1
    assert assert_log_valid() == 1


def test_a_disk_at_its_reserve_answers_507_before_the_body_is_read(client_of, olga, earlier, settings):
    fill_disk(settings)
    page = send(client_of(olga))
    assert page.status_code == 507
    assert "storage_full" in page.text


def test_programs_get_it_as_json(client_of, alice, seller, earlier, settings):
    new = create_token(actor=alice, seller=seller, name="shop", scopes=["register"], days=30)
    fill_disk(settings)
    program = Client(headers={"authorization": f"Bearer {new.secret}", "accept-language": "zh-hans"})
    answer = program.post("/api/v1/originals/", {"file": SimpleUploadedFile("photo.jpg", PHOTO)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "storage_full")
    assert "\u78c1\u76d8" in answer.json()["error"]["message"]


def test_the_page_script_gets_a_line_it_can_show(client_of, olga, earlier, settings):
    fill_disk(settings)
    answer = send(client_of(olga), accept="application/json")
    assert (answer.status_code, answer.json()["results"][0]["code"]) == (507, "storage_full")


def test_pages_still_open_on_a_full_disk(client_of, olga, earlier, settings):
    fill_disk(settings)
    assert client_of(olga).get(reverse("ledger:original", args=[earlier.number])).status_code == 200


def test_the_command_line_is_refused_too(olga, seller, earlier, settings):
    fill_disk(settings)
    (answer,) = register_originals(actor=olga, seller=seller, uploads=[Upload("photo.jpg", PHOTO)])
    assert (answer.status, answer.code) == ("rejected", "storage_full")
    assert Blob.objects.count() == 1


def test_what_is_here_already_gets_its_receipt_on_a_full_disk(seller, earlier, settings):
    content = read_blob(earlier.image.blob)
    fill_disk(settings)
    known, new = register_originals(
        actor=None, seller=seller, uploads=[Upload("again.jpg", content), Upload("new.jpg", PHOTO)]
    )
    assert (known.status, new.code) == ("existing", "storage_full")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a device that is always full")  # noqa: PTH110
def test_a_disk_that_fills_while_writing_has_the_same_name():
    with pytest.raises(NoRoomError) as refusal, disk_full_by_name(), open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123
        file.write(b"x")
    assert refusal.value.code == "storage_full"


def test_another_trouble_of_the_disk_keeps_its_own_name():
    with pytest.raises(OSError, match="broken"), disk_full_by_name():
        raise OSError(errno.EIO, "broken")


@pytest.mark.parametrize(
    ("field", "limit", "code"), [("max_bytes", 1, "quota_bytes"), ("max_files_per_day", 1, "quota_files")]
)
def test_a_quota_refuses_by_name_and_the_rest_stays(client_of, olga, seller, earlier, field, limit, code):
    Seller.objects.filter(pk=seller.pk).update(**{field: limit})
    page = send(client_of(olga))
    assert page.status_code == 507
    assert code in page.text
    assert Entry.objects.count() == 1


def test_a_quota_is_one_sellers_own(client_of, mallory, seller, log):
    Seller.objects.filter(pk=seller.pk).update(max_files_per_day=1, max_bytes=1)
    assert send(client_of(mallory)).status_code == 200


def test_the_sites_quota_holds_where_a_seller_has_none(client_of, olga, earlier, settings):
    settings.SELLER_MAX_FILES_PER_DAY = 1
    assert send(client_of(olga)).status_code == 507


def test_erased_files_count_nothing(seller, earlier):
    assert used_bytes(seller) > 0
    Blob.objects.filter(pk=earlier.image.blob_id).update(size_bytes=0)
    assert used_bytes(seller) == 0
    assert files_today(seller) == 1


def quota(*arguments: str) -> str:
    out = io.StringIO()
    call_command("quota", *arguments, stdout=out)
    return out.getvalue()


def test_the_operator_sets_and_reads_a_quota(seller, log):
    assert "0.0 MiB of any number" in quota("acme")
    assert "of 7" in quota("acme", "--mib", "7", "--files", "9")
    seller.refresh_from_db()
    assert (seller.max_bytes, seller.max_files_per_day) == (7 * 2**20, 9)
    assert "any number" in quota("acme", "--default")


@pytest.mark.parametrize("arguments", [["nobody"], ["acme", "--mib", "-1"]])
def test_a_quota_that_makes_no_sense_is_refused(seller, arguments):
    with pytest.raises(CommandError):
        quota(*arguments)
