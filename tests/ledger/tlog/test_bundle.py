"""The bundle as an archive: same content, same bytes; hostile archives are refused by name."""

import io
import struct
import zipfile
import zlib

import pytest

from ledger.tlog.bundle import (
    SUMS,
    VERIFY_PROGRAMS,
    VERIFY_TEXTS,
    Limits,
    format_bundle,
    format_sums,
    original_name,
    parse_sums,
    read_bundle,
)
from ledger.tlog.errors import (
    BundleCorrupt,
    BundleDuplicate,
    BundleEncrypted,
    BundleError,
    BundleName,
    BundleNested,
    BundleOverlap,
    BundleRatio,
    BundleStructure,
    BundleTooLarge,
    BundleTooMany,
    SumsSyntax,
)
from tests.ledger.tlog.sample import SampleLog, pack, with_sums

FILES = SampleLog(5).files(3)
BUNDLE = format_bundle(FILES)


def test_content_round_trips():
    assert read_bundle(BUNDLE) == with_sums(FILES)


def test_equal_content_gives_equal_bytes_in_any_order():
    assert format_bundle(dict(reversed(FILES.items()))) == BUNDLE


def test_sums_come_first_and_names_are_sorted():
    names = list(read_bundle(BUNDLE))
    assert names == [SUMS, *sorted(FILES)]


def test_other_tools_read_it():
    with zipfile.ZipFile(io.BytesIO(BUNDLE)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == with_sums(FILES)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_bundle_packed_again_is_read(compression):
    assert read_bundle(pack(with_sums(FILES), compression)) == with_sums(FILES)


def test_a_bundle_without_pictures_and_programs_stays_under_16_kb():
    left_out = ("originals/", *VERIFY_PROGRAMS)
    files = {name: data for name, data in SampleLog(1000).files(700).items() if not name.startswith(left_out)}
    assert len(format_bundle(files)) < 16_000


def test_the_certificate_is_carried_but_not_listed():
    files = FILES | {"certificate.pdf": b"%PDF-1.7"}
    assert format_sums(files) == format_sums(FILES)
    assert read_bundle(format_bundle(files))["certificate.pdf"] == b"%PDF-1.7"


def test_an_empty_archive_is_read():
    assert read_bundle(pack({})) == {}


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "a/../b", "a/b/c", "a\\b", "a b", "\u4e3b", "-rf", ".x", "a/", "a/.b", "x" * 101],
)
def test_unsafe_names_are_neither_written_nor_read(name):
    with pytest.raises(BundleName):
        format_bundle({name: b""})
    if name:
        with pytest.raises(BundleName):
            read_bundle(pack({name: b""}))


def test_sums_are_never_taken_from_the_caller():
    with pytest.raises(BundleName):
        format_bundle({SUMS: b""})


@pytest.mark.parametrize("extension", ["", "JPG", "j/pg", "tar.gz", "x" * 9])
def test_unsafe_extensions_are_refused(extension):
    with pytest.raises(BundleName):
        original_name(0, extension)


def test_originals_are_numbered_from_one():
    assert original_name(0, "jpg") == "originals/0001.jpg"


# Hostile archives


def entry(name, data=b"", *, flags=0, method=0, crc=None, packed=None, size=None, extra=b"", raw=None):
    """The parts of one ZIP member: local header, its bytes, and the directory record without the offset."""
    raw = name.encode() if raw is None else raw
    crc = zlib.crc32(data) if crc is None else crc
    packed = len(data) if packed is None else packed
    size = len(data) if size is None else size
    common = struct.pack("<HHHHHIIIHH", 20, flags, method, 0, 33, crc, packed, size, len(raw), len(extra))
    local = b"PK\x03\x04" + common + raw + extra
    central = b"PK\x01\x02" + struct.pack("<H", 20) + common + struct.pack("<HHHI", 0, 0, 0, 0)
    return local + data, central, raw + extra


def archive(*members, before=b"", after_files=b"", comment=b"", offsets=None):
    body, directory = before, b""
    for number, (local, central, tail) in enumerate(members):
        at = len(body) if offsets is None else offsets[number]
        directory += central + struct.pack("<I", at) + tail
        if offsets is None or at == len(body):
            body += local
    body += after_files
    count = len(members)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), len(comment))
    return body + directory + end + comment


def test_the_builder_of_hostile_archives_builds_good_ones_too():
    assert read_bundle(archive(entry("a", b"1"), entry("b", b"2"))) == {"a": b"1", "b": b"2"}


def test_extra_fields_of_other_tools_are_skipped():
    assert read_bundle(archive(entry("a", b"1", extra=b"UT\x05\x00\x03abcd"))) == {"a": b"1"}


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06", b"%PDF-1.7", b"x" * 100, BUNDLE[:-1], BUNDLE + b"\n"])
def test_what_is_not_a_whole_zip_is_refused(data):
    with pytest.raises(BundleStructure):
        read_bundle(data)


def test_every_prefix_is_refused():
    for cut in range(len(BUNDLE)):
        with pytest.raises(BundleError):
            read_bundle(BUNDLE[:cut])


def test_every_changed_byte_is_refused():
    for at in range(len(BUNDLE)):
        with pytest.raises(BundleError):
            read_bundle(BUNDLE[:at] + bytes([BUNDLE[at] ^ 0x01]) + BUNDLE[at + 1 :])


