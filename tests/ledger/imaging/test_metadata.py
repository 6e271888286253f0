"""What files say about themselves: found where it is, harmless where it lies, never an exception."""

import json
import struct

import numpy as np
import pytest

from ledger.imaging.metadata import clean_text, read_metadata
from ledger.imaging.results import Metadata, parse_metadata
from tests import images

PHOTO = images.product_photo(2, (320, 240))
ENCODERS = [images.jpeg_bytes, images.png_bytes, images.webp_bytes]


@pytest.mark.parametrize("encode", ENCODERS)
def test_camera_time_and_software_are_read(encode):
    found = read_metadata(encode(PHOTO, exif=images.exif_bytes(orientation=6)))
    assert (found.camera_make, found.camera_model, found.software) == ("Kestrel", "K-100", "Darkroom 3")
    assert (found.captured_at, found.orientation, found.has_exif) == ("2024-05-01T12:30:00+08:00", 6, True)
    assert found.flags == ()


@pytest.mark.parametrize("encode", ENCODERS)
@pytest.mark.parametrize("place", [(31.2304, 121.4737), (-33.8568, -151.2153)])
def test_place_and_serial_number_are_private(encode, place):
    found = read_metadata(encode(PHOTO, exif=images.exif_bytes(gps=place, serial="SN-1")))
    assert (found.private.latitude, found.private.longitude) == pytest.approx(place, abs=1e-5)
    assert found.private.body_serial == "SN-1"
    public = {key: value for key, value in found.to_json().items() if key != "private"}
    assert "SN-1" not in json.dumps(public)


@pytest.mark.parametrize(
    ("moment", "offset", "wanted"),
    [
        ("2024:05:01 12:30:00", "", "2024-05-01T12:30:00"),
        ("2024:05:01 12:30:00", "Z+8", "2024-05-01T12:30:00"),
        ("0000:00:00 00:00:00", "+08:00", ""),
        ("    :  :     :  :  ", "", ""),
        ("yesterday", "", ""),
        ("2024:05:01", "", ""),
    ],
)
def test_times_are_iso_or_empty(moment, offset, wanted):
    data = images.jpeg_bytes(PHOTO, exif=images.exif_bytes(captured_at=moment, offset=offset))
    assert read_metadata(data).captured_at == wanted


def test_files_without_metadata_say_nothing():
    found = read_metadata(images.webp_bytes(PHOTO))
    assert found == Metadata()


@pytest.mark.parametrize("encode", ENCODERS)
def test_a_profile_is_named(encode):
    found = read_metadata(encode(PHOTO, icc_profile=images.srgb_profile()))
    assert found.icc_name.startswith("sRGB")
    assert found.icc_bytes == len(images.srgb_profile())


def test_a_broken_profile_is_a_flag():
    assert read_metadata(images.webp_bytes(PHOTO, icc_profile=b"x" * 140)).flags == ("icc_unreadable",)


@pytest.mark.parametrize("encode", [images.jpeg_bytes, images.webp_bytes])
def test_the_iptc_source_type_is_read(encode):
    found = read_metadata(encode(PHOTO, xmp=images.xmp_packet("trainedAlgorithmicMedia", "Painter 9")))
    assert (found.digital_source_type, found.creator_tool, found.has_xmp) == (
        "trainedAlgorithmicMedia",
        "Painter 9",
        True,
    )


def test_xmp_in_a_png_is_read():
    chunk = (b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + images.xmp_packet("digitalArt"))
    found = read_metadata(images.with_png_chunks(images.png_bytes(PHOTO), [chunk]))
    assert found.digital_source_type == "digitalArt"
    assert found.comments == ()


def test_xmp_values_may_be_elements():
    packet = (
        b'<x xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        b"<i:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/composite</i:DigitalSourceType></x>"
    )
    assert read_metadata(images.webp_bytes(PHOTO, xmp=packet)).digital_source_type == "composite"


@pytest.mark.parametrize(
    "packet",
    [
        b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaa'>]><x>&a;</x>",
        b"<?xml version='1.0'?><!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>",
        b"<unclosed>",
        b"<x>" + b" " * (1 << 20) + b"</x>",
    ],
    ids=["entity", "external", "unclosed", "large"],
)
def test_hostile_xmp_is_a_flag(packet):
    found = read_metadata(images.webp_bytes(PHOTO, xmp=packet))
    assert found.flags == ("metadata_unreadable",)
    assert found.has_xmp is False


