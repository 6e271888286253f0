"""What files say about being generated, in every block that can say it; and words that only look like it."""

import zlib

import pytest
from PIL import Image

from compliance.checks.generators import find_generator_marks
from tests.compliance.checks.pictures import encode, levels, outcome_of, pair_of, product
from tests.images import exif_bytes, jpeg_segment, png_chunk, with_jpeg_segments, with_png_chunks, xmp_packet

JPEG, PNG = encode(product((64, 64)), "JPEG"), encode(product((64, 64)))
PARAMETERS = b"a red shirt, studio light\nSteps: 30, Sampler: Euler a, CFG scale: 7, Seed: 1"


def xmp(source_type: str) -> bytes:
    return jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + xmp_packet(source_type))


@pytest.mark.parametrize(
    "source_type", ["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicMedia"]
)
def test_the_digital_source_type_is_read(source_type):
    assert find_generator_marks(with_jpeg_segments(JPEG, [xmp(source_type)])) == ("DigitalSourceType",)


@pytest.mark.parametrize("source_type", ["digitalCapture", "minorHumanEdits", "algorithmicallyEnhanced"])
def test_photos_say_what_they_are_without_a_marker(source_type):
    assert find_generator_marks(with_jpeg_segments(JPEG, [xmp(source_type)])) == ()


def test_a_claim_of_c2pa_is_a_marker_only_when_it_says_generated():
    claim = b"JP\x00\x01" + b"jumb c2pa.actions digitalSourceType trainedAlgorithmicMedia"
    assert find_generator_marks(with_jpeg_segments(JPEG, [jpeg_segment(0xEB, claim)])) == ("DigitalSourceType",)
    assert find_generator_marks(with_jpeg_segments(JPEG, [jpeg_segment(0xEB, b"JP\x00\x01jumb c2pa")])) == ()


@pytest.mark.parametrize(
    "chunk",
    [
        (b"tEXt", b"parameters\x00" + PARAMETERS),
        (b"zTXt", b"parameters\x00\x00" + zlib.compress(PARAMETERS)),
        (b"iTXt", b"parameters\x00\x01\x00\x00\x00" + zlib.compress(PARAMETERS)),
        (b"iTXt", b"parameters\x00\x00\x00\x00\x00" + PARAMETERS),
    ],
)
def test_texts_of_png_are_read_even_compressed(chunk):
    assert find_generator_marks(with_png_chunks(PNG, [chunk])) == ("Stable Diffusion",)


def test_comments_in_two_byte_letters_are_read():
    comment = b"UNICODE\x00" + PARAMETERS.decode().encode("utf-16-be")
    assert find_generator_marks(with_jpeg_segments(JPEG, [jpeg_segment(0xE1, b"Exif\x00\x00" + comment)]))


def test_the_chinese_label_is_read():
    label = b'<rdf:Description TC260:AIGC=\'{"Label":"1","ContentProducer":"x"}\'/>'
    assert find_generator_marks(with_jpeg_segments(JPEG, [jpeg_segment(0xE1, label)])) == ("AIGC label",)


@pytest.mark.parametrize("text", [b"imagen de producto", b"firefly lamp", b"midjourneys end", b"Label: AIGCX"])
def test_ordinary_words_are_no_markers(text):
    assert find_generator_marks(with_jpeg_segments(JPEG, [jpeg_segment(0xFE, text)])) == ()


def test_a_camera_is_no_generator():
    assert find_generator_marks(encode(product((64, 64)), "JPEG", exif=exif_bytes())) == ()


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", JPEG[:40], PNG[:40], b"RIFF\x00\x00\x00\x00WEBP"])
def test_broken_files_say_nothing(data):
    assert find_generator_marks(data) == ()


def test_a_broken_compressed_text_is_passed_over():
    broken = PNG[:33] + png_chunk(b"zTXt", b"parameters\x00\x00broken") + PNG[33:]
    assert find_generator_marks(broken) == ()


def test_a_marked_file_is_warned_about_and_named():
    marked = with_jpeg_segments(JPEG, [xmp("trainedAlgorithmicMedia")])
    found = outcome_of("H22", pair_of(JPEG, marked))
    assert levels(found) == ["WARNING"]
    assert found.findings[0].detail == "hidden: DigitalSourceType"
    assert found.reason == "stripped_passes"


def test_pixels_are_not_judged():
    plain = encode(Image.new("RGB", (64, 64), (10, 200, 30)))
    assert levels(outcome_of("H22", pair_of(plain, plain))) == []