@pytest.mark.parametrize("flags", [0x01, 0x40, 0x2000])
def test_encrypted_files_are_refused(flags):
    with pytest.raises(BundleEncrypted):
        read_bundle(archive(entry("a", b"1", flags=flags)))


@pytest.mark.parametrize("flags", [0x08, 0x10, 0x8000])
def test_unsafe_flags_are_refused(flags):
    with pytest.raises(BundleStructure):
        read_bundle(archive(entry("a", b"1", flags=flags)))


@pytest.mark.parametrize("method", [1, 9, 12, 14, 93, 95])
def test_other_compression_is_refused(method):
    with pytest.raises(BundleStructure):
        read_bundle(archive(entry("a", b"1", method=method)))


def test_names_that_differ_in_capitals_only_are_refused():
    with pytest.raises(BundleDuplicate):
        read_bundle(archive(entry("entry.json", b"1"), entry("Entry.json", b"2")))


def test_one_name_twice_is_refused():
    with pytest.raises(BundleDuplicate):
        read_bundle(archive(entry("a", b"1"), entry("a", b"2")))


def test_a_name_for_file_and_folder_is_refused():
    with pytest.raises(BundleDuplicate):
        read_bundle(archive(entry("a", b"1"), entry("A/b", b"2")))


def test_two_files_sharing_bytes_are_refused():
    first = entry("a", b"1")
    with pytest.raises(BundleOverlap):
        read_bundle(archive(first, entry("b", b"1"), offsets=[0, 0]))


def test_a_file_reaching_into_the_directory_is_refused():
    with pytest.raises(BundleError):
        read_bundle(archive(entry("a", b"1", packed=100, size=100)))


def test_bytes_between_files_are_refused():
    with pytest.raises(BundleOverlap):
        read_bundle(archive(entry("a", b"1"), after_files=b"hidden"))


def test_bytes_before_the_archive_are_refused():
    with pytest.raises(BundleOverlap):
        read_bundle(archive(entry("a", b"1"), before=b"#!/bin/sh\n"))


def test_an_archive_comment_is_refused():
    with pytest.raises(BundleStructure):
        read_bundle(archive(entry("a", b"1"), comment=b"hello"))


def test_header_and_directory_naming_different_files_are_refused():
    local, central, _ = entry("a", b"1")
    with pytest.raises(BundleStructure):
        read_bundle(archive((local, central, b"b")))


def test_a_name_outside_ascii_is_refused():
    with pytest.raises(BundleName):
        read_bundle(archive(entry("a", b"1", raw=b"\xe4\xb8\xbb")))


def test_wrong_crc_is_refused():
    with pytest.raises(BundleCorrupt):
        read_bundle(archive(entry("a", b"1", crc=0)))


def deflated(data):
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeezer.compress(data) + squeezer.flush()


def test_a_file_that_lies_about_its_size_is_refused():
    packed = deflated(b"x" * 500)
    for size in (499, 501, 0):
        with pytest.raises(BundleCorrupt):
            read_bundle(archive(entry("a", packed, method=8, crc=zlib.crc32(b"x" * 500), size=size)))


def test_broken_and_unfinished_deflate_is_refused():
    packed = deflated(b"abcdefgh" * 50)
    for data in (b"\xff" * 20, packed[:-3], packed + b"more"):
        with pytest.raises(BundleCorrupt):
            read_bundle(archive(entry("a", data, method=8, crc=0, size=400)))


def test_a_file_that_grows_beyond_belief_is_refused():
    data = b"\0" * 1_000_000
    packed = deflated(data)
    with pytest.raises(BundleRatio):
        read_bundle(archive(entry("a", packed, method=8, crc=zlib.crc32(data), size=len(data))))


def test_an_archive_inside_is_refused():
    with pytest.raises(BundleNested):
        read_bundle(pack({"more": BUNDLE}))


def test_an_original_may_be_any_file():
    files = {"originals/0001.docx": BUNDLE}
    assert read_bundle(pack(files)) == files


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        (Limits(archive_bytes=len(BUNDLE) - 1), BundleTooLarge),
        (Limits(total_bytes=1000), BundleTooLarge),
        (Limits(text_bytes=100), BundleTooLarge),
        (Limits(files=3), BundleTooMany),
    ],
)
def test_limits_are_kept(limits, error):
    with pytest.raises(error):
        read_bundle(BUNDLE, limits)


# SHA256SUMS


def test_sums_round_trip():
    sums = parse_sums(format_sums(FILES))
    assert list(sums) == sorted(FILES)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text + b"\n",
        lambda text: text.upper(),
        lambda text: text.replace(b"  ", b" *"),
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"".join(reversed(text.splitlines(keepends=True))),
        lambda text: text.splitlines(keepends=True)[0] + text,
        lambda text: text.replace(b"entry.json", b"../entry.json"),
        lambda text: text.replace(b"entry.json", b"SHA256SUMS"),
        lambda text: text.replace(b"checkpoint", b"certificate.pdf"),
        lambda text: text.replace(b"entry.json", "\u4e3b".encode()),
    ],
)
def test_malformed_sums_are_refused(change):
    with pytest.raises(SumsSyntax):
        parse_sums(change(format_sums(FILES)))


@pytest.mark.parametrize("name", VERIFY_TEXTS)
def test_every_bundle_explains_itself(name):
    assert b"sha256sum -c SHA256SUMS" in FILES[name]
