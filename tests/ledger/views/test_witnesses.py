"""The page of witnesses: everybody sees who watches and how it goes, who runs the site chooses them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from ledger.models import Witness as Row
from ledger.services.log import own_policy, seal
from ledger.services.witnesses import AHEAD, add_witness, cosign
from ledger.tlog import note
from ledger.witness import Witness, WitnessServer, make_witness, trust_log
from tests.factories import make_seller
from tests.ledger.services.test_log import append

pytestmark = pytest.mark.django_db

URL, CHANGE = "/ledger/witnesses/", "/ledger/witnesses/change/"


@pytest.fixture
def fields(log, tmp_path) -> Iterator[dict[str, str]]:
    """What a lawyer whose witness runs on a real server tells the owner."""
    keys = make_witness(tmp_path / "w", "lawfirm.example/w")
    for each in own_policy().logs:
        trust_log(tmp_path / "w", note.format_vkey(each.key))
    server = WitnessServer(("127.0.0.1", 0), Witness(tmp_path / "w"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    yield {"name": "lawfirm", "vkey": note.format_vkey(keys[0]), "url": url, "allows_local": "on"}
    server.shutdown()
    server.server_close()
    server.witness.close()


@pytest.fixture
def watched(fields) -> Row:
    return add_witness(name="lawfirm", vkey=fields["vkey"], url=fields["url"], allows_local=True)


def test_an_owner_adds_a_witness_and_sees_it_sign(fields, seller, alice, client_of, settings):
    settings.WITNESS_QUORUM = 1
    client = client_of(alice)
    assert client.post(URL, fields).status_code == 302
    append(seller)
    seal()
    page = client.get(URL).content.decode()
    assert "Will be asked" in page
    assert "Not met for the newest checkpoint" in page
    assert cosign() == 1
    page = client.get(URL).content.decode()
    assert "Has signed the newest checkpoint" in page
    assert "Met for the newest checkpoint" in page
    assert fields["vkey"] in page


def test_the_page_names_the_keys_a_witness_has_to_trust(log, bob, client_of):
    page = client_of(bob).get(URL).content.decode()
    assert "Nobody outside watches yet" in page
    assert "Add a witness" not in page
    for each in own_policy().logs:
        assert note.format_vkey(each.key) in page


def test_without_a_quorum_the_page_says_what_that_means(watched, alice, client_of):
    assert "ORIGINMARK_WITNESS_QUORUM" in client_of(alice).get(URL).content.decode()


@pytest.mark.parametrize(
    "change",
    [
        {"vkey": "lawfirm.example/w+12345678+AAAA"},
        {"url": "ftp://witness.example/"},
        {"name": ""},
        {"allows_local": ""},
        {"name": "two words"},
    ],
)
def test_what_cannot_be_a_witness_is_refused_with_its_reason(fields, alice, client_of, change):
    answer = client_of(alice).post(URL, fields | change)
    assert answer.status_code == 400
    assert not Row.objects.exists()
    assert fields["url"] in answer.content.decode() or "url" in change  # nothing typed is lost


def test_a_name_is_given_once(watched, fields, alice, client_of):
    answer = client_of(alice).post(URL, fields)
    assert answer.status_code == 400
    assert "lawfirm already" in answer.content.decode()


def test_one_is_stopped_asked_again_and_taken_off(watched, seller, alice, client_of):
    client = client_of(alice)
    append(seller)
    seal()
    client.post(CHANGE, {"name": "lawfirm", "wish": "pause"})
    assert cosign() == 0
    assert "Not asked" in client.get(URL).content.decode()
    client.post(CHANGE, {"name": "lawfirm", "wish": "resume"})
    assert cosign() == 1
    client.post(CHANGE, {"name": "lawfirm", "wish": "remove"})
    assert not Row.objects.exists()
    assert (
        "There is no such witness" in client.post(CHANGE, {"name": "x", "wish": "pause"}, follow=True).content.decode()
    )


def test_trouble_is_named(watched, alice, client_of):
    Row.objects.update(failures=3, last_error="fetch.timeout", last_error_detail="no answer")
    page = client_of(alice).get(URL).content.decode()
    assert "3 failures in a row" in page
    assert "fetch.timeout" in page
    Row.objects.update(last_error=AHEAD)
    assert "It has seen another history" in client_of(alice).get(URL).content.decode()


def test_on_a_site_of_several_sellers_no_owner_decides(watched, fields, alice, client_of):
    make_seller("second")
    client = client_of(alice)
    assert client.post(URL, fields | {"name": "other"}).status_code == 403
    assert client.post(CHANGE, {"name": "lawfirm", "wish": "remove"}).status_code == 403
    assert Row.objects.count() == 1
