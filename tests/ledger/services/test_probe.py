"""The probe goes the way of a customer's picture, says which step broke, and leaves only what a log has to keep."""

from __future__ import annotations

import pytest
from django.db import connection

from ledger.accounts.models import Seller
from ledger.accounts.permissions import may_run_site
from ledger.models import Blob, Entry, Erasure, ErasureState, ImageFile, Original, Statement
from ledger.services import pulse
from ledger.services.blobs import _path
from ledger.services.keys import LOG_KEY
from ledger.services.probe import FAILED, OK, SKIPPED, probe_picture, run_probe
from tests.log_checks import past_the_triggers

pytestmark = pytest.mark.django_db


def states(probe) -> dict[str, str]:
    return {step.name: step.state for step in probe.steps}


def codes(probe) -> list[str]:
    return [step.code for step in probe.steps if step.state == FAILED]


def test_a_whole_site_passes_with_outside_time(log, authority, ticking, assert_log_valid):
    probe = run_probe(now=ticking)
    assert probe.is_ok, probe.to_dict()
    assert states(probe) == {
        "register": OK,
        "prove": OK,
        "verify": OK,
        "analyse": SKIPPED,  # no workers run in this test
        "anchor": OK,
        "verify anchored": OK,
        "erase": OK,
    }
    assert_log_valid()


def test_without_a_clock_the_anchor_is_left_out_not_passed(log):
    assert states(run_probe())["anchor"] == SKIPPED


def test_an_authority_that_fails_is_named(log, authority, server, ticking):
    server.fault = "503"
    probe = run_probe(now=ticking)
    assert not probe.is_ok
    assert codes(probe) == ["http_error"]
    assert states(probe)["erase"] == OK


def test_workers_that_take_no_job_are_named(log, settings):
    pulse.beat("heavy")  # somebody says that workers run, and none does
    probe = run_probe(wait_s=0.0)
    assert codes(probe) == ["probe_not_analysed"]


def test_a_log_that_was_changed_fails_the_probe(log):
    run_probe()
    with past_the_triggers(), connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_entry SET leaf_hash = %s WHERE seq = 0", [bytes(32)])
    probe = run_probe()
    assert not probe.is_ok
    assert "log_fork" in codes(probe)


def test_a_missing_key_fails_the_probe(log, settings):
    (settings.KEYS_DIR / LOG_KEY).unlink()
    assert not run_probe().is_ok


def test_a_blob_store_that_takes_nothing_fails_the_probe_by_name(log, settings):
    settings.DATA_DIR.mkdir(exist_ok=True)
    (settings.DATA_DIR / "blobs").write_bytes(b"in the way")
    assert codes(run_probe()) == ["store_failed"]


def test_what_stays_holds_nothing(log):
    for _ in range(2):
        run_probe()
    assert Seller.objects.filter(is_probe=True).count() == 1
    assert not Original.objects.exists()
    assert Entry.objects.count() == 4
    assert not Statement.objects.exclude(kind="erasure").exclude(claim=b"").exists()
    assert not ImageFile.objects.exclude(sha256=b"").exists()
    assert not Blob.objects.exclude(wrapped_key=b"").exists()
    assert not [blob for blob in Blob.objects.all() if _path(blob).exists()]
    assert set(Erasure.objects.values_list("state", flat=True)) == {ErasureState.DONE}


def test_a_probe_changes_nothing_for_the_people_of_the_site(log, alice, seller):
    assert may_run_site(alice)
    run_probe()
    assert may_run_site(alice)
    assert list(Seller.objects.visible_to(alice)) == [seller]


def test_every_probe_is_another_picture():
    assert probe_picture(1) == probe_picture(1) != probe_picture(2)
