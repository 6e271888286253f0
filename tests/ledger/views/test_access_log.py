"""The access log: every download of an exact file is in it, owners read it, nobody changes it."""

from __future__ import annotations

import csv
import io

import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from ledger.accounts.models import User
from ledger.models import AccessKind, AccessRecord
from ledger.services.access_log import record_access
from ledger.services.erase_person import erase_person
from ledger.services.evidence_sets import add_files, open_draft, register_set
from ledger.services.originals import Upload
from tests.factories import register_one

LIST, CSV = "ledger:access_log", "ledger:access_log_csv"


@pytest.fixture
def taken(client_of, ivan, log, seller):
    """One exact file, taken away by ivan."""
    original = register_one(seller)
    client_of(ivan).get(reverse("ledger:original_file", args=[original.number]))
    return original


def test_an_exact_original_is_recorded_with_person_and_address(taken, ivan):
    row = AccessRecord.objects.get()
    assert (row.kind, row.number, row.actor, row.address) == (AccessKind.ORIGINAL, taken.number, ivan, "127.0.0.1")


def test_a_bundle_with_files_is_recorded_and_one_without_is_not(client_of, ivan, log, seller):
    original = register_one(seller, analyse=True)
    url = reverse("ledger:original_bundle", args=[original.number])
    client_of(ivan).get(url)
    assert not AccessRecord.objects.exists()
    client_of(ivan).get(url, {"original": "1"})
    assert AccessRecord.objects.get().kind == AccessKind.BUNDLE_WITH_FILES


def test_a_file_of_a_set_is_recorded(client_of, ivan, log, seller):
    draft = open_draft(actor=ivan, seller=seller, number="7" * 16)
    add_files(actor=ivan, draft=draft, uploads=[Upload("contract.pdf", b"a contract")], roles={})
    evidence = register_set(actor=ivan, draft=draft, title="Shoot")
    client_of(ivan).get(reverse("ledger:set_file", args=[evidence.number, evidence.files.get().position]))
    assert AccessRecord.objects.get().kind == AccessKind.EVIDENCE_FILE


def test_a_refused_download_is_not_recorded(client_of, bob, mallory, log, seller):
    original = register_one(seller)
    for person in (bob, mallory):
        client_of(person).get(reverse("ledger:original_file", args=[original.number]))
    assert not AccessRecord.objects.exists()


def test_the_owner_sees_it_and_another_seller_does_not(client_of, alice, mallory, taken):
    assert "ivan@example.org" in client_of(alice).get(reverse(LIST)).text
    assert "ivan@example.org" not in client_of(mallory).get(reverse(LIST)).text
    assert "ivan@example.org" not in client_of(mallory).get(reverse(CSV)).getvalue().decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"kind": "original"}, True),
        ({"kind": "pack"}, False),
        ({"person": "ivan"}, True),
        ({"person": "nobody"}, False),
        ({"number": "x"}, False),
        ({"until": "2001-01-01"}, False),
        ({"since": "2001-01-01"}, True),
    ],
)
def test_filters(client_of, alice, taken, query, found):
    page = client_of(alice).get(reverse(LIST), query).text
    assert ("ivan@example.org" in page) == found
    assert ("Nothing matches" in page) != found


def test_empty_page_says_what_will_be_here(client_of, alice):
    assert "Nobody took anything away yet" in client_of(alice).get(reverse(LIST)).text


def test_no_cell_of_the_export_runs_as_a_formula(client_of, alice, ivan, taken):
    User.objects.filter(pk=ivan.pk).update(name="=HYPERLINK(1)")
    text = client_of(alice).get(reverse(CSV)).getvalue().decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["by"] == "'=HYPERLINK(1)"


def refused(statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM ledger_accessrecord",
        "UPDATE ledger_accessrecord SET kind = 'pack'",
        "UPDATE ledger_accessrecord SET number = 'x'",
        "UPDATE ledger_accessrecord SET address = '192.0.2.1', actor_id = NULL",
        "UPDATE ledger_accessrecord SET actor_id = actor_id",
    ],
)
def test_the_database_refuses_to_change_it(taken, change):
    refused(change)


def test_an_erased_person_is_forgotten_and_the_download_stays(alice, ivan, taken, seller):
    erase_person(actor=alice, seller=seller, user=ivan, reason="request")
    row = AccessRecord.objects.get()
    assert (row.actor, row.address, row.number) == (None, None, taken.number)


def test_a_person_is_forgotten_in_every_seller_when_the_account_goes(alice, ivan, log, seller, other_seller):
    record_access(actor=ivan, seller=other_seller, kind=AccessKind.PACK, number="1" * 16, address="192.0.2.1")
    erase_person(actor=alice, seller=seller, user=ivan, reason="request")
    assert not User.objects.filter(pk=ivan.pk).exists()
    assert AccessRecord.objects.get().address is None


def test_list_costs_few_queries(client_of, alice, taken, django_assert_max_num_queries):
    client = client_of(alice)
    client.get(reverse(LIST))
    with django_assert_max_num_queries(8):
        client.get(reverse(LIST))
