"""The bill of materials says what the lock and the vendored files say, and every dependency is accounted for."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cyclonedx.model.bom import Bom

from config.sbom import bill_of_materials, direct_dependencies, normalise, read_lock

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGE = (ROOT / "docs/operate/dependencies.md").read_text()


@pytest.fixture(scope="module")
def bom() -> dict:
    return bill_of_materials()


def test_the_command_prints_the_same_bytes_each_time():
    def run() -> bytes:
        return subprocess.run([sys.executable, "-m", "config.sbom"], cwd=ROOT, capture_output=True, check=True).stdout

    first = run()
    assert first == run()
    assert json.loads(first)["bomFormat"] == "CycloneDX"


def test_another_reader_understands_it(bom):
    parsed = Bom.from_json(bom)  # type: ignore[attr-defined]  # made by a decorator
    assert parsed.validate()
    assert {component.name for component in parsed.components} >= {"django", "pillow", "@tabler/core"}


def test_every_pinned_package_is_in_it_once_with_its_files(bom):
    pinned = re.findall(
        r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s\\]+)", (ROOT / "requirements.lock").read_text(), re.M
    )
    listed = [(c["name"], c["version"]) for c in bom["components"] if c["purl"].startswith("pkg:pypi/")]
    assert sorted(listed) == sorted((normalise(name), version) for name, version in pinned)
    hashes = sum(len(c["properties"]) for c in bom["components"] if "properties" in c)
    assert hashes == (ROOT / "requirements.lock").read_text().count("--hash=sha256:")


def test_vendored_files_are_there_with_the_digest_of_what_is_committed(bom):
    files = [file for c in bom["components"] for file in c.get("components", [])]
    assert len(files) >= 5
    for file in files:
        (path,) = [
            *ROOT.glob(f"static/vendor/{file['name']}"),
            *ROOT.glob(f"static/{file['name']}"),
            *ROOT.glob(f"ledger/pdf/fonts/{file['name']}"),
        ]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["hashes"][0]["content"], file["name"]


def test_what_the_project_asks_for_is_pinned():
    names = {name for name, _version, _hashes in read_lock((ROOT / "requirements.lock").read_text())}
    assert [name for name in direct_dependencies(PROJECT) if name not in names] == []


def rows() -> dict[str, list[str]]:
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")
    ]
    return {row[0]: row[1:] for row in cells if row[0] != "Package"}


def test_every_direct_dependency_is_justified_and_none_that_is_gone():
    assert sorted(rows()) == direct_dependencies(PROJECT)


def test_every_row_says_why_licence_who_and_what_if():
    assert [name for name, cells in rows().items() if len(cells) != 4 or not all(cells)] == []


def test_every_direct_dependency_is_used():
    """A dependency that no code imports is not one."""
    modules = {
        "brotli": "whitenoise",
        "django-allauth": "allauth",
        "django-csp": "csp",
        "faiss-cpu": "faiss",
        "opencv-python-headless": "cv2",
        "pillow": "PIL",
        "psycopg": "django.db.backends.postgresql",
        "zxing-cpp": "zxingcpp",
        "django-q2": "django_q",
        "django-template-partials": "template_partials",
    }
    code = "".join(p.read_text() for top in ("config", "ledger", "compliance") for p in (ROOT / top).rglob("*.py"))
    unused = [
        name
        for name in direct_dependencies(PROJECT)
        if not re.search(rf"\b{re.escape(modules.get(name, name.replace('-', '_')))}\b", code)
    ]
    assert unused == []
