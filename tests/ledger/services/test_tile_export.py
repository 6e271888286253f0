"""The log as files: a stranger gets entries, root and proofs from them alone; damage is named; growth is cheap."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from ledger.models import Checkpoint, Entry, LogHead
from ledger.services.audit import audit_log
from ledger.services.log import LogForkError, proof_of, seal
from ledger.services.setup import create_log
from ledger.services.spans import hashes_of
from ledger.services.tile_export import ExportFolderError, audit_tiles, export_tiles
from ledger.tlog import merkle
from ledger.tlog.report import Verdict
from tests.ledger.rfc6962 import audit_path, consistency, tree_head
from tests.ledger.services.test_log import append, roll_back_to
from tests.ledger.tile_client import TileClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "public"


def client(folder: Path) -> TileClient:
    def fetch(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except FileNotFoundError as error:
            raise LookupError(path) from error

    return TileClient(fetch)


def grow(seller, count: int, folder: Path) -> TileClient:
    append(seller, count)
    seal()
    export_tiles(folder=folder)
    return client(folder)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 515])
def test_a_stranger_gets_root_and_proofs_from_files_alone(log, seller, folder, size):
    tiles = grow(seller, size, folder)
    entries = tiles.entries()
    assert entries == [bytes(row.body) for row in Entry.objects.order_by("seq")]
    assert tree_head(entries) == tiles.signed_root
    assert tiles.upper_tiles_fit(entries) == size // 256
    checkpoint = Checkpoint.objects.get(pk=size)
    for seq in {0, size // 2, size - 1}:
        assert list(proof_of(Entry.objects.get(seq=seq), checkpoint).path) == audit_path(seq, entries)


def test_our_consistency_proofs_are_those_of_the_rfc(log, seller, folder):
    entries = grow(seller, 300, folder).entries()
    for old in (1, 2, 127, 128, 255, 256, 257, 299):
        assert merkle.consistency_proof(old, 300, hashes_of(0)) == consistency(old, entries)


def test_growing_writes_only_what_is_new_and_drops_outgrown_partial_tiles(log, seller, folder):
    grow(seller, 200, folder)
    assert (folder / "tile/0/000.p/200").is_file()
    first = grow(seller, 100, folder)
    full = (folder / "tile/0/000").stat().st_mtime_ns
    assert not (folder / "tile/0/000.p").exists()
    second = grow(seller, 1, folder)
    assert (first.size, second.size) == (300, 301)
    assert (folder / "tile/0/000").stat().st_mtime_ns == full
    assert tree_head(second.entries()) == second.signed_root


def test_partial_tiles_of_the_checkpoint_before_stay_while_they_grow(log, seller, folder):
    grow(seller, 5, folder)
    grow(seller, 2, folder)
    assert sorted(p.name for p in (folder / "tile/0/000.p").iterdir()) == ["5", "7"]


def test_an_export_cut_short_is_completed(log, seller, folder):
    append(seller, 300)
    seal()
    (folder / "tile/0").mkdir(parents=True)
    (folder / "tile/0/.000.cut").write_bytes(b"half")
    export_tiles(folder=folder)
    assert tree_head(client(folder).entries()) == client(folder).signed_root


def test_entries_no_checkpoint_covers_are_not_given_away(log, seller, folder):
    grow(seller, 3, folder)
    append(seller, 4)
    assert export_tiles(folder=folder).tree_size == 3


def test_another_folder_is_not_touched(log, seller, folder):
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(ExportFolderError):
        grow(seller, 3, folder)
    assert [p.name for p in folder.iterdir()] == ["holiday.jpg"]


def test_the_folder_of_another_log_is_not_touched(log, seller, folder):
    grow(seller, 3, folder)
    LogHead.objects.all().delete()
    Path(folder / "checkpoint").write_text((folder / "checkpoint").read_text().replace("originmark", "other"))
    create_log()
    with pytest.raises(ExportFolderError):
        export_tiles(folder=folder)


def test_a_restored_old_log_does_not_replace_what_was_published(log, seller, folder):
    grow(seller, 3, folder)
    grow(seller, 3, folder)
    roll_back_to(3)
    with pytest.raises(LogForkError):
        export_tiles(folder=folder)
    assert client(folder).size == 6


# Audit of the files -----------------------------------------------------------------------------------------------


def problems(folder: Path) -> list[tuple[str, str]]:
    audit = audit_log(extra_parts=[audit_tiles(folder)])
    return [(problem.code, problem.item) for problem in audit.problems]


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000"])
def test_an_altered_tile_is_named(log, seller, folder, path):
    grow(seller, 300, folder)
    assert problems(folder) == []
    data = (folder / path).read_bytes()
    (folder / path).write_bytes(data[: 40 % len(data)] + bytes([data[40 % len(data)] ^ 1]) + data[40 % len(data) + 1 :])
    assert problems(folder) == [("audit.tile", path)]


def test_a_missing_tile_is_named(log, seller, folder):
    grow(seller, 300, folder)
    (folder / "tile/0/001.p/44").unlink()
    assert problems(folder) == [("audit.tile_missing", "tile/0/001.p/44")]


def test_a_partial_tile_in_the_place_of_a_full_one_is_named(log, seller, folder):
    grow(seller, 300, folder)
    full = folder / "tile/0/000"
    full.write_bytes(full.read_bytes()[: 32 * 255])
    assert problems(folder) == [("audit.tile_width", "tile/0/000")]


def test_an_exported_checkpoint_that_was_never_signed_is_named(log, seller, folder):
    grow(seller, 3, folder)
    text = (folder / "checkpoint").read_text().split("\n")
    text[2] = "A" * 43 + "="
    (folder / "checkpoint").write_text("\n".join(text))
    assert problems(folder) == [("audit.tile", "checkpoint")]


def test_a_folder_without_a_log_leaves_the_answer_open(log, seller, folder):
    append(seller)
    seal()
    assert audit_log(extra_parts=[audit_tiles(folder)]).verdict is Verdict.INDETERMINATE


# The command ------------------------------------------------------------------------------------------------------


def test_the_command_exports_and_says_how_much(log, seller, folder):
    append(seller, 2)
    seal()
    out = StringIO()
    call_command("export_tiles", "--out", str(folder), stdout=out)
    assert "2 entries" in out.getvalue()
    assert sorted(p.name for p in folder.iterdir()) == ["checkpoint", "log.json", "policy", "tile"]


def test_the_command_refuses_a_strange_folder(log, folder):
    folder.mkdir()
    (folder / "x").write_bytes(b"")
    with pytest.raises(CommandError):
        call_command("export_tiles", "--out", str(folder))
