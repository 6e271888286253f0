"""The site says by itself what does not work: each part is really broken here, and what was broken is what is named."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from ledger.imaging import landlock, seccomp
from ledger.models import Job, LogHead
from ledger.services import health, pulse
from ledger.services.anchoring import stamp
from ledger.services.jobs import enqueue_job
from ledger.services.log import seal
from tests.factories import register_one
from tests.ledger.services.test_anchoring import SHORT
from tests.ledger.services.test_log import append

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[3]


def part(name: str) -> health.Part:
    return next(found for found in health.look().parts if found.name == name)


def all_alive() -> None:
    for name in ("fast", "heavy", "clock"):
        pulse.beat(name)


def fall_silent(settings, name: str) -> None:
    """As if its process had stopped a minute ago."""
    path = settings.DATA_DIR / "run" / f"{name}.beat"
    at = time.time() - 60
    os.utime(path, (at, at))


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_fresh_site_with_workers_is_ok(log):
    all_alive()
    found = health.look()
    assert found.is_ok, found.to_dict()
    assert {p.name for p in found.parts if p.state == health.OFF} - {"decoding"} == {
        "outside_time",
        "witnesses",
        "redis",
        "mail",
    }


def test_a_kernel_that_confines_less_is_told_and_is_no_fault(log, monkeypatch):
    all_alive()
    monkeypatch.setattr(landlock, "CREATE_RULESET", 10_000)  # a system call that no kernel has
    monkeypatch.setattr(seccomp, "MACHINES", {})
    found = part("decoding")
    assert (found.state, found.code) == (health.OFF, "health_decoding")
    assert found.detail == "no Landlock, no seccomp"
    assert health.look().is_ok


def test_no_worker_was_ever_seen(log):
    assert part("workers").code == "health_workers"


@pytest.mark.parametrize("name", ["fast", "heavy", "clock"])
def test_one_silent_process_is_named(log, settings, name):
    all_alive()
    fall_silent(settings, name)
    found = part("workers")
    assert (found.state, found.code) == (health.DEGRADED, "health_workers")
    assert name in found.detail


def test_less_space_than_the_reserve_is_a_full_disk(log, settings):
    settings.DATA_DIR.mkdir(exist_ok=True)
    free = shutil.disk_usage(settings.DATA_DIR).free
    settings.DISK_RESERVE_BYTES = free * 2
    assert (part("disk").state, part("disk").code) == (health.DOWN, "health_disk_full")
    settings.DISK_RESERVE_BYTES = int(free * 0.75)
    assert part("disk").code == "health_disk_low"


def test_a_blob_folder_that_takes_no_file(log, settings):
    settings.DATA_DIR.mkdir(exist_ok=True)
    (settings.DATA_DIR / "blobs").write_bytes(b"in the way")
    assert (part("store").state, part("store").code) == (health.DOWN, "health_store")


def test_looking_leaves_no_file_behind(log, settings):
    health.look()
    assert not [path for path in settings.DATA_DIR.rglob("*") if "health-" in path.name]


def test_a_job_that_waits_for_long(log, seller):
    enqueue_job(kind="pictures.analyse", args={"image_ids": []}, seller=seller, actor=None)
    assert part("queue").state == health.OK
    Job.objects.update(enqueued_at=timezone.now() - timedelta(minutes=6))
    assert part("queue").code == "health_queue"


def test_entries_that_nobody_signs(log, seller):
    register_one(seller)
    assert part("checkpoint").state == health.OK
    LogHead.objects.update(last_ms=LogHead.objects.get().last_ms - 10 * 60 * 1000)
    assert part("checkpoint").code == "health_checkpoint"
    seal()
    assert part("checkpoint").state == health.OK


def test_an_authority_that_does_not_answer(log, seller, authority, server):
    register_one(seller)
    seal()
    assert part("outside_time").state == health.OK
    server.fault = "503"
    assert stamp(ask=SHORT) == []
    found = part("outside_time")
    assert (found.state, found.code) == (health.DEGRADED, "health_authorities")


def test_a_log_that_was_never_made(db):
    assert part("checkpoint").code == "log_not_ready"


@pytest.mark.parametrize(
    ("name", "variable", "scheme", "code"),
    [
        ("redis", "ORIGINMARK_REDIS_URL", "redis", "health_redis"),
        ("mail", "ORIGINMARK_SMTP_URL", "smtp", "health_mail"),
    ],
)
def test_a_server_that_is_away_is_named_by_the_command(tmp_path, name, variable, scheme, code):
    """Settings are read at the start, so a site of its own is asked."""
    environment = os.environ | {
        "ORIGINMARK_DATA": str(tmp_path / "data"),
        "ORIGINMARK_KEYS": str(tmp_path / "keys"),
        "ORIGINMARK_DATABASE_URL": "",
        variable: f"{scheme}://127.0.0.1:{closed_port()}",
    }
    command = [sys.executable, str(ROOT / "manage.py"), "health", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    found = {row["name"]: row for row in json.loads(done.stdout)["parts"]}
    assert (found[name]["state"], found[name]["code"]) == (health.DEGRADED, code)


# What people see --------------------------------------------------------------------------------------------------


def test_strangers_get_one_word(log, client_of):
    all_alive()
    health.keep_look()
    answer = client_of().get("/health/")
    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert answer["Content-Type"].startswith("text/plain")


def test_strangers_are_told_degraded_and_not_why(log, client_of):
    health.keep_look()  # no workers
    answer = client_of().get("/health/", headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()) == (200, {"status": "degraded"})


def test_a_clock_that_stands_still_is_degraded_whatever_it_saw_last(log, client_of, settings):
    all_alive()
    health.keep_look()
    fall_silent(settings, "clock")
    assert client_of().get("/health/").content == b"degraded\n"


def test_members_of_one_seller_among_several_get_one_word(log, client_of, alice, mallory):
    assert client_of(alice).get("/health/")["Content-Type"].startswith("text/plain")


def test_who_runs_the_site_sees_every_part(log, client_of, alice):
    page = client_of(alice).get("/health/").content.decode()
    assert "health_workers" in page
    assert "Background workers do not run." in page
    answer = client_of(alice).get("/health/", headers={"accept": "application/json"}).json()
    assert [row["name"] for row in answer["parts"]] == list(health.CHECKS)


def test_pages_say_that_workers_are_down_and_uploads_still_count(log, client_of, alice, seller, settings):
    all_alive()
    health.keep_look()
    client = client_of(alice)
    assert "health_workers" not in client.get("/originals/").content.decode()
    fall_silent(settings, "clock")
    page = client.get("/originals/").content.decode()
    assert "health_workers" in page
    assert "receipts count" in page
    assert register_one(seller).statement.entry_id == 0


def test_pages_say_that_the_disk_is_full(log, client_of, alice, settings):
    all_alive()
    settings.DATA_DIR.mkdir(exist_ok=True)
    settings.DISK_RESERVE_BYTES = shutil.disk_usage(settings.DATA_DIR).free * 2
    health.keep_look()
    assert "health_disk_full" in client_of(alice).get("/originals/").content.decode()


def test_a_damaged_look_is_no_look(log, settings):
    pulse.write_look({})
    (settings.DATA_DIR / "run" / "health.json").write_bytes(b"{")
    assert pulse.read_look() is None
    assert health.troubles() == []


def test_a_log_that_is_behind_is_told_to_who_runs_the_site(log, seller):
    append(seller, 2)
    seal()
    assert part("log").state == health.OK
    point = transaction.savepoint()
    append(seller, 3)
    seal()
    transaction.savepoint_rollback(point)
    found = part("log")
    assert (found.state, found.code) == (health.DOWN, "log_behind")
    assert found.detail == "2 entries are here, 3 signed ones are missing"
    health.keep_look()
    assert "log_behind" in health.troubles()
