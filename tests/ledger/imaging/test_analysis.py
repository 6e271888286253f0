"""One decode for everything: the parts agree with each other and survive the way out of the child."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from ledger.imaging.analysis import analyse_picture, analyse_task, digest_pixels
from ledger.imaging.decode import decode_picture
from ledger.imaging.errors import CorruptPixels
from ledger.imaging.fingerprint import fingerprint
from ledger.imaging.results import format_analysis, parse_analysis
from tests import images


def test_the_pixel_digest_is_the_sha256_of_packed_rgb_rows():
    for size in ((1, 1), (640, 481), (3000, 50), (50, 3000)):
        image = images.noise_picture(1, size)
        assert digest_pixels(image) == hashlib.sha256(np.asarray(image).tobytes()).digest()


def test_the_same_pixels_in_other_files_have_the_same_digest():
    photo = images.product_photo(1)
    files = (
        images.png_bytes(photo),
        images.webp_bytes(photo, lossless=True),
        images.png_bytes(photo, compress_level=9),
    )
    assert len({analyse_picture(data, thumbnails=False).pixel_sha256 for data in files}) == 1


def test_a_turned_file_has_the_digest_of_the_upright_one():
    photo = images.product_photo(1)
    turned = images.png_bytes(photo.transpose(Image.Transpose.ROTATE_90), exif=images.exif_bytes(orientation=6))
    assert analyse_picture(turned).pixel_sha256 == analyse_picture(images.png_bytes(photo)).pixel_sha256


def test_the_analysis_agrees_with_its_parts():
    data = images.jpeg_bytes(images.product_photo(2, (500, 700)), exif=images.exif_bytes(orientation=8))
    analysis, picture = analyse_picture(data), decode_picture(data)
    assert (analysis.width, analysis.height) == (700, 500) == (picture.width, picture.height)
    assert analysis.fingerprints == fingerprint(picture.image)
    assert analysis.metadata.camera_model == "K-100"
    assert analysis.flags == ("rotated", "too_small")


def test_thumbnails_are_left_out_on_request():
    assert analyse_picture(images.jpeg_bytes(images.product_photo(2)), thumbnails=False).thumbnails == ()


def test_results_round_trip_through_json():
    exif = images.exif_bytes(gps=(-33.85, 151.2), serial="1")
    analysis = analyse_picture(images.jpeg_bytes(images.product_photo(2), exif=exif, comment=b"note"))
    values, blobs = format_analysis(analysis)
    assert parse_analysis(json.loads(json.dumps(values, allow_nan=False)), blobs) == analysis


def test_the_task_answers_what_the_function_answers():
    data = images.jpeg_bytes(images.product_photo(2))
    assert parse_analysis(*analyse_task([data], {})) == analyse_picture(data)


def test_malformed_results_are_refused():
    values, blobs = analyse_task([images.jpeg_bytes(images.product_photo(2))], {})
    with pytest.raises(ValueError):
        parse_analysis(values, blobs[:1])
    with pytest.raises(KeyError):
        parse_analysis({key: value for key, value in values.items() if key != "width"}, blobs)


def test_a_broken_file_is_refused():
    with pytest.raises(CorruptPixels):
        analyse_picture(images.wrong_crc_png())
