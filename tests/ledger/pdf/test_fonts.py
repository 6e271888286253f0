"""The committed fonts are the ones VENDOR.toml names, with their licences beside them."""

import hashlib
import tomllib
from pathlib import Path

import typst

from ledger.pdf.render import TEMPLATES
from ledger.pdf.text import COVERAGE
from ledger.pdf.typeset import FONTS

VENDOR = tomllib.loads((FONTS / "VENDOR.toml").read_text(encoding="utf-8"))


def listed() -> dict[str, str]:
    files = [item for font in VENDOR["font"] for item in font["files"]] + [VENDOR["coverage"]]
    return {item["name"]: item["sha256"] for item in files}


def test_every_file_has_the_digest_that_is_written_down() -> None:
    assert {name: hashlib.sha256((FONTS / name).read_bytes()).hexdigest() for name in listed()} == listed()


def test_nothing_else_lies_in_the_folder() -> None:
    present = {path.name for path in FONTS.iterdir() if path.is_file()}
    assert present == {*listed(), "VENDOR.toml", "build.py"}
    assert COVERAGE.name in present


def test_every_font_is_ofl_and_ships_its_licence() -> None:
    for font in VENDOR["font"]:
        (licence,) = [item["name"] for item in font["files"] if item["name"].endswith("-OFL.txt")]
        assert font["licence"] == "OFL-1.1"
        assert "SIL Open Font License, Version 1.1" in (FONTS / licence).read_text(encoding="utf-8")


def test_only_the_title_and_the_seal_use_bold() -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in Path(TEMPLATES).glob("*.typ")}
    assert {name: text.count('weight: "bold"') for name, text in sources.items() if '"bold"' in text} == {
        "parts.typ": 2
    }


def test_the_compiler_sees_three_faces() -> None:
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)]).fonts()
    assert sorted((font.family, font.weight) for font in fonts) == [
        ("JetBrains Mono", 400),
        ("Noto Sans SC", 400),
        ("Noto Sans SC", 700),
    ]
