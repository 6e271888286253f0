"""The documentation says what is: paths exist, commands run, settings, codes and checks are all described."""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from compliance.checks.codes import CODES
from config.describe_errors import format_errors
from ledger.error_texts import TEXTS
from ledger.imaging.errors import ADMISSION_ERRORS, DECODE_ERRORS
from ledger.services.evidence import core_files, evidence_of
from ledger.tlog.bundle import format_bundle
from tests.factories import register_one
from tests.images import jpeg_bytes, product_photo

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
CODE = sorted(path for top in ("config", "ledger", "compliance") for path in (ROOT / top).rglob("*.py"))
PATH_SUFFIXES = (".py", ".md", ".toml", ".typ", ".lock", ".yml", ".html", ".js", ".txt", "/")
# Paths that exist on a running site or inside a bundle, not in the checkout.
WRITTEN_BY_THE_SITE = re.compile(r"^(data|keys|blobs|static|originals|photos|pictures)/|^VERIFY\.(en|zh)\.txt$")

# Every command that README.md and README.zh.md show, and where it is carried out.
README_COMMANDS = {
    "python3 manage.py up": "tests/journeys/",
    "python3 manage.py test": "the command that runs this test",
    "python3 -m ledger.tlog verify BUNDLE.zip": "test_readme_command_verifies_a_bundle",
}


def shown_commands(page: Path) -> list[str]:
    """Lines of indented code blocks that start a program of ours."""
    lines = re.findall(
        r"^(?: {4}| {7})((?:[A-Z_]+=\S+ )*(?:python3?|\.venv/bin/\S+|\.ci/run)\b.*)$", page.read_text(), re.M
    )
    return [line.strip() for line in lines]


