"""The log as people see it, and what any stranger may take from it."""

from __future__ import annotations

import pytest

from ledger.models import Checkpoint, Original
from ledger.services import keys
from ledger.services.log import cosigned_note, own_policy, seal
from ledger.tlog import checkpoint as heads
from ledger.tlog import note
from ledger.tlog.policy import parse_policy
from tests.factories import register_one

pytestmark = pytest.mark.django_db

URL = "/ledger/"


@pytest.fixture
def original(log, seller, alice) -> Original:
    return register_one(seller, actor=alice)


def test_strangers_see_the_checkpoint_and_the_policy_and_nothing_else(client_of, original):
    seal()
    client = client_of()
    for path in ("/log/checkpoint", "/log/policy"):
        response = client.get(path)
        assert (response.status_code, response.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    for path in (URL, "/ledger/checkpoints/1/"):
        assert client.get(path).headers["Location"].startswith("/accounts/login/")
    assert client.post("/ledger/seal/").headers["Location"].startswith("/accounts/login/")


def test_the_checkpoint_is_what_was_signed(client_of, original):
    signed = seal()
    assert signed is not None
    text = client_of().get("/log/checkpoint").content
    parsed = note.parse_note(text)
    note.verify_note(parsed, [own_policy().logs[0].key])
    assert heads.parse_checkpoint(parsed.text).root == bytes(signed.root_hash)


def test_the_policy_names_the_key_that_signs(client_of, log):
    policy = parse_policy(client_of().get("/log/policy").content)
    assert policy.logs == own_policy().logs


def test_before_anything_is_signed_there_is_no_checkpoint(client_of, log):
    assert client_of().get("/log/checkpoint").status_code == 404


def test_before_the_log_exists_there_is_no_policy(client_of, db):
    assert client_of().get("/log/policy").status_code == 404


@pytest.mark.parametrize("path", ["/log/checkpoint", "/log/policy", URL, "/ledger/checkpoints/1/"])
def test_reading_pages_refuse_posts(client_of, original, alice, path):
    assert client_of(alice).post(path).status_code == 405


def test_the_page_shows_the_key_and_every_checkpoint(client_of, original, bob):
    seal()
    register_one(original.seller, 2)
    page = client_of(bob).get(URL).content.decode()
    assert keys.read_signer_state(own_policy().logs[0].key.name) is not None
    assert own_policy().logs[0].key.fingerprint in page
    assert "/ledger/checkpoints/1/" in page
    assert "seal/" not in page  # viewers may not seal


def test_one_checkpoint_as_text(client_of, original, bob):
    seal()
    assert (
        client_of(bob).get("/ledger/checkpoints/1/").content.decode()
        == cosigned_note(Checkpoint.objects.get()).decode()
    )
    assert client_of(bob).get("/ledger/checkpoints/2/").status_code == 404


def test_sealing_at_once(client_of, original, ivan, olga):
    assert client_of(olga).post("/ledger/seal/").status_code == 403
    assert client_of(ivan).get("/ledger/seal/").status_code == 405
    response = client_of(ivan).post("/ledger/seal/", follow=True)
    assert "checkpoint of 1 entries is signed" in response.content.decode()
    assert Checkpoint.objects.count() == 1


def test_a_fork_is_said_and_nothing_signed(client_of, log, original, ivan):
    keys.write_signer_state(log.origin, keys.SignerState(9, b"\x01" * 32))
    page = client_of(ivan).post("/ledger/seal/", follow=True).content.decode()
    assert "log_fork" in page
    assert not Checkpoint.objects.exists()


def test_a_missing_key_has_a_page(client_of, original, bob, settings):
    (settings.KEYS_DIR / keys.LOG_KEY).unlink()
    response = client_of(bob).get(URL)
    assert response.status_code == 503
    assert "key_missing" in response.content.decode()


def test_the_page_costs_the_same_for_many_checkpoints(client_of, original, bob, django_assert_num_queries):
    client = client_of(bob)
    for number in range(3):
        seal()
        with django_assert_num_queries(10):
            client.get(URL)
        register_one(original.seller, 10 + number)
