"""Previews: sizes, and that nothing the file said about itself travels with them."""

import io

import numpy as np
import pytest
from PIL import Image

from ledger.imaging.analysis import analyse_picture
from ledger.imaging.structure import walk_webp
from ledger.imaging.thumbnail import make_thumbnails
from tests import images


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["WEBP"])


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((2000, 1000), [(320, 160), (1024, 512)]),
        ((1000, 2000), [(160, 320), (512, 1024)]),
        ((1024, 1024), [(320, 320), (1024, 1024)]),
        ((700, 500), [(320, 229), (700, 500)]),
        ((200, 100), [(200, 100), (200, 100)]),
        ((4000, 3), [(320, 1), (1024, 1)]),
        ((1, 1), [(1, 1), (1, 1)]),
    ],
)
def test_long_sides_are_320_and_1024_and_nothing_is_enlarged(size, wanted):
    made = make_thumbnails(images.product_photo(1).resize(size))
    assert [item.long_side for item in made] == [320, 1024]
    assert [(item.width, item.height) for item in made] == wanted
    assert [opened(item.data).size for item in made] == wanted


def test_previews_look_like_the_picture():
    image = images.product_photo(4, (1800, 1500))
    for item in make_thumbnails(image):
        reference = image.resize((item.width, item.height), Image.Resampling.LANCZOS)
        got = np.asarray(opened(item.data).convert("RGB"), np.float64)
        error = ((got - np.asarray(reference, np.float64)) ** 2).mean()
        assert 10 * np.log10(255**2 / error) > 30


def test_previews_carry_no_metadata():
    exif = images.exif_bytes(orientation=6, gps=(31.2304, 121.4737), serial="SN-12345")
    data = images.jpeg_bytes(
        images.product_photo(5, (1300, 1100)),
        exif=exif,
        icc_profile=images.swapped_profile(),
        comment=b"secret comment",
        xmp=images.xmp_packet("trainedAlgorithmicMedia"),
    )
    analysis = analyse_picture(data)
    assert analysis.metadata.private.latitude == pytest.approx(31.2304, abs=1e-5)
    assert len(analysis.thumbnails) == 2
    for item in analysis.thumbnails:
        assert [segment.name for segment in walk_webp(item.data).segments] == [b"VP8 "]
        assert not {"exif", "icc_profile", "xmp"} & set(opened(item.data).info)
        assert all(word not in item.data for word in (b"Exif", b"SN-12345", b"secret", b"Kestrel", b"xmp"))


def test_previews_are_upright():
    data = images.jpeg_bytes(images.product_photo(5, (1300, 1100)), exif=images.exif_bytes(orientation=6))
    assert [(item.width, item.height) for item in analyse_picture(data).thumbnails] == [(271, 320), (866, 1024)]
