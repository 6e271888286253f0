"""The gate: what each policy lets in and with which code it turns files away, looked at in the limited child."""

from __future__ import annotations

import io
import json
import os
import stat
import struct
import zipfile
from collections.abc import Iterator

import pikepdf
import pytest
from django.core.management import call_command

from ledger.admission import archives
from ledger.admission.gate import admit, gate_pool, verdict_of
from ledger.admission.kinds import kind_of
from ledger.admission.verdict import ARCHIVE_CODES, GENERAL_CODES, PDF_CODES, TABLE_CODES, FileRefused, Verdict
from ledger.error_texts import TEXTS
from ledger.imaging.errors import DecodeCrashed, DecodeTimeout
from ledger.imaging.sandbox import PixelPool
from tests import images

JPEG = images.jpeg_bytes(images.product_photo(1, (700, 620)))
PNG = images.png_bytes(images.product_photo(1, (700, 620)))


@pytest.fixture(scope="module")
def pool() -> Iterator[PixelPool]:
    with gate_pool() as pool:
        yield pool


def pack(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def pdf(edit=lambda pdf: None, **options) -> bytes:
    out = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        edit(document)
        document.save(out, **options)
    return out.getvalue()


# Pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (JPEG, "a.jpg", ""),
        (b"", "a.jpg", "empty_file"),
        (JPEG, "a.png", "type_mismatch"),
        (b"GIF89a" + bytes(40), "a.gif", "unsupported_type"),
        (b"%PDF-1.4 not a picture", "a.jpg", "unsupported_type"),
        (JPEG[: len(JPEG) // 2], "a.jpg", "corrupt_image"),
        (PNG[:-400], "a.png", "corrupt_image"),
        (images.wrong_crc_png(), "a.png", "corrupt_image"),
        (images.huge_png(30_000, 30_000), "a.png", "too_many_pixels"),
        (images.huge_webp(), "a.webp", "too_many_pixels"),
        (images.scan_bomb_jpeg(), "a.jpg", "too_many_scans"),
        (images.animated_png(), "a.png", "animated"),
        (images.animated_webp(), "a.webp", "animated"),
        (JPEG + images.zip_bytes(), "a.jpg", "polyglot"),
    ],
)
def test_pictures(pool, data, name, code):
    assert admit(pool, data, name=name).code == code


@pytest.mark.parametrize(
    ("data", "flag"),
    [
        (images.jpeg_bytes(images.product_photo(2, (320, 240))), "too_small"),
        (
            images.jpeg_bytes(images.product_photo(2, (700, 700)), exif=images.exif_bytes(gps=(31.2, 121.4))),
            "gps_present",
        ),
        (JPEG + bytes(4096), "trailing_data"),
        (JPEG + images.motion_photo_tail(), "trailing_data"),
        (images.jpeg_bytes(images.product_photo(2, (700, 700)), icc_profile=os.urandom(300)), "metadata_unreadable"),
    ],
)
def test_what_a_seller_should_know_of_a_picture_that_comes_in(pool, data, flag):
    verdict = admit(pool, data, name="a.jpg")
    assert verdict.is_accepted
    assert flag in verdict.flags


def exif_jpeg(block: bytes) -> bytes:
    return images.with_jpeg_segments(JPEG, [images.jpeg_segment(0xE1, b"Exif\0\0" + block)])


@pytest.mark.parametrize(
    "block",
    [
        struct.pack("<2sHIH12xI", b"II", 42, 8, 1, 8),  # the next directory is this one
        struct.pack("<2sHIHHHIII", b"II", 42, 8, 1, 0x010F, 2, 0xFFFFFFFF, 26, 0),  # a value of 4 GiB
        struct.pack("<2sHI", b"II", 42, 4000),  # a directory behind the end
        b"no TIFF at all",
    ],
)
def test_a_damaged_exif_block_is_said(pool, block):
    verdict = admit(pool, exif_jpeg(block), name="a.jpg")
    assert (verdict.code, "metadata_unreadable" in verdict.flags) == ("", True)


# Archives ---------------------------------------------------------------------------------------------------------


def with_mode(mode: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("a.jpg")
        info.create_system, info.external_attr = 3, mode << 16
        archive.writestr(info, b"../../etc/passwd")
    return out.getvalue()


def with_wrong_size() -> bytes:
    content = bytearray(pack({"a.jpg": bytes(1000)}, zipfile.ZIP_STORED))
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 990)
    return bytes(content)


def with_wrong_crc() -> bytes:
    return pack({"a.jpg": b"AAAA"}, zipfile.ZIP_STORED).replace(b"AAAA", b"AAAB")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (pack({"a.jpg": JPEG, "照片/b.jpg": PNG}), ""),
        (pack({"../a.jpg": JPEG}), "unsafe_path"),
        (pack({"/etc/a.jpg": JPEG}), "unsafe_path"),
        (pack({"..\\a.jpg": JPEG}), "unsafe_path"),
        (pack({"C:\\a.jpg": JPEG}), "unsafe_path"),
        (pack({"a\x07.jpg": JPEG}), "unsafe_path"),
        (with_mode(stat.S_IFLNK | 0o777), "unsafe_member"),
        (with_mode(stat.S_IFCHR | 0o666), "unsafe_member"),
        (with_mode(stat.S_IFREG | 0o644), ""),
        (pack({"a.jpg": bytes(100_000_000)}), "zip_ratio"),
        (pack({"a.zip": b"PK"}), "zip_nested"),
        (pack({"a.jpg": images.zip_bytes()}), "zip_nested"),
        (pack({"a.exe": b"MZ"}), "unsupported_member"),
        (pack({"a.jpg": b"MZ\x90\x00"}), "unsupported_member"),
        (pack({"A.jpg": b"1", "a.jpg": b"2"}), "duplicate_member"),
        (pack({"e\u0301.jpg": b"1", "\u00e9.jpg": b"2"}), "duplicate_member"),
        (pack({f"{n}.jpg": b"" for n in range(2001)}), "zip_too_many"),
        (with_wrong_size(), "zip_size_mismatch"),
        (with_wrong_crc(), "corrupt_zip"),
        (pack({"a.jpg": JPEG})[:-30], "corrupt_zip"),
        (b"program" + pack({"a.jpg": JPEG}), "unsupported_type"),
        (pack({}), "zip_empty"),
    ],
)
def test_archives(pool, data, code):
    assert admit(pool, data, name="shoot.zip", kind="zip").code == code


