"""The gate: what may be sealed, and with which code everything else is turned away."""

import struct

import pytest

from ledger.imaging import errors
from ledger.imaging.scan import MAX_FILE_BYTES, FileScan, scan_picture
from ledger.imaging.structure import MAX_JPEG_SCANS, walk_jpeg
from tests import images

PHOTO = images.product_photo(1, (700, 620))
JPEG, PNG, WEBP = images.jpeg_bytes(PHOTO), images.png_bytes(PHOTO), images.webp_bytes(PHOTO)


def refusal(data: bytes, name: str = "photo.jpg") -> tuple[str, str]:
    with pytest.raises(errors.AdmissionError) as caught:
        scan_picture(data, file_name=name)
    return caught.value.code, caught.value.detail


def code_of(data: bytes, name: str) -> str:
    try:
        scan_picture(data, file_name=name)
    except errors.AdmissionError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    ("data", "name", "kind", "mime"),
    [
        (JPEG, "a.jpg", "JPEG", "image/jpeg"),
        (JPEG, "A.JPEG", "JPEG", "image/jpeg"),
        (PNG, "a.png", "PNG", "image/png"),
        (WEBP, "a.webp", "WEBP", "image/webp"),
        (images.webp_bytes(PHOTO, lossless=True), "a.webp", "WEBP", "image/webp"),
        (images.webp_bytes(PHOTO, exif=images.exif_bytes()), "a.webp", "WEBP", "image/webp"),
        (images.jpeg_bytes(PHOTO, progressive=True), "a.jpg", "JPEG", "image/jpeg"),
    ],
)
def test_ordinary_files_pass_with_their_size(data, name, kind, mime):
    assert scan_picture(data, file_name=name) == FileScan(kind, mime, 700, 620, len(data), ())


def test_bytes_decide_where_the_name_says_nothing():
    assert scan_picture(PNG, file_name="download").format == "PNG"
    assert scan_picture(PNG, file_name="photo.final-v2").format == "PNG"


def test_memoryviews_are_accepted():
    assert scan_picture(memoryview(JPEG), file_name="a.jpg").format == "JPEG"


def test_width_and_height_are_as_stored():
    turned = images.jpeg_bytes(PHOTO, exif=images.exif_bytes(orientation=6))
    scan = scan_picture(turned, file_name="a.jpg")
    assert (scan.width, scan.height) == (700, 620)


@pytest.mark.parametrize(
    ("data", "name", "detail"),
    [
        (PNG, "a.jpg", "jpg/png"),
        (WEBP, "a.png", "png/webp"),
        (JPEG, "IMG_0001.HEIC", "heic/jpeg"),
        (JPEG, "a.gif", "gif/jpeg"),
    ],
)
def test_a_name_that_disagrees_with_the_bytes_is_a_mismatch(data, name, detail):
    assert refusal(data, name) == ("type_mismatch", detail)


@pytest.mark.parametrize(
    ("data", "name", "detail"),
    [
        (struct.pack(">I", 24) + b"ftypheic" + bytes(40), "IMG.HEIC", "heic"),
        (struct.pack(">I", 24) + b"ftypmif1" + bytes(40), "IMG.HEIC", "heic"),
        (struct.pack(">I", 24) + b"ftypavif" + bytes(40), "a.avif", "avif"),
        (struct.pack(">I", 24) + b"ftypcrx " + bytes(40), "a.cr3", "raw"),
        (struct.pack(">I", 24) + b"ftypisom" + bytes(40), "a.mp4", "video"),
        (b"II*\x00" + bytes(40), "a.NEF", "raw"),
        (b"II*\x00" + bytes(40), "a.tif", "tiff"),
        (b"GIF89a" + bytes(40), "a.gif", "gif"),
        (b"BM" + bytes(40), "a.bmp", "bmp"),
        (b"8BPS" + bytes(40), "a.psd", "psd"),
        (b"<svg xmlns=''/>", "a.svg", "svg"),
        (b"%PDF-1.7\n", "a.jpg", "pdf"),
        (b"hello", "a.jpg", "unknown"),
        (b"\xff\xd8", "a.jpg", "unknown"),
    ],
)
def test_other_kinds_are_unsupported_and_named(data, name, detail):
    assert refusal(data, name) == ("unsupported_type", detail)


def test_an_empty_file_has_its_own_code():
    assert refusal(b"")[0] == "empty_file"


