"""What deploy/ ships: units that systemd accepts, an image without root, proxies with caps, and the restore drill itself."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.uploads import MAX_UPLOAD_BYTES
from tests.ledger.management.test_backup import Installation, there

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [path for path in UNITS if path.suffix == ".service"]


def unit(path: Path) -> configparser.RawConfigParser:
    """A unit's sections; of a repeated key the last value."""
    parsed = configparser.RawConfigParser(strict=False)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read_string(path.read_text())
    return parsed


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_accepts_the_units(tmp_path):
    """With the checkout in the place that the units name."""
    for path in UNITS:
        text = path.read_text().replace("/srv/originmark", str(ROOT)).replace("/usr/bin/python3", sys.executable)
        (tmp_path / path.name).write_text(text)
    files = [str(tmp_path / path.name) for path in UNITS if "@" not in path.name]
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "originmark" in line and "Failed to connect" not in line]
    assert ours == []


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_services_run_as_a_user_without_rights_and_apart_from_their_keys(path):
    service = unit(path)["Service"]
    assert service["User"] == "originmark"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["ProtectSystem"] == "strict"
    assert service["UMask"] == "0077"
    assert {"originmark", "originmark-keys"} <= set(service["StateDirectory"].split())


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_services_start_commands_that_exist(path):
    command = re.search(r"manage\.py (\w+)", unit(path)["Service"]["ExecStart"])
    assert command is not None
    assert (ROOT / "ledger/management/commands" / f"{command[1]}.py").exists()


def test_every_timer_has_its_service():
    names = {path.name for path in UNITS}
    timers = [path for path in UNITS if path.suffix == ".timer"]
    assert len(timers) == 3
    assert [path.name for path in timers if path.with_suffix(".service").name not in names] == []


def test_the_image_is_not_root_and_keeps_data_and_keys_apart():
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    last = "\n".join(lines[max(n for n, line in enumerate(lines) if line.startswith("FROM")) :])
    assert re.search(r"^USER 10001:10001$", last, re.M)
    assert 'VOLUME ["/data", "/keys"]' in last
    assert "--require-hashes" in "\n".join(lines)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", last, re.M)
    missing = [name for line in copied for name in line.split() if not (ROOT / name).exists()]
    assert missing == []
    assert not re.search(r"^COPY (\.|tests|keys|data) ", last, re.M)


@pytest.mark.parametrize("name", ["Caddyfile", "nginx.conf"])
def test_proxies_cap_bodies_above_what_is_taken_and_set_the_trusted_headers(name):
    text = (DEPLOY / name).read_text()
    if name == "nginx.conf":
        text += (DEPLOY / "originmark_proxy.conf").read_text()
    caps = [int(size) for size in re.findall(r"(?:max_size|client_max_body_size) (\d+)(?:MiB|m;)$", text, re.M)]
    assert MAX_UPLOAD_BYTES < max(caps) * 2**20 < MAX_UPLOAD_BYTES * 1.1
    assert min(caps) > 64  # evidence to be verified
    for header in ("X-Forwarded-Proto", "X-Forwarded-For", "X-Request-Id"):
        assert header in text
    assert "/metrics" in text
    assert "$proxy_add_x_forwarded_for" not in text, "it would pass on what a client sent"


def test_braces_of_the_proxy_examples_close():
    for name in ("Caddyfile", "nginx.conf"):
        text = re.sub(r"#.*", "", (DEPLOY / name).read_text())
        assert text.count("{") == text.count("}")


# The drill --------------------------------------------------------------------------------------------------------


def drill(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ORIGINMARK_PYTHON": sys.executable}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    return subprocess.run(
        [str(DEPLOY / "restore-drill"), *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def site(tmp_path) -> Installation:
    made = Installation(tmp_path / "site")
    made.register(1, 2)
    return made


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.timeout(300)
def test_the_drill_passes_on_a_good_backup_and_touches_nothing(site, tmp_path):
    backup = site.export()
    keys = shutil.copytree(site.folder / "keys", tmp_path / "keys-copy")
    before = everything(site.folder) | everything(keys)
    done = drill(str(backup), str(keys))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED: log" in done.stdout
    assert done.stderr.endswith("--- the drill passed\n")
    assert everything(site.folder) | everything(keys) == before


@pytest.mark.timeout(300)
def test_the_drill_fails_on_a_damaged_backup_and_on_other_keys(site, tmp_path):
    backup = site.export()
    content = bytearray(backup.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "damaged.tar").write_bytes(content)
    done = drill(str(tmp_path / "damaged.tar"), str(site.folder / "keys"))
    assert done.returncode != 0
    assert "the drill passed" not in done.stderr
    with there(site, with_keys=False) as other:
        other.register(9)
        assert drill(str(backup), str(other.folder / "keys")).returncode != 0
