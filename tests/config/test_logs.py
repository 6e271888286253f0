"""The log: one JSON object per line with a request number, and nothing in it that opens a door."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from config.logs import REDACTED, RouteFilter, json_formatter
from ledger.accounts.services import invite
from ledger.services.jobs import enqueue_job, run_job
from tests.factories import PASSWORD
from tests.images import jpeg_bytes, product_photo

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines():
    """Everything that any logger says at any level, as it would be written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(json_formatter())
    handler.addFilter(RouteFilter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(before)


def requests(found: list[dict]) -> list[dict]:
    return [line for line in found if line["event"] == "request"]


def test_a_sign_in_and_an_upload_leave_no_secret_in_the_log(lines, log, alice):
    client = Client()
    photo = jpeg_bytes(product_photo(5))
    wrong = "this was never the password"
    for password in (wrong, PASSWORD):
        client.post(
            "/accounts/login/", {"login": alice.email, "password": password}, headers={"x-secret": "s3cr3t-header"}
        )
    upload = SimpleUploadedFile("private-name.jpg", photo, "image/jpeg")
    answer = client.post("/originals/register/", {"files": upload}, headers={"authorization": "Bearer t0ken-value"})
    assert answer.status_code == 200
    text = json.dumps(lines(), ensure_ascii=False)
    kept_out = [PASSWORD, wrong, "s3cr3t-header", "t0ken-value", "private-name", alice.email]
    kept_out += [morsel.value for morsel in client.cookies.values()]
    assert [secret for secret in kept_out if secret and secret in text] == []
    assert "JFIF" not in text
    done = requests(lines())[-1]
    assert (done["view"], done["status"], done["method"]) == ("ledger:register", 200, "POST")
    assert (done["actor"], done["seller"]) == (alice.pk, alice.memberships.get().seller_id)


def test_a_link_with_a_token_is_named_by_its_route(lines, alice, seller):
    token = invite(actor=alice, seller=seller, email="new@example.org", role="viewer").token
    for path in (f"/join/{token}/", f"/join/{token[:-1]}x/", f"/nowhere/{token}"):
        Client().get(path)
    assert token[:20] not in json.dumps(lines())
    assert len(requests(lines())) == 3


def test_lines_are_in_utc_and_say_who_wrote_them(lines):
    Client().get("/health/")
    (line,) = requests(lines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["at"])
    assert line["level"] == "info"
    assert isinstance(line["process"], int)


def test_a_message_of_several_lines_is_one_line(lines):
    logging.getLogger("somewhere").warning("first\nsecond")
    assert lines()[-1]["event"] == "first\nsecond"


def test_an_exception_is_told_on_its_line(lines):
    try:
        raise ValueError("odd")
    except ValueError:
        logging.getLogger("somewhere").exception("failed")
    assert "ValueError: odd" in lines()[-1]["exception"]


def test_fields_called_like_secrets_are_blanked(lines):
    fields = {"password": "a", "api_token": "b", "Cookie": "c", "count": 3}
    logging.getLogger("somewhere").warning("odd", extra={"fields": fields})
    said = lines()[-1]
    assert (said["password"], said["api_token"], said["Cookie"], said["count"]) == (REDACTED, REDACTED, REDACTED, 3)


def test_a_job_says_its_number_kind_and_seller(lines, log, seller, alice):
    job = enqueue_job(kind="pictures.analyse", args={"image_ids": []}, seller=seller, actor=alice)
    run_job(job.pk)
    (line,) = [line for line in lines() if line["event"] == "job"]
    assert (line["job"], line["kind"], line["state"]) == (str(job.public_id), "pictures.analyse", "done")
    assert (line["actor"], line["seller"]) == (alice.pk, seller.pk)


# Numbers ----------------------------------------------------------------------------------------------------------


def test_every_answer_carries_its_number_also_refusals(lines):
    for path in ("/health/", "/nowhere/", "/originals/"):
        answer = Client().get(path)
        assert requests(lines())[-1]["request"] == answer["X-Request-Id"]


def test_a_number_given_by_a_stranger_is_not_taken():
    assert (
        Client().get("/health/", headers={"x-request-id": "chosen-by-a-stranger"})["X-Request-Id"]
        != "chosen-by-a-stranger"
    )


def test_the_number_of_the_trusted_proxy_is_taken(settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    assert Client().get("/health/", headers={"x-request-id": "proxy-0001"})["X-Request-Id"] == "proxy-0001"


@pytest.mark.parametrize("number", ["short", "x" * 65, "with space", 'quote"inside', "line\nbreak-inside"])
def test_a_number_that_could_be_anything_else_is_replaced(settings, number):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    answer = Client().get("/health/", headers={"x-request-id": number})["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{32}", answer)