def test_a_file_above_the_limit_is_too_large():
    assert refusal(JPEG + bytes(MAX_FILE_BYTES))[0] == "too_large"


@pytest.mark.parametrize(
    ("data", "name"), [(images.animated_png(), "a.png"), (images.animated_webp(), "a.webp")], ids=["apng", "webp"]
)
def test_animations_are_refused(data, name):
    assert refusal(data, name)[0] == "animated"


def test_an_animation_that_lies_about_its_frames_is_refused():
    control = (b"acTL", struct.pack(">II", 2**31 - 1, 0))
    assert refusal(images.with_png_chunks(PNG, [control]), "a.png")[0] == "animated"


def test_an_animation_control_for_one_frame_is_a_still_picture():
    control = (b"acTL", struct.pack(">II", 1, 0))
    assert scan_picture(images.with_png_chunks(PNG, [control]), file_name="a.png").format == "PNG"


def test_a_scan_bomb_is_refused():
    assert refusal(images.scan_bomb_jpeg(400))[0] == "too_many_scans"


def test_the_walk_stops_soon_after_the_limit_of_scans():
    assert walk_jpeg(images.scan_bomb_jpeg(2000)).scans == MAX_JPEG_SCANS + 1


def test_too_many_chunks_or_segments_are_refused():
    chunks = [(b"aaAa", b"")] * 20_001
    assert refusal(images.with_png_chunks(PNG, chunks), "a.png")[0] == "metadata_too_large"
    assert (
        refusal(images.with_jpeg_segments(JPEG, [images.jpeg_segment(0xEF, b"")] * 20_001))[0] == "metadata_too_large"
    )


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (JPEG[:2] + b"\xff" * 20_000_000, "a.jpg", "corrupt_image"),
        (JPEG[:2] + b"\xff\xd0" * 10_000_000, "a.jpg", "metadata_too_large"),
        (JPEG[:2] + b"\xff\xe0\x00\x02" * 5_000_000, "a.jpg", "metadata_too_large"),
        (JPEG + bytes(20_000_000), "a.jpg", ""),
        (JPEG + b"\xff\xd8" * 10_000_000, "a.jpg", ""),
        (JPEG + (JPEG[:2] + b"\xff\xd9") * 1_000_000, "a.jpg", ""),
        (PNG[:33] + images.png_chunk(b"IDAT", b"") * 2_000_000, "a.png", "metadata_too_large"),
        (b"RIFF\xff\xff\xff\x0fWEBP" + b"junk\x00\x00\x00\x00" * 3_000_000, "a.webp", "metadata_too_large"),
    ],
    ids=["fill", "restarts", "segments", "padding", "starts", "jpegs", "data-chunks", "webp-chunks"],
)
def test_files_made_to_keep_the_walk_busy_are_answered(data, name, code):
    assert code_of(data, name) == code


def test_picture_data_in_many_small_chunks_is_fine():
    (header, *_rest) = images.png_chunks(PNG)
    data = b"".join(payload for name, payload in images.png_chunks(PNG) if name == b"IDAT")
    pieces = [(b"IDAT", data[start : start + 16]) for start in range(0, len(data), 16)]
    split = images.png_file([header, *pieces, (b"IEND", b"")])
    assert len(pieces) > 20_000
    assert scan_picture(split, file_name="a.png").flags == ()


def test_metadata_above_its_limit_is_refused():
    segment = images.jpeg_segment(0xEF, bytes(65_000))
    assert refusal(images.with_jpeg_segments(JPEG, [segment] * 400))[0] == "metadata_too_large"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\xff\xd8\xff" + bytes(100), "a.jpg"),
        (JPEG[:20], "a.jpg"),
        (PNG[:20], "a.png"),
        (b"\x89PNG\r\n\x1a\n" + images.png_chunk(b"IDAT", b""), "a.png"),
        (images.huge_png(0, 10), "a.png"),
        (b"RIFF\x04\x00\x00\x00WEBP", "a.webp"),
    ],
)
def test_files_without_a_sound_header_are_corrupt(data, name):
    assert refusal(data, name)[0] == "corrupt_image"


def test_a_side_above_the_limit_is_a_bad_dimension():
    assert refusal(images.huge_png(1, 60_000), "a.png") == ("bad_dimensions", "1x60000")


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (images.huge_png(60_000, 60_000), "a.png"),
        (images.huge_png(7_100, 7_100, complete=True), "a.png"),
        (images.huge_webp(), "a.webp"),
        (images.huge_jpeg(), "a.jpg"),
    ],
)
def test_more_pixels_than_we_decode_may_be_sealed_and_are_flagged(data, name):
    assert "too_many_pixels" in scan_picture(data, file_name=name).flags


