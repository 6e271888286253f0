"""A running site whose background processes really stop: pages say so, receipts go on, and it recovers by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import httpx
import pytest

from tests.journeys.killing import Service, Uploads, draw

pytestmark = [
    pytest.mark.journey,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
]


def word(service: Service) -> str:
    try:
        return httpx.get(f"{service.base}/health/", timeout=10, trust_env=False).text.strip()
    except httpx.HTTPError:
        return ""


def test_workers_that_stop_are_told_and_cost_no_receipt(tmp_path):
    service = Service(tmp_path)
    service.start()
    person = Uploads(service, draw)
    person.join_as_owner()
    service.wait_for(lambda: word(service) == "ok", "a healthy site")

    probe = subprocess.run(
        service.command("probe", "--json"), env=service.environment, capture_output=True, text=True, check=False
    )
    assert probe.returncode == 0, probe.stdout + probe.stderr
    states = {step["name"]: step["state"] for step in json.loads(probe.stdout)["steps"]}
    assert states["analyse"] == "ok"

    stopped = [service.pid_of("clock"), service.pid_of("heavy")]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    service.wait_for(lambda: word(service) == "degraded", "the site to notice")
    person.client.get("/originals/register/")
    assert "health_workers" in person.client.get("/originals/").text
    person._send_until_answered(1, draw(1))
    assert person.acknowledged[0]["seq"] is not None

    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    service.wait_for(lambda: word(service) == "ok", "the site to recover")
    assert "health_workers" not in person.client.get("/originals/").text
    assert service.stop()[0] == 0
