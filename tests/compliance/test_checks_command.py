"""check_hidden: stable JSON, named refusals, no database, exit codes."""

import csv
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.compliance.check_pairs import HIDDEN, MAIN, WEBP
from tests.compliance.checks.pictures import encode, photo, product, with_promotion
from tests.compliance.listings import work
from tests.factories import register

ROOT = Path(__file__).resolve().parents[2]
SECTION_5 = {"verdict", "findings", "ssim", "ssim_masked", "timings_ms"}


@pytest.fixture
def folder(tmp_path):
    files = {"main.jpg": MAIN, "hidden.jpg": HIDDEN, "renamed.jpg": WEBP, "broken.png": encode(product())[:2000]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def run(*arguments: str | Path) -> tuple[str, str]:
    out, errors = StringIO(), StringIO()
    call_command("check_hidden", *map(str, arguments), stdout=out, stderr=errors)
    return out.getvalue(), errors.getvalue()


def checked(folder: Path, hidden: str, *options: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(run(folder / "main.jpg", folder / hidden, "--json", *options)[0])
    return report


def pairs_file(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "pairs.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "main", "hidden", "original", "category"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_the_report_has_every_promised_key(folder):
    report = checked(folder, "renamed.jpg")
    assert report.keys() >= SECTION_5 | {"outcomes", "profile", "not_looked_at", "refused"}
    assert report["verdict"] == "FAILED"
    assert report["refused"] is None
    keys = {"rule", "code", "level", "bbox", "measured", "allowed", "unit"}
    assert all(finding.keys() >= keys for finding in report["findings"])
    assert "ERR_IMG_HID_FORMAT" in [finding["code"] for finding in report["findings"]]
    assert "id" not in report


def test_category_and_profile_are_passed_on(folder):
    report = checked(folder, "hidden.jpg", "--category", "shoes", "--profile", "aliexpress-seed-2024")
    assert (report["hidden_need"], report["profile"]["id"]) == ("mandatory", "aliexpress-seed-2024")


def test_a_refusal_is_json_with_the_same_keys(folder):
    report = checked(folder, "broken.png")
    assert report.keys() == SECTION_5 | {"refused"}
    assert (report["verdict"], report["findings"]) == ("INDETERMINATE", [])
    assert (report["refused"]["side"], report["refused"]["code"]) == ("hidden", "corrupt_image")


def test_many_pairs_answer_line_by_line_in_order(folder):
    path = pairs_file(
        folder,
        {"id": "a", "main": "main.jpg", "hidden": "renamed.jpg", "category": "shoes"},
        {"id": "b", "main": "main.jpg", "hidden": "absent.jpg"},
        {"id": "c", "main": "broken.png", "hidden": "hidden.jpg"},
        {"id": "d", "main": "main.jpg", "hidden": "hidden.jpg"},
    )
    rows = [json.loads(line) for line in run("--pairs", path, "--json")[0].splitlines()]
    assert [row["id"] for row in rows] == ["a", "b", "c", "d"]
    assert [row["verdict"] for row in rows] == ["FAILED", "INDETERMINATE", "INDETERMINATE", "PASSED"]
    refusals = [row["refused"] and (row["refused"]["side"], row["refused"]["code"]) for row in rows]
    assert refusals == [None, ("hidden", "file_unreadable"), ("main", "corrupt_image"), None]
    assert rows[0]["hidden_need"] == "mandatory"


def test_an_original_is_compared_with_when_it_is_given(folder):
    (folder / "original.jpg").write_bytes(encode(photo(), "JPEG", quality=95))
    (folder / "clean.jpg").write_bytes(encode(photo(), "JPEG"))
    (folder / "left.jpg").write_bytes(encode(with_promotion(photo(), (40, 40, 90, 60)), "JPEG"))
    path = pairs_file(
        folder,
        {"id": "clean", "main": "clean.jpg", "hidden": "clean.jpg", "original": "original.jpg"},
        {"id": "left", "main": "left.jpg", "hidden": "left.jpg", "original": "original.jpg"},
        {"id": "alone", "main": "left.jpg", "hidden": "left.jpg", "original": ""},
        {"id": "absent", "main": "left.jpg", "hidden": "left.jpg", "original": "absent.jpg"},
    )
    clean, left, alone, absent = (json.loads(line) for line in run("--pairs", path, "--json")[0].splitlines())
    assert (clean["verdict"], clean["original"]["path"]) == ("PASSED", "same")
    assert (left["verdict"], left["findings"][0]["code"]) == ("FAILED", "ERR_IMG_HID_RESIDUE")
    assert left["findings"][0]["bbox"] == pytest.approx([40, 40, 91, 61], abs=3)
    assert (alone["verdict"], alone["original"]) == ("INDETERMINATE", None)
    assert "CONFIRM" in {finding["level"] for finding in alone["findings"]}
    assert absent["refused"] == {"side": "original", "code": "file_unreadable", "detail": "FileNotFoundError"}
    single = checked(folder, "left.jpg", "--original", str(folder / "original.jpg"))
    assert "ERR_IMG_HID_RESIDUE" in [finding["code"] for finding in single["findings"]]


@pytest.mark.django_db
@pytest.mark.usefixtures("log")
def test_the_original_is_looked_up_among_a_sellers_registered_ones(folder, seller):
    register(seller, encode(photo(), "JPEG", quality=95))
    work()
    (folder / "left.jpg").write_bytes(encode(with_promotion(photo(), (40, 40, 90, 60)), "JPEG"))
    report = json.loads(run(folder / "left.jpg", folder / "left.jpg", "--seller", seller.slug, "--json")[0])
    assert report["original"]["name"] == "photo-0.jpg"
    assert report["findings"][0]["code"] == "ERR_IMG_HID_RESIDUE"
    with pytest.raises(CommandError, match="no seller nobody"):
        run(folder / "left.jpg", folder / "left.jpg", "--seller", "nobody")


def test_no_pairs_give_no_lines(folder):
    assert run("--pairs", pairs_file(folder), "--json") == ("", "")


def test_people_read_verdict_and_findings(folder):
    out, _errors = run(folder / "main.jpg", folder / "renamed.jpg")
    assert out.startswith("FAILED")
    assert "H05 ERR_IMG_HID_FORMAT  WEBP (allowed JPEG, PNG)" in out
    assert "not looked at: H23" in out


def test_people_read_refusals(folder):
    assert "hidden corrupt_image" in run(folder / "main.jpg", folder / "broken.png")[0]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["main.jpg"],
        ["main.jpg", "absent.jpg"],
        ["main.jpg", "hidden.jpg", "--pairs", "x.csv"],
        ["--pairs", "x.csv"],
    ],
)
def test_a_wrong_call_is_an_error(folder, arguments, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(CommandError):
        run(*arguments)


def test_an_unknown_profile_is_an_error(folder):
    with pytest.raises(CommandError, match=r"profile\.unknown"):
        run(folder / "main.jpg", folder / "hidden.jpg", "--profile", "nobody")


@pytest.mark.parametrize("content", [b"id,main\n1,a.jpg\n", b"", b"\xff\xfe\x00"])
def test_a_file_that_is_no_list_of_pairs_is_an_error(folder, content):
    (folder / "pairs.csv").write_bytes(content)
    with pytest.raises(CommandError):
        run("--pairs", folder / "pairs.csv")


def test_it_runs_without_a_database(folder, tmp_path):
    environment = os.environ | {
        "ORIGINMARK_DATABASE_URL": "postgres://nobody@127.0.0.1:1/absent",
        "ORIGINMARK_DATA": str(tmp_path / "data"),
        "ORIGINMARK_KEYS": str(tmp_path / "keys"),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    command = [sys.executable, "-m", "django", "check_hidden", "main.jpg", "renamed.jpg", "--json"]
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["verdict"] == "FAILED"
