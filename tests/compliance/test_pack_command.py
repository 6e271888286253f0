"""make_pack: files in the folder, stable JSON, a summary for a batch, named refusals, no database."""

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from compliance.packs.summary import COLUMNS, SummaryRow, format_summary
from tests.compliance.packs.pictures import original, overlay, photo, promoted
from tests.images import jpeg_bytes

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"verdict", "files", "check", "timings_ms", "refused"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures")
    (path / "original.jpg").write_bytes(original())
    (path / "overlay.png").write_bytes(overlay())
    (path / "main.jpg").write_bytes(jpeg_bytes(promoted(photo())))
    (path / "other.jpg").write_bytes(original(9))
    (path / "broken.jpg").write_bytes(original()[:2000])
    return path


def run(*arguments: str | Path) -> str:
    out = StringIO()
    call_command("make_pack", *map(str, arguments), stdout=out)
    return out.getvalue()


def batch_file(folder: Path, rows: list[dict[str, str]], name="batch.csv") -> Path:
    path = folder / name
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["sku", "original", "overlay", "main", "category"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_files_lie_in_the_folder_and_are_described(folder, tmp_path):
    line = run(folder / "original.jpg", "--overlay", folder / "overlay.png", "--out", tmp_path / "new", "--json")
    pack = json.loads(line)
    assert pack.keys() >= KEYS | {"pack_version", "outside_promotion", "promotion"}
    assert "sku" not in pack
    assert [row["role"] for row in pack["files"]] == ["main", "hidden", "detail"]
    for row in pack["files"]:
        data = (tmp_path / "new" / row["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert len(data) == row["bytes"]
        assert row.keys() >= {"width", "height", "mime", "relation"}
    assert pack["verdict"] == pack["check"]["verdict"] != "FAILED"
    assert pack["outside_promotion"]["differing_px"] == 0


def test_a_main_image_is_taken(folder, tmp_path):
    pack = json.loads(run(folder / "original.jpg", "--main", folder / "main.jpg", "--out", tmp_path, "--json"))
    assert pack["refused"] is None
    assert pack["files"][0]["relation"]["steps"] == ["overlaid"]


def test_a_batch_answers_line_by_line_and_is_summed_up(folder, tmp_path):
    path = batch_file(
        folder,
        [
            {"sku": "A-1", "original": "original.jpg", "overlay": "overlay.png", "category": "shoes"},
            {"sku": "A-2", "original": "absent.jpg"},
            {"sku": "A-3", "original": "other.jpg", "main": "main.jpg"},
            {"sku": "A-4", "original": "other.jpg", "overlay": "overlay.png", "main": "main.jpg"},
            {"sku": "A-5", "original": "broken.jpg"},
            {"sku": "A-6", "original": "other.jpg"},
        ],
    )
    rows = [json.loads(line) for line in run("--batch", path, "--out", tmp_path, "--json").splitlines()]
    assert [row["sku"] for row in rows] == ["A-1", "A-2", "A-3", "A-4", "A-5", "A-6"]
    refusals = [row["refused"] and (row["refused"]["side"], row["refused"]["code"]) for row in rows]
    assert refusals == [
        None,
        ("original", "file_unreadable"),
        ("", "pack.main_not_from_original"),
        ("", "pack.overlay_and_main"),
        ("original", "corrupt_image"),
        None,
    ]
    assert rows[0]["check"]["hidden_need"] == "mandatory"
    summary = list(csv.DictReader(io.StringIO((tmp_path / "packs.csv").read_text("utf-8-sig"))))
    assert tuple(summary[0]) == COLUMNS
    assert [(row["sku"], row["file"]) for row in summary[:3]] == [
        ("A-1", "A-1/main.jpg"),
        ("A-1", "A-1/hidden.jpg"),
        ("A-1", "A-1/detail.jpg"),
    ]
    assert len(summary) == 10
    assert [row["refused"] for row in summary if row["refused"]] == [answer[1] for answer in refusals if answer]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A-1", "A-6", "packs.csv"]


@pytest.mark.parametrize("sku", ["", "..", "a.", "a/b", "a b", "=1", "x" * 101])
def test_a_sku_that_is_no_folder_name_is_refused_before_anything_is_made(folder, tmp_path, sku):
    path = batch_file(folder, [{"sku": sku, "original": "original.jpg"}], "bad.csv")
    with pytest.raises(CommandError, match="line 2"):
        run("--batch", path, "--out", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_sku_stands_once_in_a_batch(folder, tmp_path):
    path = batch_file(folder, [{"sku": sku, "original": "original.jpg"} for sku in ("a", "A")], "twice.csv")
    with pytest.raises(CommandError, match="line 3: sku A stands there twice"):
        run("--batch", path, "--out", tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["original.jpg", "--overlay", "overlay.png", "--main", "main.jpg"],
        ["absent.jpg"],
        ["original.jpg", "--batch", "x.csv"],
        ["--batch", "x.csv"],
        ["--batch", "x.csv", "--overlay", "overlay.png"],
        ["original.jpg", "--profile", "nobody"],
    ],
)
def test_a_wrong_call_is_an_error(folder, tmp_path, arguments, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(CommandError):
        run(*arguments, "--out", tmp_path)


def test_people_read_files_and_refusals(folder, tmp_path):
    assert "main.jpg  720x900" in run(folder / "original.jpg", "--out", tmp_path)
    assert "NO PACK" in run(folder / "broken.jpg", "--out", tmp_path)


def test_it_runs_without_a_database(folder, tmp_path):
    environment = os.environ | {
        "ORIGINMARK_DATABASE_URL": "postgres://nobody@127.0.0.1:1/absent",
        "ORIGINMARK_DATA": str(tmp_path / "data"),
        "ORIGINMARK_KEYS": str(tmp_path / "keys"),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "django", "make_pack", "original.jpg", "--out", str(tmp_path / "out"), "--json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(json.loads(done.stdout)["files"]) == 3


def test_no_cell_of_the_summary_runs_as_a_formula():
    row = format_summary([SummaryRow("=HYPERLINK()", refused="x")]).decode("utf-8-sig").splitlines()[1]
    assert row.startswith("'=")
