"""`manage.py up` as a person meets it: what it prints, what it refuses, how it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.journeys.killing import Service, children_of, is_running, was_killed

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("up"))
    running.start()
    yield running
    if running.process is not None and running.process.poll() is None:
        running.stop()


def up(service: Service, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Another `up` that is expected to end by itself."""
    return subprocess.run(
        service.command("up", "--port", str(service.port)),
        env=service.environment | {"ORIGINMARK_DATA": str(folder / "data")} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def get(service: Service, path: str) -> httpx.Response:
    return httpx.get(service.base + path, trust_env=False, timeout=30, follow_redirects=True)


def test_the_address_and_the_first_link_come_first(service):
    lines = [line for line in service.log.read_text().splitlines() if not line.startswith("Bringing the database")]
    assert lines[0] == service.base
    assert re.fullmatch(rf"First sign-in: {service.base}/join/\S+/", lines[1])


def test_the_first_link_leads_to_a_form(service):
    link = re.search(r"First sign-in: \S+?(/join/\S+)", service.log.read_text())
    assert link
    assert 'name="password"' in get(service, link.group(1)).text


def test_nothing_is_said_that_helps_nobody(service):
    assert "System check" not in service.log.read_text()
    assert "WARNING" not in service.log.read_text()


def test_pages_bring_their_static_files(service):
    names = re.findall(r'(?:href|src)="(/static/[^"#]+)', get(service, "/accounts/login/").text)
    assert names
    assert {get(service, name).status_code for name in names} == {200}


def test_a_second_start_on_the_same_data_is_refused(service):
    done = up(service, service.folder)
    assert done.returncode == 1
    assert "already running" in done.stderr


def test_a_port_in_use_is_named_with_a_way_out(service, tmp_path):
    done = up(service, tmp_path)
    assert done.returncode == 1
    assert f"Port {service.port} is in use. Choose another: manage.py up --port {service.port + 1}" in done.stderr


def test_a_database_that_cannot_be_reached_is_named(service, tmp_path):
    other = Service(tmp_path)
    done = up(other, tmp_path, ORIGINMARK_DATABASE_URL="postgresql://nobody@127.0.0.1:9/none")
    assert done.returncode == 1
    assert "The database cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_requests_wait_while_the_web_server_is_replaced(service):
    for _ in range(3):
        server = service.pid_of("web")
        gone = [server, *children_of(server)]
        assert was_killed(server)
        # Its workers die with it a moment later, and what one of them had taken by then is lost with it.
        service.wait_for(lambda gone=gone: not any(is_running(pid) for pid in gone), "server and workers to be gone")
        assert get(service, "/verify/").status_code == 200


def test_it_runs_no_more_processes_than_it_says(service):
    """Web server and two workers; two queues with guard, two workers, pusher and monitor each; clock; supervisor."""
    service.wait_for(lambda: len(service.family()) == 3 + 2 * (1 + 2 + 2) + 1 + 1, "all processes are there")
    assert len(children_of(service.pid)) == 4


def test_another_terminal_may_add_workers(service):
    command = service.command("qwork", "fast", "--workers", "1")
    worker = subprocess.Popen(command, env=service.alias(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    service.wait_for(lambda: len(children_of(worker.pid)) == 3, "worker, pusher and monitor")
    worker.send_signal(signal.SIGTERM)
    output, _ = worker.communicate(timeout=30)
    assert (worker.returncode, output) == (0, "")


def test_ctrl_c_ends_it_cleanly(service):
    code, _seconds = service.stop()
    assert code == 0
    assert service.log.read_text().splitlines()[-1] == "stopped"
    assert service.family() == []
