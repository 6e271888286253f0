"""What anybody may take from the public log, and that it names nobody."""

from __future__ import annotations

import pytest
from django.db import transaction

from ledger.models import Entry, Statement
from ledger.services.epochs import begin_epoch
from ledger.services.log import latest_checkpoint, log_head, seal
from ledger.tlog import merkle, note, proof
from ledger.tlog.checkpoint import parse_checkpoint
from tests.factories import register_one
from tests.ledger.rfc6962 import tree_head
from tests.ledger.services.test_log import START_MS, append
from tests.ledger.tile_client import TileClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def signed(log, seller):
    append(seller, 300)
    return seal()


def test_a_stranger_rebuilds_the_root_over_http_alone(signed, client_of):
    browser = client_of()

    def fetch(path: str) -> bytes:
        response = browser.get(f"/log/{path}")
        if response.status_code != 200:
            raise LookupError(path)
        return response.content

    client = TileClient(fetch)
    entries = client.entries()
    assert (len(entries), tree_head(entries)) == (300, client.signed_root)
    assert client.upper_tiles_fit(entries) == 1


@pytest.mark.parametrize(
    "path",
    [
        "0/001",
        "0/000.p/0",
        "0/000.p/256",
        "0/001.p/45",
        "1/000",
        "1/000.p/2",
        "2/000.p/1",
        "entries/001",
        "0/1",
        "x",
        "0/002.p/1",
    ],
)
def test_what_no_checkpoint_covers_is_not_given_away(signed, client_of, path):
    assert client_of().get(f"/log/tile/{path}").status_code == 404


def test_entries_after_the_checkpoint_stay_unseen(signed, seller, client_of):
    append(seller, 3)
    client = client_of()
    assert client.get("/log/entries/299/").status_code == 200
    for path in ("/log/entries/300/", "/log/entries/300/proof", "/log/tile/0/001.p/45", f"/log/entries/{2**70}/"):
        assert client.get(path).status_code == 404


def test_tiles_may_be_kept_for_ever_and_checkpoints_not(signed, client_of):
    client = client_of()
    tile = client.get("/log/tile/0/000")
    assert tile.headers["Content-Type"] == "application/octet-stream"
    assert "immutable" in tile.headers["Cache-Control"]
    assert len(tile.content) == 8192
    assert "max-age=0" in client.get("/log/checkpoint").headers["Cache-Control"]


def test_the_proof_file_holds(signed, client_of):
    parsed = proof.parse_proof(client_of().get("/log/entries/123/proof").content)
    head = parse_checkpoint(note.parse_note(parsed.checkpoint).text)
    leaf = bytes(Entry.objects.get(seq=123).leaf_hash)
    merkle.verify_inclusion(leaf, 123, head.size, parsed.path, head.root)


def test_pages_show_entries_and_lead_from_one_to_the_next(signed, client_of):
    client = client_of()
    first = client.get("/log/").content.decode()
    assert "/log/entries/299/" in first
    assert "/log/entries/249/" not in first
    assert "before=250" in first
    page = client.get("/log/entries/5/").content.decode()
    assert "/log/entries/4/" in page
    assert "/log/entries/6/" in page
    assert bytes(Entry.objects.get(seq=4).leaf_hash).hex() in page


def test_an_entry_is_found_by_its_number(signed, client_of):
    client = client_of()
    assert client.get("/log/?entry=17").headers["Location"] == "/log/entries/17/"
    assert "0 to 299" in client.get("/log/?entry=300").content.decode()
    assert client.get("/log/?entry=abc").status_code == 200


def test_nobody_is_named(log, seller, alice, client_of):
    original = register_one(seller, actor=alice)
    seal()
    statement = Statement.objects.get(entry=0)
    secrets = [seller.name, seller.slug, alice.email, original.number, statement.label, bytes(statement.claim).decode()]
    secrets.append(bytes(original.sha256).hex())
    client = client_of()
    paths = ("/log/", "/log/entries/0/", "/log/entries/0/proof", "/log/tile/entries/000.p/1", "/log/log.json")
    for text in (client.get(path).content.decode() for path in paths):
        assert not [secret for secret in secrets if secret in text]


def test_claims_about_the_log_itself_are_shown(log, seller, client_of):
    append(seller, clock=lambda: START_MS)
    append(seller, clock=lambda: START_MS - 60_000)
    seal()
    page = client_of().get("/log/entries/1/").content.decode()
    assert "step_ms" in page
    assert "salted hash" not in page


def test_before_anything_is_signed_the_page_says_so(log, client_of):
    assert "Nothing signed yet" in client_of().get("/log/").content.decode()


def test_before_the_log_exists_there_is_no_page(db, client_of):
    client = client_of()
    assert client.get("/log/").status_code == 503
    assert client.get("/log/log.json").status_code == 404


def test_reading_costs_the_same_however_long_the_log(signed, seller, client_of, django_assert_max_num_queries):
    client = client_of()
    for path in ("/log/", "/log/entries/7/"):
        with django_assert_max_num_queries(14):
            client.get(path)
    assert latest_checkpoint() == signed


def test_an_ended_log_stays_where_it_is_and_the_next_has_addresses_of_its_own(log, seller, client_of, alice):
    """Tiles are kept by caches for ever, so no address ever gives another log's files."""
    originals = [register_one(seller, seed) for seed in (1, 2)]
    seal()
    client = client_of()
    before = {path: client.get(path).content for path in ("/log/checkpoint", "/log/log.json", "/log/tile/0/000.p/2")}
    point = transaction.savepoint()
    register_one(seller, 3)
    seal()
    transaction.savepoint_rollback(point)
    assert "2 entries; 1 signed entry is not in it" in client_of(alice).get("/ledger/").content.decode()
    lost = begin_epoch(reason="restored").ended
    register_one(seller, 4)
    seal()
    assert {path: client.get(path).content for path in before} == before
    assert client.get("/log/epochs/1/checkpoint").content == before["/log/checkpoint"]
    present = client.get("/log/epochs/2/checkpoint").content.decode().split("\n")
    assert present[:2] == [log_head().origin, "2"]
    assert len(client.get("/log/epochs/2/tile/0/000.p/2").content) == 64
    assert client.get("/log/epochs/1/last-signed").content.decode() == lost.signed_note
    for path in ("/log/epochs/3/", "/log/epochs/0/entries/0/", "/log/epochs/2/last-signed", "/log/epochs/9/checkpoint"):
        assert client.get(path).status_code == 404
    page = client.get("/log/").content.decode()
    assert log_head().origin in page
    assert "entries 2 to 2" in page
    assert "entries 2 to 2" in client_of(alice).get("/ledger/").content.decode()
    entry = client.get("/log/epochs/2/entries/0/").content.decode()
    assert "epoch 2" in entry
    assert "&quot;reason&quot;:&quot;restored&quot;" in entry
    assert client.get("/log/", {"entry": "1"}).url == "/log/epochs/2/entries/1/"
    assert client.get("/log/entries/1/").status_code == 200
    old = client_of(alice).get(f"/originals/{originals[0].number}/").content.decode()
    assert "Entry 0" in old
