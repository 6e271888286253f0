"""The page of outside clocks: everybody sees how they answer, who runs the site decides about them."""

from __future__ import annotations

import pytest
from django.utils import timezone

from ledger.accounts.numbers import new_number
from ledger.models import Job, TimeAuthority
from ledger.services.anchoring import stamp
from ledger.services.authorities import AuthoritySettings, save_authority
from ledger.services.evidence_sets import add_files, open_draft, register_set
from ledger.services.log import seal
from ledger.services.originals import Upload
from ledger.tlog import x509_path
from tests.factories import register_one
from tests.ledger.anchors.authority_server import FaultyAuthority

pytestmark = pytest.mark.django_db

URL = "/ledger/clocks/"


@pytest.fixture
def server():
    running = FaultyAuthority()
    yield running
    running.stop()


@pytest.fixture
def fields(server):
    return {
        "name": "Example TSA",
        "url": server.url,
        "trust_anchors": x509_path.pem_of([server.clock.anchor]).decode(),
        "priority": "10",
        "quota_calls": "5",
        "quota_window_s": "60",
        "is_enabled": "on",
        "allows_local": "on",
    }


@pytest.fixture
def authority(db, server, fields):
    wanted = AuthoritySettings("Example TSA", server.url, fields["trust_anchors"], allows_local=True, quota_calls=5)
    return save_authority(actor=None, wanted=wanted)


def test_without_a_clock_the_page_says_what_is_missing(client_of, log, bob):
    page = client_of(bob).get(URL).content.decode()
    assert "No outside clock yet" in page
    assert "Add an outside clock" not in page


def test_the_owner_of_the_only_seller_adds_changes_and_switches_off(client_of, log, alice, fields):
    client = client_of(alice)
    assert client.post(URL, fields).status_code == 302
    row = TimeAuthority.objects.get()
    assert (row.name, row.quota_calls, row.is_enabled, row.is_accredited) == ("Example TSA", 5, True, False)
    page = client.get(f"{URL}?edit={row.pk}").content.decode()
    assert "Change Example TSA" in page
    assert client.post(f"{URL}?edit={row.pk}", fields | {"is_accredited": "on", "is_enabled": ""}).status_code == 302
    row.refresh_from_db()
    assert (row.is_accredited, row.is_enabled) == (True, False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "gopher://x.example"}, "https:// or http://"),
        ({"trust_anchors": "nothing"}, "BEGIN CERTIFICATE"),
        ({"allows_local": ""}, "local addresses are allowed"),
        ({"policy": "not an oid"}, "Enter a valid value"),
        ({"quota_calls": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_used_comes_back_with_a_reason(client_of, log, alice, fields, change, said):
    response = client_of(alice).post(URL, fields | change)
    assert response.status_code == 400
    assert said in response.content.decode()
    assert not TimeAuthority.objects.exists()


def test_only_who_runs_the_site_decides(client_of, log, alice, bob, mallory, fields, authority):
    for person in (alice, bob, mallory):  # two sellers: neither owner runs the site
        assert client_of(person).post(URL, fields).status_code == 403
        assert client_of(person).post(f"{URL}try/", {"authority": authority.pk}).status_code == 403
        assert client_of(person).get(URL).status_code == 200
    alice.is_site_staff = True
    alice.save()
    assert client_of(alice).post(f"{URL}?edit={authority.pk}", fields).status_code == 302


def test_trying_says_what_came_back(client_of, log, alice, authority, server):
    client = client_of(alice)
    page = client.post(f"{URL}try/", {"authority": authority.pk}, follow=True).content.decode()
    assert "answers, and its token holds: 2026-11-28 12:00:00 UTC" in page
    server.fault = "html"
    page = client.post(f"{URL}try/", {"authority": authority.pk}, follow=True).content.decode()
    assert "timestamp.syntax" in page
    assert client.post(f"{URL}try/", {"authority": "x"}).status_code == 302


def test_the_page_says_that_a_clock_is_down_and_that_nothing_is_lost(client_of, log, seller, bob, authority, server):
    original = register_one(seller)
    seal()
    server.fault = "html"
    for _ in range(3):
        TimeAuthority.objects.update(rest_until=None)
        stamp()
    page = client_of(bob).get(URL).content.decode()
    assert "Does not answer" in page
    assert "timestamp.syntax" in page
    assert "3 failures in a row" in page
    assert "nothing is lost" in page
    page = client_of(bob).get(f"/originals/{original.number}/").content.decode()
    assert "Nothing is lost" in page


def test_stamping_at_once_is_a_job(client_of, log, seller, ivan, olga, authority):
    register_one(seller)
    assert client_of(olga).post("/ledger/anchor/").status_code == 403
    response = client_of(ivan).post("/ledger/anchor/")
    job = Job.objects.get(kind="anchors.stamp")
    assert response["Location"] == f"/jobs/{job.public_id}/"


def test_the_bracket_closes_on_every_page_once_it_is_proven(client_of, log, seller, bob, authority, settings):
    original = register_one(seller)
    seal()
    client = client_of(bob)
    page = client.get(f"/originals/{original.number}/").content.decode()
    assert "open: no outside time yet" in page
    assert "usually within a minute" in page
    stamp(now=timezone.now)
    public = client_of().get(f"/verify/{original.statement.number}/").content.decode()
    for page in (client.get(f"/originals/{original.number}/").content.decode(), public):
        assert "Example clock" in page
        assert "One outside authority has stamped the time." in page
        assert page.count("open: no outside time yet") == 1  # the first entry of a log has nothing before it


def test_a_set_shows_its_bracket_like_an_original(client_of, log, seller, bob, authority):
    draft = open_draft(actor=None, seller=seller, number=new_number())
    add_files(actor=None, draft=draft, uploads=[Upload("a.raw", b"raw", "one")])
    found = register_set(actor=None, draft=draft)
    seal()
    stamp(now=timezone.now)
    page = client_of(bob).get(f"/sets/{found.number}/").content.decode()
    assert "Example clock" in page
    assert "One outside authority has stamped the time." in page
