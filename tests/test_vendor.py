"""Browser files we did not write are exactly what VENDOR.toml says, and our own pages fit beside them."""

import gzip
import hashlib
import re
import tomllib
from pathlib import Path

import django_htmx
import pytest

from config.vendor import ICON_NAMES, MANIFEST, PACKAGES, SPRITE, STATIC, VENDOR

TEMPLATES = STATIC.parent / "templates"
MANIFEST_ROWS = tomllib.loads(MANIFEST.read_text(encoding="utf-8"))
OWN_PAGES = sorted(TEMPLATES.rglob("*.html"))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("row", MANIFEST_ROWS["file"], ids=lambda row: row["file"])
def test_vendored_file_is_unmodified(row):
    assert sha256(VENDOR / row["file"]) == row["sha256"]


def test_sprite_is_what_was_built():
    (row,) = MANIFEST_ROWS["built"]
    assert sha256(STATIC / row["file"]) == row["sha256"]


def test_nothing_else_is_vendored():
    assert {path.name for path in VENDOR.iterdir()} == {row["file"] for row in MANIFEST_ROWS["file"]} | {MANIFEST.name}


def test_manifest_pins_the_versions_of_the_script():
    listed = {(row["name"], row["version"], row["purl"]) for row in MANIFEST_ROWS["file"]}
    assert listed == {(package.name, package.version, package.purl) for package in PACKAGES}


def test_vendored_file_carries_its_version_in_the_name():
    assert all(row["version"] in row["file"] for row in MANIFEST_ROWS["file"])


def test_every_licence_is_permissive():
    assert {row["licence"] for rows in MANIFEST_ROWS.values() for row in rows} == {"MIT"}


def test_manifest_names_no_host():
    assert "://" not in MANIFEST.read_text(encoding="utf-8")


def test_sprite_has_every_listed_icon():
    assert set(re.findall(r'<symbol id="([^"]+)"', SPRITE.read_text(encoding="utf-8"))) == set(ICON_NAMES)


def test_every_icon_a_page_names_is_in_the_sprite():
    asked = {
        (path.name, name)
        for path in OWN_PAGES
        for name in re.findall(
            r'icon\.html" with name="([^"]+)"|icons\.svg\' %}#([a-z-]+)"', path.read_text(encoding="utf-8")
        )
    }
    assert [(page, name) for page, names in asked for name in names if name and name not in ICON_NAMES] == []


@pytest.mark.parametrize("path", OWN_PAGES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_page_has_nothing_inline(path):
    """The content policy refuses inline scripts, styles and handlers; JSON in a script element is data and may stay."""
    text = re.sub(r"{% comment %}.*?{% endcomment %}|{#.*?#}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not re.search(r"\sstyle=|<style\b|\son[a-z]+=\"|javascript:", text)
    assert not re.search(r"<script(?![^>]*(?:\ssrc=|application/json))", text)


@pytest.mark.parametrize("path", sorted((STATIC / "js").glob("*.js")), ids=lambda path: path.name)
def test_own_script_evaluates_no_text(path):
    assert not re.search(
        r"\beval\(|new Function\(|\.innerHTML\b|insertAdjacentHTML|setTimeout\(\s*['\"]",
        path.read_text(encoding="utf-8"),
    )


def test_first_load_of_a_chart_page_fits_in_150_kilobytes():
    """Everything a first visit fetches besides the HTML and pictures of goods, as gzip makes it; brotli is a quarter smaller."""
    fetched = [
        *VENDOR.glob("*.css"),
        *VENDOR.glob("*.js"),
        *(STATIC / "css").glob("*.css"),
        *(STATIC / "js").glob("*.js"),
        *(STATIC / "img").glob("*.svg"),
        Path(django_htmx.__file__).parent / "static" / "django_htmx" / "htmx-2.min.js",
    ]
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in fetched) <= 150_000