def paths_named_in(page: Path) -> list[str]:
    """What stands between back ticks and looks like a path of the checkout."""
    words = re.findall(r"`([A-Za-z0-9_.][A-Za-z0-9_./-]*)`", page.read_text())
    return [
        word for word in words if "/" in word and word.endswith(PATH_SUFFIXES) and not WRITTEN_BY_THE_SITE.search(word)
    ]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as usual Markdown viewers make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_named_exists(page):
    missing = [
        path for path in paths_named_in(page) if not (ROOT / path).exists() and not (page.parent / path).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def test_index_leads_to_every_page():
    seen: set[Path] = set()
    waiting = [ROOT / "docs/index.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
        waiting += [(page.parent / link).resolve() for link in links]
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} <= seen


def test_both_readmes_show_the_same():
    english, chinese = ((ROOT / name).read_text() for name in ("README.md", "README.zh.md"))
    assert shown_commands(ROOT / "README.md") == shown_commands(ROOT / "README.zh.md")
    assert len(re.findall(r"^## ", english, re.M)) == len(re.findall(r"^## ", chinese, re.M))
    assert len(re.findall(r"docs/img/\S+?\.webp", english)) == len(re.findall(r"docs/img/\S+?\.webp", chinese)) == 1


def test_no_page_names_a_machine_or_a_package_index():
    words = re.compile(r"(^|[\s`(\"'])/(?:root|home|work|mnt)/|" + r"pypi\.org|npmjs|debian\.org", re.M)
    assert [page.name for page in PAGES if words.search(page.read_text())] == []


def test_pictures_are_small():
    pictures = list((ROOT / "docs" / "img").glob("*"))
    assert [picture.name for picture in pictures if picture.stat().st_size > 120_000] == []


# Settings --------------------------------------------------------------------------------------------------------


def variables_read() -> set[str]:
    names = set()
    for path in CODE:
        names |= set(re.findall(r"""["'](ORIGINMARK_[A-Z_]+)["']""", path.read_text()))
    return names


def test_every_variable_is_described_and_every_described_one_is_read():
    described = set(re.findall(r"\bORIGINMARK_[A-Z_]+\b", (ROOT / "docs/operate/settings.md").read_text()))
    assert {name.removesuffix("_FILE") for name in described} == variables_read()


def test_every_secret_can_come_from_a_file():
    secrets = set(re.findall(r'env\.secret\("(ORIGINMARK_[A-Z_]+)"', (ROOT / "config/settings.py").read_text()))
    described = set(re.findall(r"\b(ORIGINMARK_[A-Z_]+)_FILE\b", (ROOT / "docs/operate/settings.md").read_text()))
    assert secrets == described


# Codes and checks ------------------------------------------------------------------------------------------------


def test_error_page_is_what_the_code_says():
    assert (ROOT / "docs/operate/errors.md").read_text() == format_errors(TEXTS)


def test_every_code_of_a_refused_or_undecodable_picture_has_words():
    assert ADMISSION_ERRORS.keys() | DECODE_ERRORS.keys() <= TEXTS.keys()


def codes_raised() -> set[str]:
    """Codes that services hand to jobs, rows and pages."""
    found: set[str] = set()
    for path in CODE:
        if path.parent.name == "services":
            text = path.read_text()
            found |= set(re.findall(r'JobError\(\s*"([a-z_.]+)"', text))
            found |= set(re.findall(r'^    code = "([a-z_.]+)"', text, re.M))
            found |= set(re.findall(r'error_code="([a-z_.]+)"', text))
    return found


def test_every_code_of_a_service_has_words():
    assert sorted(codes_raised() - TEXTS.keys()) == []


def test_finding_codes_are_described():
    page = (ROOT / "docs/spec/rules.md").read_text()
    assert [code for code in CODES if f"`{code}`" not in page] == []


def test_every_start_up_check_is_described():
    text = "".join(path.read_text() for path in CODE if path.name.endswith("checks.py"))
    ids = set(re.findall(r'"((?:ledger|accounts|compliance)\.[EW]\d{3})"', text))
    described = set(
        re.findall(
            r"^\| ((?:ledger|accounts|compliance)\.[EW]\d{3}) \|", (ROOT / "docs/operate/run.md").read_text(), re.M
        )
    )
    assert ids == described


# Commands --------------------------------------------------------------------------------------------------------


def test_every_readme_command_is_carried_out_somewhere():
    assert set(shown_commands(ROOT / "README.md")) == README_COMMANDS.keys()


def run(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command line as it is shown, with the Python of this run in the place of `python3`."""
    words = [sys.executable if word in ("python", "python3") else word for word in shlex.split(command)]
    return subprocess.run(
        words, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_readme_command_verifies_a_bundle(log, seller, tmp_path):
    (tmp_path / "BUNDLE.zip").write_bytes(format_bundle(core_files(evidence_of(register_one(seller).statement))))
    command = next(line for line in shown_commands(ROOT / "README.md") if "ledger.tlog" in line)
    done = run(command, tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    assert "PASSED under key" in done.stdout


@pytest.fixture
def site(tmp_path) -> dict[str, str]:
    """The variables of an empty site of its own, on SQLite."""
    return {
        "ORIGINMARK_DATA": str(tmp_path / "data"),
        "ORIGINMARK_KEYS": str(tmp_path / "keys"),
        "ORIGINMARK_DATABASE_URL": "",
    }


def test_commands_of_the_first_steps_work_on_an_empty_site(site, tmp_path):
    """docs/start.md: an owner from a script, then photos from a folder."""
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "chair.jpg").write_bytes(jpeg_bytes(product_photo(1)))
    (photos / "notes.txt").write_text("not a picture")
    owner, register = (line for line in shown_commands(ROOT / "docs/start.md") if "--seller" in line)
    words = owner.removesuffix(" < password.txt")
    password = "a long and calm sentence\n"
    made = subprocess.run(
        [sys.executable, *shlex.split(words)[1:]],
        cwd=ROOT, env=os.environ | site, input=password, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    done = run(register.replace("photos/", str(photos)), ROOT, **site)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["status"], row["code"]) for row in rows] == [("registered", ""), ("rejected", "unsupported_type")]


@functools.cache
def help_of(command: str, data: Path) -> str:
    """What `manage.py COMMAND --help` prints; settings keep their secret in the data directory."""
    site = {"ORIGINMARK_DATA": str(data), "ORIGINMARK_KEYS": str(data / "keys"), "ORIGINMARK_DATABASE_URL": ""}
    done = run(f"python manage.py {command} --help", ROOT, **site)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_shown_exists(page, tmp_path_factory):
    """Management commands and modules that a page shows can at least say how they are used."""
    for line in shown_commands(page):
        command = re.sub(r"^(?:[A-Z_]+=\S+ )+", "", line).split(" < ")[0].split(" > ")[0]
        words = shlex.split(command)
        if words[1:2] == ["manage.py"] and words[2] not in ("up", "test"):
            usage = help_of(words[2], tmp_path_factory.getbasetemp() / "help")
            assert [word for word in words[3:] if word.startswith("--") and word not in usage] == []
        elif words[1:2] == ["-m"]:
            assert module_exists(words[2]), words[2]


def module_exists(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__main__.py").exists()
