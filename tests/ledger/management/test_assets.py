"""Static files are collected at the first start, and again only when one of them changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError

from ledger.management.assets import collect_meanwhile


@pytest.fixture
def sources(settings, tmp_path) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "site.css").write_text("body { color: black }")
    settings.STATICFILES_DIRS = [folder]
    settings.STATIC_ROOT = tmp_path / "collected"
    return folder


def collect() -> None:
    collect_meanwhile(lambda: None)()


def test_a_first_start_collects(sources, settings):
    collect()
    assert (settings.STATIC_ROOT / "site.css").exists()


def test_files_of_installed_packages_are_collected_but_not_every_build_of_htmx(sources, settings):
    collect()
    assert [path.name for path in (settings.STATIC_ROOT / "django_htmx").glob("htm*.js")] == ["htmx-2.min.js"]


def test_a_later_start_collects_nothing(sources, settings):
    collect()
    (settings.STATIC_ROOT / "site.css").unlink()
    collect()
    assert not (settings.STATIC_ROOT / "site.css").exists()


@pytest.mark.parametrize("name", ["site.css", "new.css"])
def test_a_changed_or_new_file_is_collected(sources, settings, name):
    collect()
    (sources / name).write_text("body { color: white }")
    collect()
    assert "white" in (settings.STATIC_ROOT / name).read_text()


def test_a_file_that_is_gone_is_served_no_more(sources, settings):
    collect()
    (sources / "site.css").rename(sources / "other.css")
    collect()
    assert not (settings.STATIC_ROOT / "site.css").exists()


def test_a_collection_cut_short_is_made_again(sources, settings):
    collect()
    (settings.STATIC_ROOT / ".stamp").unlink()
    (settings.STATIC_ROOT / "site.css").unlink()
    collect()
    assert (settings.STATIC_ROOT / "site.css").exists()


def test_what_cannot_be_collected_stops_the_start(sources, settings, capfd):
    settings.STATIC_ROOT.write_text("a file where the folder should be")
    with pytest.raises(CommandError, match="could not be prepared"):
        collect()
    assert "Traceback" in capfd.readouterr().err
