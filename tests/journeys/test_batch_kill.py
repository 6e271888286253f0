"""kill -9 of workers and decoders while many pairs are checked: every pair ends with one check and one entry."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compliance.batches import pair
from tests.journeys.killing import Service, Uploads, _ask, _rows, children_of, draw, was_killed
from tests.journeys.server import own_database

pytestmark = [
    pytest.mark.journey,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
PAIRS = 12
COUNTS = (
    "SELECT (SELECT COUNT(*) FROM compliance_checkrun WHERE state = 'done'), (SELECT COUNT(*) FROM compliance_checkrun),"
    " (SELECT COUNT(*) FROM ledger_statement WHERE kind = 'check.recorded')"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("batch")
    with own_database() as url:
        site = Service(folder, url)
        site.start()
        yield site
        site.stop()


def test_a_batch_survives_killed_workers_without_doubled_checks(service):
    browser = Uploads(service, draw)
    browser.join_as_owner()
    client = browser.client
    client.get("/hidden/batch/")
    files = [
        ("files", (f"S{number:02d}_{role}.jpg", data, "image/jpeg"))
        for number in range(PAIRS)
        for role, data in pair(number + 1).items()
    ]
    fields = {
        "profile": "aliexpress-seed-2024",
        "request_id": "kill",
        "csrfmiddlewaretoken": client.cookies["csrftoken"],
    }
    answer = client.post("/hidden/batch/", data=fields, files=files, headers={"Referer": service.base})
    assert answer.status_code == 302, answer.text[-2000:]
    killed = 0
    for wanted in (1, 4, 8):  # in the middle of the work, three times
        service.wait_for(lambda wanted=wanted: done(service) >= wanted, f"{wanted} checks")
        workers = children_of(service.pid_of("heavy"))
        decoders = [pid for worker in workers for pid in children_of(worker)]
        killed += sum(was_killed(pid) for pid in decoders + workers)
        time.sleep(0.3)
    assert killed >= 3
    service.wait_for(lambda: done(service) == PAIRS, "all checks", 240)
    assert _rows(service, COUNTS)[0] == (PAIRS, PAIRS, PAIRS)
    audit = json.loads(_ask(service, "audit", "[]"))
    assert (audit["doubled"], audit["unreadable"]) == (0, 0)
    place = answer.headers["Location"]
    english = {"Accept-Language": "en"}
    service.wait_for(lambda: f"{PAIRS} of {PAIRS} passed" in client.get(place, headers=english).text, "the page")


def done(service: Service) -> int:
    return int(str(_rows(service, COUNTS)[0][0]))