def test_small_pictures_are_accepted_with_a_flag():
    assert scan_picture(images.jpeg_bytes(images.product_photo(1, (599, 900))), file_name="a.jpg").flags == (
        "too_small",
    )
    assert scan_picture(images.png_bytes(images.flat_picture(size=(1, 1))), file_name="a.png").flags == ("too_small",)


@pytest.mark.parametrize(("data", "name"), [(JPEG[:-2000], "a.jpg"), (PNG[:-2000], "a.png"), (WEBP[:-2000], "a.webp")])
def test_a_file_that_stops_early_is_flagged(data, name):
    assert scan_picture(data, file_name=name).flags == ("truncated",)


@pytest.mark.parametrize(
    ("tail", "detail"),
    [
        (images.zip_bytes(), "zip"),
        (b"PK\x03\x04" + bytes(30) + images.zip_bytes(), "zip"),
        (b"\n%PDF-1.4 ...", "pdf"),
        (b"<HTML><body>", "markup"),
        (b"text then <ScRiPt>alert(1)", "html"),
        (b"x<?php echo 1;", "php"),
        (b"MZ\x90\x00", "executable"),
        (b"\x7fELF\x02\x01", "executable"),
        (b"#!/bin/sh\n", "script"),
        (b"Rar!\x1a\x07\x00", "rar"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"GIF89a", "gif"),
    ],
)
@pytest.mark.parametrize(
    ("data", "name"), [(JPEG, "a.jpg"), (PNG, "a.png"), (WEBP, "a.webp")], ids=["jpg", "png", "webp"]
)
def test_a_second_file_behind_the_picture_is_a_polyglot(data, name, tail, detail):
    assert refusal(data + tail, name) == ("polyglot", detail)


def test_a_pdf_that_begins_in_a_comment_is_a_polyglot():
    comment = images.jpeg_segment(0xFE, b"%PDF-1.4\n1 0 obj")
    assert refusal(images.with_jpeg_segments(JPEG, [comment]) + b"\ntrailer\n%%EOF") == ("polyglot", "pdf")


def test_html_in_a_comment_is_only_a_comment():
    comment = images.jpeg_segment(0xFE, b"<script>alert(1)</script>")
    assert scan_picture(images.with_jpeg_segments(JPEG, [comment]), file_name="a.jpg").flags == ()


def test_padding_is_not_trailing_data():
    assert scan_picture(JPEG + bytes(5000), file_name="a.jpg").flags == ()


def test_a_motion_photo_is_accepted_with_a_flag():
    assert scan_picture(JPEG + images.motion_photo_tail(), file_name="a.jpg").flags == ("trailing_data",)


def test_a_multi_picture_jpeg_is_a_jpeg():
    scan = scan_picture(images.mpo_bytes(), file_name="a.mpo")
    assert (scan.format, scan.flags) == ("JPEG", ("multi_picture",))


def test_a_multi_picture_jpeg_with_a_zip_behind_is_a_polyglot():
    assert refusal(images.mpo_bytes() + images.zip_bytes())[0] == "polyglot"


@pytest.mark.parametrize(
    ("data", "name"), [(JPEG, "a.jpg"), (PNG, "a.png"), (WEBP, "a.webp")], ids=["jpg", "png", "webp"]
)
def test_every_prefix_and_every_changed_header_byte_gets_an_answer(data, name):
    cuts = [data[:length] for length in range(600)]
    changed = [data[:at] + bytes((data[at] ^ mask,)) + data[at + 1 :] for at in range(400) for mask in (0x01, 0xFF)]
    for mutated in (*cuts, *changed):
        assert code_of(mutated, name) in {"", *errors.ADMISSION_ERRORS}


def test_codes_of_errors_are_unique_and_round_trip():
    for table in (errors.ADMISSION_ERRORS, errors.DECODE_ERRORS):
        for kind in table.values():
            again = errors.parse_error(errors.format_error(kind("detail")))
            assert (type(again), again.detail) == (kind, "detail")


def test_an_unknown_code_from_the_child_is_a_crash():
    assert isinstance(errors.parse_error({"kind": "decode", "code": "surprise"}), errors.DecodeCrashed)
    assert isinstance(errors.parse_error({"code": ["x"]}), errors.DecodeCrashed)
