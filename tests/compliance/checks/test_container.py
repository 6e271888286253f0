"""Rules about the file: what counts is in the bytes, not in the name."""

import io
import struct

import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from compliance.checks.base import Verdict
from compliance.checks.blocks import has_position, list_blocks
from tests.compliance.checks.pictures import encode, levels, outcome_of, pair_of, product

MAIN = encode(product())
SMALL = product((640, 640))


def hidden_outcome(rule_id: str, hidden: bytes):
    return outcome_of(rule_id, pair_of(MAIN, hidden))


def jpeg_with(marker: int, payload: bytes) -> bytes:
    """A JPEG with one more segment right after its start."""
    plain = encode(SMALL, "JPEG")
    return plain[:2] + struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload + plain[2:]


def exif_with_gps() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8825).update({1: "N", 2: (30.0, 15.0, 0.0), 3: "E", 4: (120.0, 10.0, 0.0)})
    return exif.tobytes()


@pytest.mark.parametrize(
    ("size_bytes", "verdict"), [(4_999_999, "PASSED"), (5_000_000, "PASSED"), (5_000_001, "FAILED")]
)
def test_five_megabytes_are_five_million_bytes(size_bytes, verdict):
    hidden = MAIN + bytes(size_bytes - len(MAIN))
    found = hidden_outcome("H06", hidden)
    assert found.verdict == verdict
    assert found.measured == size_bytes


@pytest.mark.parametrize("format_name", ["JPEG", "PNG"])
def test_jpg_and_png_are_allowed(format_name):
    assert hidden_outcome("H05", encode(product(), format_name)).verdict is Verdict.PASSED


def test_a_webp_is_a_webp_whatever_its_name():
    found = hidden_outcome("H05", encode(product(), "WEBP"))
    assert found.verdict is Verdict.FAILED
    assert (found.findings[0].code, found.findings[0].measured) == ("ERR_IMG_HID_FORMAT", "WEBP")


def test_a_png_called_jpg_is_still_allowed():
    assert outcome_of("H05", pair_of(MAIN, encode(product(), "PNG"))).measured == "PNG"


def test_a_clean_file_carries_no_metadata():
    assert hidden_outcome("H21", encode(product(), "JPEG")).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("hidden", "kind"),
    [
        (jpeg_with(0xE1, b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "EXIF"),
        (jpeg_with(0xE1, b"Exif\x00\x00broken"), "EXIF"),
        (jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\x00<x/>"), "XMP"),
        (jpeg_with(0xE1, b"http://ns.adobe.com/xmp/extension/\x00"), "XMP"),
        (jpeg_with(0xED, b"Photoshop 3.0\x00"), "IPTC"),
        (jpeg_with(0xEB, b"JP\x00\x01jumb"), "JUMBF"),
        (jpeg_with(0xFE, b"made by"), "comment"),
        (jpeg_with(0xE1, b"something else"), "APP1"),
        (jpeg_with(0xEC, b"Ducky"), "APP12"),
        (encode(SMALL, "WEBP", exif=exif_with_gps()), "EXIF"),
        (encode(SMALL, "PNG", exif=exif_with_gps()), "EXIF"),
    ],
)
def test_each_kind_of_metadata_is_named(hidden, kind):
    found = hidden_outcome("H21", hidden)
    assert found.verdict is Verdict.FAILED
    assert found.findings[0].code == "ERR_IMG_HID_META"
    assert found.findings[0].detail == kind


@pytest.mark.parametrize("compressed", [False, True])
def test_png_texts_are_metadata(compressed):
    info = PngInfo()
    info.add_text("parameters", "Steps: 20", zip=compressed)
    assert list_blocks(encode(SMALL, "PNG", pnginfo=info)) == ("PNG text",)


def test_png_xmp_is_told_from_text():
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "<x/>")
    assert list_blocks(encode(SMALL, "PNG", pnginfo=info)) == ("XMP",)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
def test_a_colour_profile_is_not_metadata(format_name):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert list_blocks(encode(SMALL, format_name, icc_profile=profile)) == ()


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
def test_gps_is_a_finding_of_its_own(format_name):
    found = hidden_outcome("H21", encode(product(), format_name, exif=exif_with_gps()))
    assert [finding.code for finding in found.findings] == ["ERR_IMG_HID_META", "ERR_IMG_HID_GPS"]
    assert levels(found) == ["ERROR", "ERROR"]


def test_gps_in_xmp_counts():
    packet = b'http://ns.adobe.com/xap/1.0/\x00<x exif:GPSLatitude="30,15N"/>'
    assert has_position(jpeg_with(0xE1, packet))


def test_exif_without_a_position_names_no_gps():
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    out = io.BytesIO()
    SMALL.save(out, "JPEG", exif=exif)
    assert not has_position(out.getvalue())
