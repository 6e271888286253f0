"""`manage.py erase` on real files: nothing readable is left anywhere, everything else stays as it was."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.journeys.server import ROOT, own_database

pytestmark = pytest.mark.timeout(300)
# Reads every file of every table; the log of PostgreSQL is out of a client's reach, and docs/trust.md says so.
RELATIONS = (
    "SELECT relname, pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class "
    "WHERE relkind IN ('r', 'i', 't') AND relnamespace = 'public'::regnamespace"
)
KILL = """
import os, signal
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
from ledger.services import erasure
from ledger.services.erasure import clean_up, erase_original
from ledger.models import Original
def die(*args, **options):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(erasure, {point!r}, die)
original = Original.with_erased.get(number={number!r})
clean_up(erase_original(actor=None, original=original, reason="request").pk)
"""


@dataclass
class Place:
    """Directories, a database and what was done in them."""

    environment: dict[str, str]
    url: str
    story: dict[str, Any]

    @property
    def data(self) -> Path:
        return Path(self.environment["ORIGINMARK_DATA"])

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def erase(self, *options: str, check: bool = True) -> dict[str, Any]:
        done = self.run(str(ROOT / "manage.py"), "erase", "--seller", "acme", "--json", *options, check=check)
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def erase_rest(self) -> dict[str, Any]:
        """Finish what was interrupted; there is one erasure."""
        (line,) = self.run(str(ROOT / "manage.py"), "erase", "--json").stdout.splitlines()
        return dict(json.loads(line))

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Every byte that is kept: files of the data directory, tables on PostgreSQL."""
        for path in self.data.rglob("*"):
            if path.is_file():
                yield str(path.relative_to(self.data)), path.read_bytes()
        if self.url:
            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute("CHECKPOINT")
                yield from connection.execute(RELATIONS)

    def found(self) -> set[str]:
        """Which markers stand somewhere, as they are or as hexadecimal text."""
        markers = {name: bytes.fromhex(value) for name, value in self.story["markers"].items()}
        return {
            name
            for _where, content in self.contents()
            for name, marker in markers.items()
            if marker in content or (len(marker) > 8 and marker.hex().encode() in content)
        }


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The story, told once; no test touches it."""
    with own_database() as url:
        made = Place(environment_of(tmp_path_factory.mktemp("filled"), url), url, {})
        told = made.run("-m", "tests.ledger.management.erasure_story").stdout
        made.story = json.loads(told.splitlines()[-1])
        yield made


@pytest.fixture
def place(filled: Place, tmp_path: Path) -> Iterator[Place]:
    with own_database(template=filled.url) as url:
        shutil.copytree(filled.data.parent, tmp_path, dirs_exist_ok=True)
        yield Place(environment_of(tmp_path, url), url, filled.story)


def environment_of(folder: Path, url: str) -> dict[str, str]:
    environment = {
        **os.environ,
        "ORIGINMARK_DATA": str(folder / "data"),
        "ORIGINMARK_KEYS": str(folder / "keys"),
        "ORIGINMARK_DATABASE_URL": url,
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    return environment


def test_nothing_readable_is_left_and_everything_else_stays(place):
    before = place.found()
    assert {"file name", "title", "digest", "identity", "sealed file", "sealed thumbnail"} <= before
    kept = {name for name, _content in place.contents() if name.startswith("blobs/")}
    told = place.erase("--original", place.story["number"], "--dry-run")
    assert place.found() == before, "a dry run writes nothing"
    done = place.erase("--original", place.story["number"])
    assert done["state"] == "done"
    assert done["lost"] == told["lost"]
    assert {row["kind"] for row in done["handed_out"]} == {"certificate", "receipt", "bundle_with_files"}
    assert place.found() == set()
    left = {name for name, _content in place.contents() if name.startswith("blobs/")}
    assert left < kept
    audit(place)
    again = place.erase("--original", place.story["number"], check=False)
    assert again == {"code": "erasure_done_before", "reasons": []}


def test_a_person_is_gone_and_the_pictures_stay_provable(place):
    email = place.story["person"].encode()
    assert any(email in content for _name, content in place.contents())
    done = place.erase("--person", place.story["person"])
    assert (done["target"], done["state"]) == ("person", "done")
    assert not [name for name, content in place.contents() if email in content]
    assert "identity" not in place.found()
    assert {"file name", "digest", "salt and claim"} <= place.found(), "what was registered stays"
    audit(place)
    assert place.erase("--person", place.story["person"], check=False)["code"] == "erasure_unknown_person"


@pytest.mark.parametrize("point", ["_erase_rows", "remove_files", "rewrite_tables"])
def test_a_killed_erasure_is_finished_by_the_next_start(place, point):
    """Before the commit nothing has happened; after it the rest is done by whoever comes next."""
    before = place.found()
    killed = place.run("-c", KILL.format(point=point, number=place.story["number"]), check=False)
    assert killed.returncode == -signal.SIGKILL
    if point == "_erase_rows":
        assert place.found() == before
        place.erase("--original", place.story["number"])
    else:
        finish = "from ledger.models import Job; from ledger.services.jobs import run_job; " + (
            "[run_job(pk) for pk in Job.objects.filter(kind='erasure.clean').values_list('pk', flat=True)]"
        )
        place.run(str(ROOT / "manage.py"), "shell", "-v0", "-c", finish)
    assert place.found() == set()
    audit(place)


@contextmanager
def slow_reader(place: Place) -> Iterator[None]:
    """A session that has read a row and stays in its transaction."""
    with closing(
        psycopg.connect(place.url) if place.url else sqlite3.connect(place.data / "originmark.sqlite3")
    ) as session:
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ" if place.url else "BEGIN")
        assert session.execute("SELECT count(*) FROM ledger_original").fetchone()
        yield


def test_an_erasure_is_not_called_done_while_a_session_still_sees_the_old_rows(place):
    with slow_reader(place):
        assert place.erase("--original", place.story["number"])["state"] == "cleaning"
    assert place.erase_rest()["state"] == "done"
    assert place.found() == set()


def audit(place: Place) -> None:
    """The whole log, and the proof of every entry under a new checkpoint."""
    script = (
        "from tests.log_checks import check_log; from ledger.services.log import seal; "
        "from ledger.services.evidence import evidence_of; from ledger.models import Statement; "
        "from ledger.services.verification import verify_own; seal(); check_log(); "
        "print({verify_own(s).verdict.value for s in Statement.objects.exclude(claim=b'')}, "
        "{c.verdict.value for s in Statement.objects.filter(claim=b'') for c in verify_own(s).checks "
        "if c.name == 'inclusion'})"
    )
    told = place.run(str(ROOT / "manage.py"), "shell", "-v0", "-c", script).stdout
    assert told.strip() in ("{'PASSED'} {'PASSED'}", "{'PASSED'} set()")
