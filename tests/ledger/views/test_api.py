"""The API of the ledger with real tokens: register, read, take evidence, and every way to be refused."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ledger.accounts.models import ApiToken, Membership, Role
from ledger.accounts.tokens import create_token
from ledger.models import AccessRecord, Original
from tests.factories import register_one
from tests.images import jpeg_bytes, product_photo

ORIGINALS = "/api/v1/originals/"
PHOTO = jpeg_bytes(product_photo(5))


@pytest.fixture
def program(alice, seller, log):
    """program(*scopes): a client with a token of alice, who owns the seller."""

    def make(*scopes: str) -> Client:
        new = create_token(actor=alice, seller=seller, name="shop", scopes=scopes or ["read", "register"], days=30)
        return Client(enforce_csrf_checks=True, headers={"authorization": f"Bearer {new.secret}"})

    return make


def send(client, content: bytes = PHOTO, key: str = "", name: str = "photo.jpg"):
    headers = {"idempotency-key": key} if key else {}
    return client.post(ORIGINALS, {"file": SimpleUploadedFile(name, content)}, headers=headers)


def test_a_file_is_registered_and_answered_with_its_receipt(program, assert_log_valid):
    answer = send(program())
    assert answer.status_code == 201
    original = answer.json()["original"]
    assert original["sha256"] == hashlib.sha256(PHOTO).hexdigest()
    assert assert_log_valid() == original["entry"] + 1


def test_the_same_request_again_gives_the_first_receipt(program):
    client = program()
    first, second = send(client, key="a1"), send(client, key="a1")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["original"]["number"] == second.json()["original"]["number"]
    assert Original.objects.count() == 1


def test_a_request_id_used_for_other_bytes_is_refused_by_name(program):
    client = program()
    send(client, key="a1")
    answer = send(client, jpeg_bytes(product_photo(6)), key="a1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "request_id_reused")


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [(b"", 422, "empty_file"), (b"GIF89a", 422, "unsupported_type"), (b"\x89PNG\r\n\x1a\n", 422, "type_mismatch")],
)
def test_a_bad_file_is_refused_by_name_and_nothing_is_kept(program, content, status, code):
    answer = send(program(), content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert not Original.objects.exists()


def test_errors_come_in_the_language_asked_for(program):
    answer = program().post(ORIGINALS, headers={"accept-language": "zh-hans"})
    assert answer.json()["error"]["code"] == "no_file"
    assert any("\u4e00" <= letter <= "\u9fff" for letter in answer.json()["error"]["message"])


def test_originals_are_listed_by_pages(program, seller):
    register_one(seller, 1)
    register_one(seller, 2)
    body = program().get(ORIGINALS).json()
    assert [row["file_name"] for row in body["originals"]] == ["photo-0.jpg", "photo-0.jpg"]
    assert body["next"] is None


def test_exact_bytes_are_recorded_with_the_token(program, seller, alice):
    original = register_one(seller)
    answer = program().get(reverse("ledger:api_original_file", args=[original.number]))
    assert hashlib.sha256(answer.content).digest() == bytes(original.sha256)
    row = AccessRecord.objects.get()
    assert (row.actor, row.token) == (alice, ApiToken.objects.get().number)


def test_certificate_and_bundle(program, seller):
    original = register_one(seller, analyse=True)
    client = program()
    assert client.get(reverse("ledger:api_original_certificate", args=[original.number])).content[:5] == b"%PDF-"
    assert client.get(reverse("ledger:api_original_bundle", args=[original.number])).content[:2] == b"PK"


def test_rights_are_those_of_the_person_now(program, seller, alice):
    client, original = program(), register_one(seller)
    url = reverse("ledger:api_original_file", args=[original.number])
    assert client.get(url).status_code == 200
    Membership.objects.filter(user=alice).update(role=Role.VIEWER)
    refused = client.get(url)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "api_forbidden")
    Membership.objects.filter(user=alice).delete()
    assert client.get(ORIGINALS).status_code == 403


@pytest.mark.parametrize("end", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now() - timedelta(seconds=1)}])
def test_a_revoked_or_old_token_opens_nothing(program, end):
    client = program()
    assert client.get(ORIGINALS).status_code == 200
    ApiToken.objects.update(**end)
    answer = client.get(ORIGINALS)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="Originmark"')


def test_a_deactivated_person_takes_the_tokens_along(program, alice):
    client = program()
    alice.is_active = False
    alice.save()
    assert client.get(ORIGINALS).status_code == 401


@pytest.mark.parametrize("key", ["x" * 65, "\u00e9"])
def test_an_odd_request_id_is_refused(program, key):
    answer = send(program(), key=key)
    assert answer.json()["error"]["code"] == "api_request_id"


def test_the_session_of_the_owner_is_no_token(client_of, alice, log):
    assert client_of(alice).get(ORIGINALS).status_code == 401


def test_the_secret_is_stored_nowhere_and_shown_once(client_of, alice, seller):
    client = client_of(alice)
    made = client.post(reverse("accounts:tokens"), {"name": "shop", "scopes": ["read"], "days": "30"})
    secret = made.context["made"].secret
    assert secret in made.text
    assert secret not in client.get(reverse("accounts:tokens")).text
    token = ApiToken.objects.get()
    assert bytes(token.token_sha256) == hashlib.sha256(secret.encode()).digest()
    assert secret not in repr(token.__dict__) + str(dict(client.session))
    assert len(secret) == 4 + 43  # 256 bits in base64


def test_revoking_works_from_the_page(client_of, alice, program):
    program()
    client_of(alice).post(reverse("accounts:revoke_token", args=[ApiToken.objects.get().number]))
    assert ApiToken.objects.get().revoked_at is not None


@pytest.mark.parametrize("bad", [{"scopes": []}, {"scopes": ["root"]}, {"days": "9999"}, {"name": ""}])
def test_a_bad_token_is_not_made(client_of, alice, bad):
    fields = {"name": "shop", "scopes": ["read"], "days": "30"} | bad
    assert client_of(alice).post(reverse("accounts:tokens"), fields).status_code == 400
    assert not ApiToken.objects.exists()


def test_last_use_is_shown(client_of, alice, program):
    program().get(ORIGINALS)
    assert ApiToken.objects.get().last_used_at is not None