def test_the_member_that_was_refused_is_named(pool):
    assert admit(pool, pack({"a/b.exe": b"MZ"}), name="shoot.zip").detail == "a/b.exe"


def test_a_local_header_that_tells_another_name():
    content = pack({"a.jpg": b"1"}, zipfile.ZIP_STORED).replace(b"a.jpg", b"b.jpg", 1)
    with pytest.raises(FileRefused, match="corrupt_zip"):
        archives.admit_archive(content)


@pytest.mark.parametrize("files", [{f"{n}.jpg": bytes(50_000) for n in range(20)}, {"one.jpg": bytes(900_000)}])
def test_a_huge_archive_is_counted_for_a_while_only(files):
    ticks = iter(range(100))
    data = pack(files, zipfile.ZIP_STORED)
    assert archives.admit_archive(data, clock=lambda: next(ticks)) == ("not_all_counted",)


# PDF attachments --------------------------------------------------------------------------------------------------


def with_action(**action) -> bytes:
    def edit(document: pikepdf.Pdf) -> None:
        names = {f"/{key}": pikepdf.Name(f"/{value}") if key == "S" else value for key, value in action.items()}
        document.pages[0].Annots = pikepdf.Array(
            [pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Link, A=pikepdf.Dictionary(names))]
        )

    return pdf(edit)


def with_looping_pages() -> bytes:
    return pdf(lambda document: document.Root.Pages.Kids.append(document.Root.Pages), static_id=True)


def with_attachment() -> bytes:
    def edit(document: pikepdf.Pdf) -> None:
        document.attachments["a.txt"] = b"text"

    return pdf(edit)


