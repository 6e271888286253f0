"""`manage.py export` and `restore` on real directories: the same bytes and root, or nothing at all."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.images import jpeg_bytes, product_photo
from tests.journeys.server import ROOT, own_database

pytestmark = pytest.mark.timeout(300)
POSTGRESQL = os.environ.get("ORIGINMARK_DATABASE_URL", "")
# What two installations have to agree on: every stored byte of the log and of what stands behind it.
DIGEST = """
import hashlib, json
from ledger.models import *
from ledger.services.blobs import read_blob
from ledger.services.log import seal
from ledger.services.verification import verify_own
from tests.log_checks import check_log
seal(); check_log()
digest = hashlib.sha256()
for row in Entry.objects.order_by("seq"): digest.update(bytes(row.body) + bytes(row.leaf_hash))
for row in Statement.objects.order_by("entry"): digest.update(bytes(row.claim) + bytes(row.identity) + row.label.encode())
for row in Blob.objects.order_by("id"): digest.update(read_blob(row))
verdicts = {verify_own(row).verdict.value for row in Statement.objects.exclude(seller=None)}
print(json.dumps([LogHead.objects.get().size, bytes(LogHead.objects.get().frontier).hex(), digest.hexdigest(), sorted(verdicts)]))
"""
KILL = """
import os, signal, sys
import django
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
from django.core.management import call_command
from ledger.management.commands import export
from ledger.services import backup, epochs, restore
def die(*args, **options):
    os.kill(os.getpid(), signal.SIGKILL)
setattr({module}, {point!r}, die)
call_command(*sys.argv[1:])
"""


@dataclass
class Installation:
    """One data directory, key directory and database."""

    folder: Path
    url: str = ""

    @property
    def environment(self) -> dict[str, str]:
        environment = {
            **os.environ,
            "ORIGINMARK_DATA": str(self.folder / "data"),
            "ORIGINMARK_KEYS": str(self.folder / "keys"),
            "ORIGINMARK_DATABASE_URL": self.url,
        }
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        return environment

    def python(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.python(str(ROOT / "manage.py"), *arguments, check=check)

    def register(self, *seeds: int) -> subprocess.CompletedProcess[str]:
        folder = self.folder / f"photos-{secrets.token_hex(4)}"
        folder.mkdir(parents=True)
        for seed in seeds:
            (folder / f"photo-{seed}.jpg").write_bytes(jpeg_bytes(product_photo(seed, (64, 80))))
        return self.manage("register", str(folder), "--seller", "acme", "--json", check=False)

    def facts(self) -> list[Any]:
        return list(json.loads(self.manage("shell", "-v0", "-c", DIGEST).stdout.splitlines()[-1]))

    def export(self, name: str = "backup.tar") -> Path:
        self.manage("export", "--out", str(self.folder / name), "--json")
        return self.folder / name

    def refused(self, *arguments: str) -> str:
        done = self.manage("restore", *arguments, "--json", check=False)
        assert done.returncode == 1, done.stdout
        return str(json.loads(done.stdout.splitlines()[-1])["code"])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Three registered photos, made once; no test touches it."""
    with own_database() as url:
        made = Installation(tmp_path_factory.mktemp("filled") / "here", url)
        made.register(1, 2, 3)
        yield made


@pytest.fixture
def here(filled: Installation, tmp_path: Path) -> Iterator[Installation]:
    with own_database(template=filled.url) as url:
        yield Installation(shutil.copytree(filled.folder, tmp_path / "here"), url)


@contextmanager
def there(here: Installation, name: str = "there", *, with_keys: bool = True) -> Iterator[Installation]:
    """An empty installation; with the keys of the other, as they were copied apart from the data."""
    with own_database() as url:
        made = Installation(here.folder.parent / name, url)
        made.folder.mkdir()
        if with_keys:
            shutil.copytree(here.folder / "keys", made.folder / "keys")
        yield made


def test_a_restored_installation_is_the_same_and_goes_on(here):
    told = json.loads(here.manage("export", "--out", str(here.folder), "--json").stdout)
    assert told["size"] == 3
    assert told["files"] >= 3
    facts = here.facts()
    assert facts[3] == ["PASSED"]
    with there(here) as other:
        other.manage("restore", told["file"])
        assert other.facts() == facts
        assert '"seq": 3' in other.register(4).stdout
        assert other.facts()[3] == ["PASSED"]
        assert other.refused(told["file"]) == "restore_not_empty"


def test_no_key_and_no_plain_picture_is_in_a_backup(here):
    content = here.export().read_bytes()
    for path in (here.folder / "keys").iterdir():
        assert not path.read_bytes().strip() or path.read_bytes().strip() not in content
    assert jpeg_bytes(product_photo(1, (64, 80)))[200:300] not in content


def test_a_backup_is_never_overwritten(here):
    backup = here.export()
    before = backup.read_bytes()
    assert here.manage("export", "--out", str(backup), check=False).returncode == 1
    assert backup.read_bytes() == before


@pytest.mark.parametrize("share", [0.001, 0.5, 0.995])
def test_a_changed_or_cut_backup_restores_nothing(here, share):
    content = bytearray(here.export().read_bytes())
    place = int(len(content) * share)
    while content[place] == 0:
        place -= 1
    content[place] ^= 1
    changed, cut = here.folder / "changed.tar", here.folder / "cut.tar"
    changed.write_bytes(content)
    cut.write_bytes(content[: int(len(content) * share)])
    with there(here) as other:
        assert other.refused(str(changed)) in ("backup_damaged", "backup_other_version")
        assert other.refused(str(cut)) == "backup_damaged"
        assert (
            other.manage("shell", "-v0", "-c", "from ledger.models import *; print(Entry.objects.count())").stdout
            == "0\n"
        )