def test_content_credentials_are_noticed():
    box = struct.pack(">I", 40) + b"jumb" + struct.pack(">I", 32) + b"jumdc2pa" + bytes(20)
    jpeg = images.with_jpeg_segments(
        images.jpeg_bytes(PHOTO), [images.jpeg_segment(0xEB, b"JP\x00\x01\x00\x00\x00\x01" + box)]
    )
    png = images.with_png_chunks(images.png_bytes(PHOTO), [(b"caBX", box)])
    for data in (jpeg, png):
        found = read_metadata(data)
        assert (found.has_c2pa, found.flags) == (True, ("c2pa",))
    assert read_metadata(images.jpeg_bytes(PHOTO)).has_c2pa is False


@pytest.mark.parametrize("quality", [1, 10, 30, 50, 75, 88, 95, 100])
def test_the_quality_of_a_standard_encoder_is_found(quality):
    found = read_metadata(images.jpeg_bytes(PHOTO, quality))
    assert (found.jpeg_quality, found.jpeg_standard_tables) == (quality, True)
    assert len(found.jpeg_tables_sha256) == 64


def test_other_tables_give_the_nearest_quality():
    tables = [[12 + index // 2 for index in range(64)]] * 2
    found = read_metadata(images.encoded(PHOTO, "JPEG", qtables=tables))
    assert found.jpeg_quality is not None
    assert 60 <= found.jpeg_quality <= 85
    assert found.jpeg_standard_tables is False


def test_progressive_files_are_known():
    assert read_metadata(images.jpeg_bytes(PHOTO, progressive=True)).jpeg_progressive is True
    assert read_metadata(images.jpeg_bytes(PHOTO)).jpeg_progressive is False


def test_comments_and_png_texts_are_read():
    assert read_metadata(images.jpeg_bytes(PHOTO, comment=b"made by hand")).comments == ("made by hand",)
    texts = [(b"tEXt", b"Software\x00Painter"), (b"zTXt", b"parameters\x00\x00x"), (b"iTXt", "作者\x00".encode())]
    found = read_metadata(images.with_png_chunks(images.png_bytes(PHOTO), texts))
    assert found.software == "Painter"
    assert "Software: Painter" in found.comments
    assert "parameters: (compressed)" in found.comments


def test_texts_are_one_line_without_control_or_direction_marks():
    assert clean_text("a\x00b\r\n\tc\u202ed\ufeff" + "x" * 1000) == ("a b cd" + "x" * 1000)[:200]
    assert clean_text(b"\xff\xfe") == "\ufffd\ufffd"
    assert clean_text("\ud800") == ""
    assert clean_text(None) == ""
    assert clean_text((1, 2)) == ""


def test_numbers_that_json_cannot_carry_are_dropped():
    data = bytearray(images.jpeg_bytes(PHOTO, exif=images.exif_bytes(gps=(10.0, 20.0))))
    at = (
        data.index(struct.pack(">II", 10, 1))
        if struct.pack(">II", 10, 1) in data
        else data.index(struct.pack("<II", 10, 1))
    )
    data[at : at + 8] = bytes(8)
    found = read_metadata(bytes(data))
    assert found.private.latitude is None
    json.dumps(found.to_json(), allow_nan=False)


def test_metadata_round_trips_through_json():
    found = read_metadata(images.jpeg_bytes(PHOTO, exif=images.exif_bytes(gps=(1, 2)), comment=b"x"))
    assert parse_metadata(json.loads(json.dumps(found.to_json()))) == found


def test_unknown_fields_are_dropped_and_missing_ones_keep_their_default():
    assert parse_metadata({"later": 1, "camera_make": "K"}) == Metadata(camera_make="K")


@pytest.mark.parametrize("encode", ENCODERS)
def test_no_bytes_whatever_raise(encode):
    data = encode(PHOTO.resize((40, 30)), exif=images.exif_bytes(gps=(1, 2)), icc_profile=images.srgb_profile())
    rng = np.random.default_rng(3)
    for _ in range(400):
        mutated = bytearray(data)
        for _ in range(int(rng.integers(1, 12))):
            mutated[int(rng.integers(0, min(len(data), 4000)))] = int(rng.integers(0, 256))
        found = read_metadata(bytes(mutated[: int(rng.integers(1, len(data)))]))
        json.dumps(found.to_json(), allow_nan=False)
    for length in range(200):
        read_metadata(data[:length])