def with_many_pages() -> bytes:
    def edit(document: pikepdf.Pdf) -> None:
        page = document.pages[0].obj
        document.Root.Pages.Kids = pikepdf.Array([page] * 3000)

    return pdf(edit)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (pdf(), ""),
        (with_action(S="JavaScript", JS="app.alert(1)"), "pdf_active_content"),
        (with_action(S="Launch", F="x.exe"), "pdf_active_content"),
        (with_action(S="URI", URI="http://a.example"), "pdf_active_content"),
        (with_action(S="SubmitForm", F="http://a.example"), "pdf_active_content"),
        (with_attachment(), "pdf_active_content"),
        (pdf(lambda document: setattr(document.Root, "AcroForm", pikepdf.Dictionary(XFA="x"))), "pdf_active_content"),
        (pdf(encryption=pikepdf.Encryption(owner="o", user="u")), "encrypted"),
        (pdf(encryption=pikepdf.Encryption(owner="o", user="")), "encrypted"),
        (pdf()[:150], "corrupt_pdf"),
        (with_looping_pages(), "corrupt_pdf"),
        (with_many_pages(), "pdf_too_many_pages"),
        (pdf() + b"<html><script>1</script>", "polyglot"),
        (b"no pdf", "unsupported_type"),
        (b"", "empty_file"),
    ],
)
def test_pdf_attachments(pool, data, code):
    assert admit(pool, data, name="licence.pdf", kind="pdf").code == code


def test_arrays_nested_without_end(pool):
    deep = pdf().replace(b"/Type /Catalog", b"/Type /Catalog /X " + b"[" * 30_000 + b"]" * 30_000)
    assert admit(pool, deep, name="a.pdf").code == "corrupt_pdf"


# Tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code", "flags"),
    [
        ("id,name\n1,=1+1\n2,＝1\n".encode(), "", ()),
        ("编号,名称\n1,连衣裙\n".encode("gb18030"), "", ("gb18030",)),
        ("\ufeffid\n1\n".encode(), "", ()),
        ("id\n1\n".encode("utf-16"), "bad_encoding", ()),
        (b"\xff\x80\x80", "bad_encoding", ()),
        (b"id\n\x00\n", "bad_csv", ()),
        (b'id\n"open', "bad_csv", ()),
        (b"x," * 20_000, "bad_csv", ()),
        (b"y" * 200_000, "bad_csv", ()),
        (b"", "empty_file", ()),
    ],
)
def test_tables(pool, data, code, flags):
    verdict = admit(pool, data, name="feed.csv", kind="csv")
    assert (verdict.code, verdict.flags) == (code, flags)


# Together ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (JPEG, "a", "image"),
        (JPEG, "a.zip", "image"),
        (pack({"a.jpg": b""}), "a", "zip"),
        (b"%PDF-1.7", "a", "pdf"),
        (b"%PDF-1.7", "a.jpg", "image"),
        (b"a,b", "feed.csv", "csv"),
        (b"broken", "a.zip", "zip"),
        (b"broken", "a", "image"),
    ],
)
def test_kind_by_first_bytes_then_by_name(data, name, kind):
    assert kind_of(data, name) == kind


def test_a_child_that_ended_is_a_refusal_with_a_name():
    assert verdict_of("pdf", DecodeCrashed("SIGSEGV")) == Verdict("pdf", "corrupt_pdf", "decode_crashed")
    assert verdict_of("image", DecodeTimeout()).code == "decode_timeout"


def test_every_code_has_words():
    assert (ARCHIVE_CODES | PDF_CODES | TABLE_CODES | GENERAL_CODES) - TEXTS.keys() == set()


def test_the_command_prints_a_line_per_file(tmp_path, capsys):
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.zip"
    good.write_bytes(JPEG)
    bad.write_bytes(pack({"../x": b"1"}))
    call_command("admit", str(good), str(bad), str(tmp_path / "none"), "--json")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["file"], line["verdict"], line["code"]) for line in lines] == [
        (str(good), "accept", ""),
        (str(bad), "reject", "unsafe_path"),
        (str(tmp_path / "none"), "reject", "file_unreadable"),
    ]
    assert all(line["cpu_s"] < 2 and line["rss_mb"] < 512 for line in lines)
    assert {"file", "verdict", "code", "flags", "cpu_s", "rss_mb"} <= lines[0].keys()