def test_the_right_keys_have_to_be_there(here):
    backup = here.export()
    with there(here, with_keys=False) as other:
        assert other.refused(str(backup)) == "restore_keys_missing"
        assert other.refused(str(here.folder / "absent.tar")) == "backup_missing"
        (other.folder / "keys").mkdir()
        for path in (here.folder / "keys").iterdir():
            shutil.copy(path, other.folder / "keys")
        (other.folder / "keys" / "storage.key").write_text("00" * 32)
        assert other.refused(str(backup)) == "restore_other_keys"
        shutil.copy(here.folder / "keys" / "storage.key", other.folder / "keys")
        other.manage("restore", str(backup))


def test_an_older_head_is_refused_and_goes_on_in_a_new_epoch_by_the_operators_word(here):
    older = here.export()
    here.register(4)
    assert here.facts()[0] == 4, "sealed, so the signer remembers it"
    with there(here) as other:
        assert other.refused(str(older)) == "log_behind"
        assert other.manage("restore", str(older), "--accept-older", check=False).returncode == 1
        word = ("--accept-older", "--reason", "restored", "--note", "the disk broke")
        told = json.loads(other.manage("restore", str(older), *word, "--json").stdout.splitlines()[-1])
        assert (told["behind"], told["epoch"]["epoch"], told["epoch"]["lost"], told["epoch"]["again"]) == (1, 2, 1, 3)
        assert '"seq": 4' in other.register(5).stdout, "behind the epoch's first entry and three that stand once more"
        facts = other.facts()
        assert (facts[0], facts[3]) == (5, ["PASSED"])
        assert "PASSED: log" in other.manage("audit_log", "--blobs").stdout
        with there(other, "third") as third:
            third.manage("restore", str(other.export()))
            assert third.facts() == facts
            assert third.manage("begin_epoch", "--reason", "restored", "--yes", check=False).returncode == 1
        with there(other, "fourth") as fourth:
            assert fourth.refused(str(older)) == "log_behind", "a copy from before the epoch stays behind"


@pytest.mark.parametrize("point", ["_enter_again", "complete_epoch"])
def test_a_killed_beginning_of_an_epoch_leaves_the_old_log_or_the_new_one(here, point):
    older = here.export()
    here.register(4)
    here.facts()
    with there(here) as other:
        script = KILL.format(module="epochs", point=point)
        word = ("--accept-older", "--reason", "restored")
        killed = other.python("-c", script, "restore", str(older), *word, check=False)
        assert killed.returncode == -signal.SIGKILL
        is_new = point == "complete_epoch"
        begun = other.manage("begin_epoch", "--reason", "restored", "--yes", check=False)
        assert (begun.returncode != 0) is is_new
        assert "PASSED: log" in other.manage("audit_log", check=False).stdout or is_new
        assert '"seq": 4' in other.register(5).stdout
        assert other.facts()[3] == ["PASSED"]


@pytest.mark.parametrize("point", ["_add_files", "publish"])
def test_a_killed_export_leaves_no_backup(here, point):
    target = here.folder / "backup.tar"
    module = "export" if point == "publish" else "backup"
    script = KILL.format(module=module, point=point)
    killed = here.python("-c", script, "export", "--out", str(target), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not target.exists()
    assert here.export().exists()
    assert not list(here.folder.glob("*.partial"))
    assert not list((here.folder / "data").glob(".export-*"))


@pytest.mark.parametrize("point", ["_restore_table", "_require_keys", "_reset_sequences"])
def test_a_killed_restore_leaves_nothing_half_valid_and_can_be_repeated(here, point):
    backup, facts = here.export(), here.facts()
    with there(here) as other:
        killed = other.python("-c", KILL.format(module="restore", point=point), "restore", str(backup), check=False)
        assert killed.returncode == -signal.SIGKILL
        count = "from ledger.models import *; print(Entry.objects.count(), LogHead.objects.count())"
        assert other.manage("shell", "-v0", "-c", count).stdout == "0 0\n"
        other.manage("restore", str(backup))
        assert other.facts() == facts


def test_an_export_while_photos_are_registered_is_of_one_moment(here):
    folder = here.folder / "many"
    folder.mkdir()
    for seed in range(100, 220):
        (folder / f"{seed}.jpg").write_bytes(jpeg_bytes(product_photo(seed, (32, 40))))
    command = [sys.executable, str(ROOT / "manage.py"), "register", str(folder), "--seller", "acme"]
    busy = subprocess.Popen(command, cwd=ROOT, env=here.environment, stdout=subprocess.DEVNULL)
    sizes: list[int] = []
    while busy.poll() is None or not sizes:
        backup = here.export(f"backup-{len(sizes)}.tar")
        with tarfile.open(backup) as archive:
            manifest = archive.extractfile("manifest.json")
            assert manifest is not None
            sizes.append(json.loads(manifest.read())["size"])
    assert busy.returncode == 0
    with there(here) as other:
        # Later exports may be newer than what this key directory signed, never older.
        other.manage("restore", str(backup))
        assert other.facts()[0] == sizes[-1]
        assert other.facts()[3] == ["PASSED"]


@pytest.mark.skipif(not POSTGRESQL, reason="needs a PostgreSQL to move to")
def test_sqlite_moves_to_postgresql_with_the_same_bytes_and_root(tmp_path):
    here = Installation(tmp_path / "sqlite")
    here.register(1, 2, 3)
    backup, facts = here.export(), here.facts()
    with there(here) as other:
        assert other.url
        other.manage("restore", str(backup))
        assert other.facts() == facts
        with psycopg.connect(other.url) as connection:
            assert connection.execute("SELECT count(*) FROM ledger_entry").fetchone() == (3,)
        assert '"seq": 3' in other.register(4).stdout, "keys go on from where the rows ended"
