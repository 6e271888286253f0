"""Packets without a database: every target and language, under the caps, the same bytes each time."""

from __future__ import annotations

import io
import json
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

import compliance.packets
from compliance.cases.target import STATEMENTS, load_targets
from compliance.packets.errors import FileNameError, ItemTooLargeError, TooManyPartsError, UnknownLanguageError
from compliance.packets.fields import portal_fields
from compliance.packets.letter import letter_blocks
from compliance.packets.maker import make_packet
from compliance.packets.overlay import invert, matched_area
from compliance.packets.packet import PacketFile
from compliance.packets.parts import Caps, assemble, format_parts
from compliance.packets.wording import LANGUAGES, SECTIONS, wording
from ledger.tlog.bundle import parse_sums, read_bundle
from ledger.tlog.packet_manifest import parse_manifest
from tests.compliance.cases.complete import every_kind
from tests.compliance.packets.sample import packet
from tests.compliance.test_checks_service import text_of

MIB = 2**20


def evidence_set(total: int = 25 * MIB, size: int = 5 * MIB) -> tuple[PacketFile, ...]:
    return tuple(
        PacketFile(f"30-set-{number}.raw", "raw", "image/x-adobe-dng", bytes([number]) * size, "RAW")
        for number in range(total // size)
    )


def texts(target: str, kind: str, language: str) -> str:
    made = packet(target, kind, (language,))
    return json.dumps([block.payload() for block in letter_blocks(made, language, made.files)], ensure_ascii=False)


@pytest.mark.parametrize(("target", "kind"), every_kind())
def test_a_complete_packet_with_25_mib_of_evidence_lies_under_the_caps(target, kind):
    found = load_targets()[target]
    made = packet(target, kind, (found.languages[0],))
    assembled = make_packet(replace(made, files=made.files + evidence_set()))
    parts = format_parts(assembled, {"entry.json": b"{}"})
    cap = found.limits.part_bytes
    assert all(len(part) < cap for part in parts) or not cap
    assert len(parts) <= (found.limits.max_files or 99)
    manifest = parse_manifest(assembled.manifest)
    assert (manifest.parts, manifest.target, manifest.purpose) == (len(parts), target, kind)
    inside = [name for part in parts for name in zipfile.ZipFile(io.BytesIO(part)).namelist()]
    assert sorted(name[7:] for name in inside if name.startswith("packet/")) == sorted(f.name for f in manifest.files)
    for part in parts:
        files = read_bundle(part)
        assert set(parse_sums(files["SHA256SUMS"])) == files.keys() - {"SHA256SUMS"}


def test_a_target_that_takes_pictures_only_gets_the_pages_as_pictures():
    """Mails about a notice on Amazon take pictures and nothing else."""
    assembled = make_packet(packet("amazon_report", "counter_notice", ("en",)))
    pdf = next(file for file in assembled.files if file.name == "01-letter-en.pdf")
    pages = [file for file in assembled.files if file.role == "letter_page"]
    assert [file.name for file in pages] == [
        f"01-letter-en-page-{number}.png" for number in range(1, 1 + len(pikepdf.open(io.BytesIO(pdf.data)).pages))
    ]
    for page in pages:
        picture = Image.open(io.BytesIO(page.data))
        assert (picture.format, picture.size) == ("PNG", (1240, 1754))
        assert len(set(picture.convert("L").resize((120, 170)).tobytes())) > 20, "there is something on it"
    assert not [f for f in make_packet(packet("amazon_report", "complaint", ("en",))).files if "page" in f.role]


def test_the_same_packet_gives_the_same_bytes():
    first, second = (format_parts(make_packet(packet(languages=("zh", "ru"))), {}) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["complaint", "counter_notice", "defence", "court_bundle"])
def test_every_letter_is_whole_in_every_language(language, kind):
    target = "cn_court" if kind == "court_bundle" else "alibaba_ipp"
    said = texts(target, kind, language)
    assert "{" not in "".join(part for part in said.split('"') if part.startswith("{name"))
    for needed in ("Acme Trading", "qiang@example.org", "青瓷马克杯", "https://market.example.org/item/4000", "Qiang"):
        assert needed in said
    assert wording(language).text("titles", kind)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_draws_every_character_of_its_language(language):
    made = make_packet(packet(languages=(language,)))
    letter = next(file for file in made.files if file.role == "letter")
    printed = text_of(letter.data)
    assert "[U+" not in printed
    assert "".join(wording(language).text("headings", "statements").split()) in "".join(printed.split())


def test_every_language_has_every_text_and_every_statement():
    folder = Path(compliance.packets.__file__).parent / "wording"
    read = {name: tomllib.loads((folder / f"{name}.toml").read_text("utf-8")) for name in LANGUAGES}
    for section in SECTIONS:
        keys = {name: set(found[section]) for name, found in read.items()}
        assert len(set(map(frozenset, keys.values()))) == 1, section
    assert set(read["en"]["statements"]) == set(STATEMENTS)


def test_statements_carry_the_name_and_the_time_of_the_tick():
    said = texts("dmca_512c3", "complaint", "en")
    assert "stated by Qiang on 2026-11-30 00:00:00 UTC" in said
    assert "Under penalty of perjury, I am the owner" in said


def test_a_counter_notice_states_the_mistake_and_not_the_infringement():
    said = texts("dmca_512c3", "counter_notice", "en")
    assert "removed or disabled as a result of mistake or misidentification" in said
    assert "not authorized by the copyright owner" not in said


def test_what_is_not_known_is_not_in_the_letter():
    made = packet()
    made = replace(made, case=replace(made.case, complainant=replace(made.case.complainant, phone="")))
    said = json.dumps([block.payload() for block in letter_blocks(made, "en", ())])
    assert "Telephone" not in said


def test_a_draft_says_so_on_every_page():
    made = make_packet(replace(packet(), is_draft=True))
    letter = next(file for file in made.files if file.role == "letter")
    pages = len(pikepdf.open(io.BytesIO(letter.data)).pages)
    assert text_of(letter.data).count("notforfiling") >= pages


def test_an_item_over_the_cap_is_refused_by_its_name():
    made = packet("aliexpress_seed")
    huge = PacketFile("40-contract.pdf", "contract", "application/pdf", bytes(10_000_000))
    with pytest.raises(ItemTooLargeError, match=r"40-contract\.pdf: 10,000,000 bytes"):
        make_packet(replace(made, files=(*made.files, huge)))


def test_where_no_cap_is_known_a_large_item_has_a_part_to_itself():
    made = packet("cn_court", "court_bundle", ("zh",))
    video = PacketFile("40-recording.mp4", "screen_recording", "video/mp4", bytes(25_000_000))
    assembled = make_packet(replace(made, files=(*made.files, video)))
    assert [file.name for file in assembled.parts[1]] == ["40-recording.mp4"]


def test_more_parts_than_the_target_takes_are_refused():
    with pytest.raises(TooManyPartsError, match="5 / 2"):
        assemble(packet(), evidence_set(), Caps(part_bytes=6 * MIB, max_parts=2))


@pytest.mark.parametrize("names", [("a.txt", "A.TXT"), ("../a",), ("a/b",), ("",)])
def test_names_that_an_archive_does_not_take_are_refused(names):
    with pytest.raises(FileNameError):
        assemble(packet(), [PacketFile(name, "other", "text/plain", b"x") for name in names], Caps())


def test_an_unknown_language_is_refused():
    with pytest.raises(UnknownLanguageError):
        make_packet(packet(languages=("fr",)))


def test_fields_keep_the_portals_names_and_lengths():
    made = packet("ebay_vero")
    fields = {field.label or field.fact: field for field in portal_fields(made.case)}
    assert (fields["itemId"].text, fields["itemId"].number) == ("4000", 1)
    assert fields["detailedMessage"].max_length == 1000
    long = replace(made.case, message="x" * 1001)
    assert [field.label for field in portal_fields(long) if field.is_too_long] == ["detailedMessage"]


def test_the_matched_area_and_its_inverse():
    corners = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
    assert matched_area(corners) == pytest.approx(0.25, abs=0.01)
    back = invert(invert(corners))
    assert all(
        a == pytest.approx(b, abs=1e-4)
        for one, two in zip(back, corners, strict=True)
        for a, b in zip(one, two, strict=True)
    )
