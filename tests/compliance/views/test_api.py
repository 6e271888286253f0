"""The API of the checks: a search and a check asked by a program, answered by the jobs' own functions."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from compliance.models import CheckRun, QualityRun, SearchRun
from compliance.services.checks import run_check
from compliance.services.gallery import update_gallery
from compliance.services.search import run_search
from ledger.accounts.tokens import create_token
from tests.compliance.check_pairs import PROFILE_ID, form_files
from tests.factories import register_one
from tests.images import jpeg_bytes, product_photo


@pytest.fixture
def program(alice, seller, log) -> Client:
    new = create_token(actor=alice, seller=seller, name="shop", scopes=["read", "search", "check"], days=30)
    return Client(enforce_csrf_checks=True, headers={"authorization": f"Bearer {new.secret}"})


def test_a_search_is_asked_and_answered(program, seller):
    original = register_one(seller, 1, analyse=True)
    update_gallery(seller=seller, image_ids=[original.image_id])
    picture = SimpleUploadedFile("photo.jpg", jpeg_bytes(product_photo(1)))
    answer = program.post("/api/v1/searches/", {"picture": picture}, headers={"idempotency-key": "s1"})
    assert answer.status_code == 202
    assert program.get(answer.json()["job"]).json()["state"] == "queued"
    run_search(SearchRun.objects.get().pk)
    body = program.get(answer.json()["url"]).json()
    assert body["candidates"][0]["original"] == original.number


def test_a_search_without_a_query_is_refused_by_name(program):
    assert program.post("/api/v1/searches/").json()["error"]["code"] == "form_invalid"


def test_a_pair_is_checked(program):
    answer = program.post("/api/v1/checks/", {"profile": PROFILE_ID, **form_files()})
    assert answer.status_code == 202
    run_check(CheckRun.objects.get().pk)
    body = program.get(answer.json()["url"]).json()
    assert body["verdict"] in ("PASSED", "FAILED", "INDETERMINATE")
    assert body["report"]["findings"] is not None


def test_a_pair_without_its_hidden_image_is_refused_by_name(program):
    files = form_files()
    del files["hidden"]
    answer = program.post("/api/v1/checks/", {"profile": PROFILE_ID, **files})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "no_file")


def test_a_single_picture_is_checked_at_once_and_once_per_request(program):
    def send(content: bytes, key: str = "q1", **fields: str):
        picture = SimpleUploadedFile("photo.jpg", content)
        data = {"profile": PROFILE_ID, "picture": picture, **fields}
        return program.post("/api/v1/quality/", data, headers={"idempotency-key": key})

    small = jpeg_bytes(product_photo(1, (300, 400)))
    answer = send(small, category="shoes", without_hidden="on")
    assert answer.status_code == 200
    body = answer.json()
    codes = {finding["code"] for finding in body["report"]["findings"]}
    assert (body["verdict"], codes) == ("FAILED", {"ERR_IMG_LOW_RESOLUTION", "ERR_IMG_HID_MISSING"})
    assert program.get(body["url"]).json() == body
    assert send(small).json()["number"] == body["number"]
    assert QualityRun.objects.count() == 1
    assert send(jpeg_bytes(product_photo(2))).json()["error"]["code"] == "request_id_reused"
    refused = send(b"GIF89a", "q2")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unsupported_type")
    nothing = program.post("/api/v1/quality/", {"profile": PROFILE_ID})
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (400, "no_file")
