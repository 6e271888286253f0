"""Every sentence people can see exists in Chinese: what xgettext finds in code and templates is in the catalogue."""

from __future__ import annotations

import gettext
import os
import re
import shutil
import subprocess
from pathlib import Path

import allauth
import django
import pytest
from django.utils.translation.template import templatize

from compliance.checks.profile import list_profiles

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "config" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
SOURCES = ("config", "ledger", "compliance")
# The names under which code marks sentences, as Django's makemessages knows them.
KEYWORDS = (
    "gettext_lazy",
    "gettext_noop",
    "ngettext_lazy:1,2",
    "npgettext:1c,2,3",
    "npgettext_lazy:1c,2,3",
    "pgettext:1c,2",
    "pgettext_lazy:1c,2",
)
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sd]|\{\w*\}")
# Units that pages turn into figures or show as they are.
SYMBOLS = {"px", "bytes", "ssim", "format", "share", "deg", "slope", "log ratio", "opacity"}

needs_gettext = pytest.mark.skipif(
    not (shutil.which("xgettext") and shutil.which("msgfmt")) and not os.environ.get("CI"),
    reason="gettext (xgettext, msgfmt) is not installed",
)

Catalogue = dict[str | tuple[str, int], str]


def read_mo(path: Path) -> Catalogue:
    """Messages of a compiled catalogue; a plural's key is (msgid, form)."""
    with path.open("rb") as file:
        messages: Catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in messages.items() if key}


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=120)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every msgid in code and templates, by xgettext."""
    folder = tmp_path_factory.mktemp("messages")
    files = [path for top in SOURCES for path in sorted((ROOT / top).rglob("*.py")) if "migrations" not in path.parts]
    for number, template in enumerate(sorted((ROOT / "templates").rglob("*.*"))):
        if template.suffix in (".html", ".txt"):
            copy = folder / f"template_{number}.py"
            copy.write_text(templatize(template.read_text(), origin=str(template)))
            files.append(copy)
    pot, po, mo = folder / "all.pot", folder / "all.po", folder / "all.mo"
    keywords = [f"--keyword={keyword}" for keyword in KEYWORDS]
    run("xgettext", "-L", "Python", "--from-code=UTF-8", *keywords, "-o", pot, *files)
    pot.write_text(pot.read_text().replace("nplurals=INTEGER; plural=EXPRESSION", "nplurals=2; plural=n != 1"))
    run("msgen", "-o", po, pot)  # translates every message by itself, so that none is left out of the next step
    run("msgfmt", "-o", mo, po)
    return {key[0] if isinstance(key, tuple) else key for key in read_mo(mo)} | profile_sentences()


def profile_sentences() -> set[str]:
    """What rule profiles say in words: their titles, and the source and unit of each limit."""
    profiles = list_profiles()
    limits = [limit for profile in profiles for limit in profile.limits]
    words = [profile.title for profile in profiles] + [word for limit in limits for word in (limit.source, limit.unit)]
    return set(words) - SYMBOLS


@pytest.fixture(scope="module")
def chinese() -> Catalogue:
    return read_mo(CATALOGUE.with_suffix(".mo"))


@pytest.fixture(scope="module")
def translated(chinese: Catalogue) -> dict[str, list[str]]:
    """msgid -> all of its forms."""
    forms: dict[str, list[str]] = {}
    for key, text in chinese.items():
        forms.setdefault(key[0] if isinstance(key, tuple) else key, []).append(text)
    return forms


def library_messages() -> set[str]:
    """Sentences of Django and allauth, which we may put in other words."""
    places = [Path(module.__file__ or "").parent for module in (django, allauth)]
    files = [path for place in places for path in place.rglob("zh_Hans/LC_MESSAGES/django.mo")]
    return {key[0] if isinstance(key, tuple) else key for path in files for key in read_mo(path)}


@needs_gettext
def test_every_sentence_is_translated(found, translated):
    assert sorted(message for message in found if not all(translated.get(message, [""]))) == []


@needs_gettext
def test_nothing_is_translated_that_nobody_says(found, translated):
    assert sorted(translated.keys() - found - library_messages()) == []


@needs_gettext
def test_compiled_catalogue_is_the_catalogue(chinese, tmp_path):
    run("msgfmt", "--check-format", "-o", tmp_path / "django.mo", CATALOGUE)
    assert read_mo(tmp_path / "django.mo") == chinese


def test_nothing_is_fuzzy_or_obsolete():
    lines = CATALOGUE.read_text().splitlines()
    assert [line for line in lines if line.startswith("#~") or (line.startswith("#,") and "fuzzy" in line)] == []


def test_placeholders_agree(translated):
    different = [
        message
        for message, texts in translated.items()
        for text in texts
        if not set(PLACEHOLDER.findall(text)) <= set(PLACEHOLDER.findall(message))
        or (len(texts) == 1 and set(PLACEHOLDER.findall(text)) != set(PLACEHOLDER.findall(message)))
    ]
    assert different == []


def test_chinese_is_chinese(translated):
    latin = [
        message
        for message, texts in translated.items()
        for text in texts
        if not re.search(r"[\u4e00-\u9fff]", text) and re.search(r"[a-z]{2}", PLACEHOLDER.sub("", text))
    ]
    assert latin == []


def test_chinese_punctuation_in_chinese_sentences(translated):
    half_width = re.compile(r"[\u4e00-\u9fff][,;!?]|[\u4e00-\u9fff]\.(\s|$)")
    assert [texts for texts in translated.values() if any(half_width.search(text) for text in texts)] == []
