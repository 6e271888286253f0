"""From bytes to upright sRGB pixels: what each kind of file looks like afterwards, and what is refused."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from ledger.imaging.decode import decode_picture
from ledger.imaging.errors import CorruptPixels, DecodeError, TooManyPixels
from tests import images

PHOTO = images.product_photo(2, (700, 620))


def code_of(data: bytes) -> str:
    try:
        decode_picture(data)
    except DecodeError as error:
        return error.code
    return ""


def assert_close(left, right, tolerance: float = 2.0) -> None:
    difference = np.abs(np.asarray(left, np.int16) - np.asarray(right, np.int16)).mean()
    assert difference <= tolerance


def test_lossless_pixels_are_exact():
    for data in (images.png_bytes(PHOTO), images.webp_bytes(PHOTO, lossless=True)):
        picture = decode_picture(data)
        assert np.array_equal(picture.pixels, np.asarray(PHOTO))
        assert picture.flags == ()


def test_pixels_are_uint8_rows_of_rgb():
    picture = decode_picture(images.jpeg_bytes(PHOTO))
    assert picture.pixels.shape == (620, 700, 3)
    assert picture.pixels.dtype == np.dtype(np.uint8)
    assert (picture.width, picture.height, picture.format, picture.source_mode) == (700, 620, "JPEG", "RGB")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("encode", [images.jpeg_bytes, images.png_bytes, images.webp_bytes])
def test_every_orientation_is_turned_upright(orientation, encode):
    data = encode(PHOTO, exif=images.exif_bytes(orientation=orientation))
    picture = decode_picture(data)
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert np.array_equal(picture.pixels, np.asarray(wanted.convert("RGB")))
    assert ("rotated" in picture.flags) == (orientation != 1)


@pytest.mark.parametrize("orientation", [0, 9, 9999])
def test_senseless_orientations_are_ignored(orientation):
    picture = decode_picture(images.jpeg_bytes(PHOTO, exif=images.exif_bytes(orientation=orientation)))
    assert (picture.width, picture.flags) == (700, ())


def test_sixteen_bit_grey_keeps_its_upper_eight_bits():
    picture = decode_picture(images.sixteen_bit_png())
    ramp = (np.linspace(0, 65_535, 640).astype(np.uint16) >> 8).astype(np.uint8)
    assert np.array_equal(picture.pixels[0], np.repeat(ramp[:, None], 3, axis=1))
    assert picture.flags == ("sixteen_bit",)


def test_cmyk_becomes_rgb():
    picture = decode_picture(images.jpeg_bytes(PHOTO.convert("CMYK"), quality=95))
    assert (picture.source_mode, picture.flags) == ("CMYK", ("cmyk",))
    assert_close(picture.pixels, PHOTO, 4)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_few_colours_become_rgb(mode):
    source = PHOTO.convert(mode)
    picture = decode_picture(images.png_bytes(source))
    assert np.array_equal(picture.pixels, np.asarray(source.convert("RGB")))


def test_transparency_is_laid_over_white():
    picture = decode_picture(images.transparent_png())
    assert picture.pixels[0, 0].tolist() == [255, 0, 0]
    assert picture.pixels[0, -1].tolist() == [255, 255, 255]
    assert picture.flags == ("alpha_flattened",)


def test_opaque_alpha_changes_nothing():
    picture = decode_picture(images.png_bytes(PHOTO.convert("RGBA")))
    assert np.array_equal(picture.pixels, np.asarray(PHOTO))
    assert picture.flags == ()


def test_a_transparent_palette_colour_is_laid_over_white():
    source = Image.new("P", (640, 640), 1)
    source.putpalette([0, 0, 0, 10, 20, 30])
    picture = decode_picture(images.png_bytes(source, transparency=1))
    assert picture.pixels[0, 0].tolist() == [255, 255, 255]


def test_a_transparent_sixteen_bit_level_is_laid_over_white():
    source = Image.fromarray(np.full((640, 640), 4660, np.uint16))
    data = images.with_png_chunks(images.png_bytes(source), [(b"tRNS", (4660).to_bytes(2, "big"))])
    assert decode_picture(data).pixels[0, 0].tolist() == [255, 255, 255]


def test_an_srgb_profile_changes_no_pixel():
    plain = decode_picture(images.png_bytes(PHOTO))
    tagged = decode_picture(images.png_bytes(PHOTO, icc_profile=images.srgb_profile()))
    assert np.array_equal(plain.pixels, tagged.pixels)
    assert tagged.flags == ()


def test_another_profile_is_converted_to_srgb():
    red = images.flat_picture((255, 0, 0))
    picture = decode_picture(images.png_bytes(red, icc_profile=images.swapped_profile()))
    assert picture.flags == ("icc_converted",)
    assert picture.pixels[0, 0].tolist() == [0, 0, 255]


def test_a_profile_applies_below_transparency():
    red = images.flat_picture((255, 0, 0)).convert("RGBA")
    red.putalpha(Image.new("L", red.size, 128))
    picture = decode_picture(images.png_bytes(red, icc_profile=images.swapped_profile()))
    assert set(picture.flags) == {"icc_converted", "alpha_flattened"}
    assert picture.pixels[0, 0].tolist() == [127, 127, 255]


@pytest.mark.parametrize(
    "profile",
    [b"nonsense", bytes(200), images.srgb_profile()[:300], bytes(5 << 20)],
    ids=["text", "zero", "cut", "large"],
)
def test_a_broken_profile_is_a_flag(profile):
    picture = decode_picture(images.webp_bytes(PHOTO, lossless=True, icc_profile=profile))
    assert picture.flags == ("icc_unreadable",)
    assert np.array_equal(picture.pixels, np.asarray(PHOTO))


def test_a_profile_for_another_colour_space_is_a_flag():
    picture = decode_picture(images.jpeg_bytes(PHOTO.convert("L"), icc_profile=images.srgb_profile()))
    assert picture.flags == ("icc_unreadable",)


def test_broken_exif_is_a_flag_or_nothing_but_never_a_refusal():
    rng = np.random.default_rng(5)
    for _ in range(50):
        block = b"Exif\x00\x00II*\x00" + rng.integers(0, 256, 200, dtype=np.uint8).tobytes()
        data = images.with_jpeg_segments(images.jpeg_bytes(PHOTO, 50), [images.jpeg_segment(0xE1, block)])
        assert set(decode_picture(data).flags) <= {"metadata_unreadable", "rotated"}


def test_the_first_picture_of_several_is_decoded():
    picture = decode_picture(images.mpo_bytes())
    assert_close(picture.pixels, images.product_photo(1, (640, 640)), 6)


def test_small_pictures_are_flagged():
    assert decode_picture(images.png_bytes(images.flat_picture(size=(1, 1)))).flags == ("too_small",)


@pytest.mark.parametrize(
    "data",
    [
        images.huge_png(60_000, 60_000),
        images.huge_png(30_000, 30_000, complete=True),
        images.huge_png(7_100, 7_100, complete=True),
        images.huge_webp(),
        images.huge_jpeg(),
    ],
    ids=["png-claim", "png-bomb", "png-just-over", "webp", "jpeg"],
)
def test_pixel_floods_are_refused_before_they_are_decoded(data):
    with pytest.raises(TooManyPixels):
        decode_picture(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing",
        images.wrong_crc_png(),
        images.jpeg_bytes(PHOTO)[:8000],
        images.png_bytes(PHOTO)[:8000],
        images.webp_bytes(PHOTO)[:8000],
        images.huge_png(0, 10),
        images.huge_png(2**31 - 1, 1),
    ],
    ids=["empty", "text", "crc", "cut-jpeg", "cut-png", "cut-webp", "no-width", "one-row"],
)
def test_damaged_files_are_corrupt_or_too_large(data):
    with pytest.raises((CorruptPixels, TooManyPixels)):
        decode_picture(data)


def test_compressed_text_bombs_are_refused():
    bomb = b"Comment\x00\x00" + zlib.compress(bytes(20 << 20), 9)
    with pytest.raises(CorruptPixels):
        decode_picture(images.with_png_chunks(images.png_bytes(PHOTO), [(b"zTXt", bomb)]))


def test_files_pillow_knows_and_we_do_not_take_are_never_opened():
    for kind in ("GIF", "BMP", "TIFF", "PPM", "ICO"):
        with pytest.raises(CorruptPixels, match="unknown format"):
            decode_picture(images.encoded(PHOTO.resize((64, 64)), kind))


@pytest.mark.parametrize("encode", [images.jpeg_bytes, images.png_bytes, images.webp_bytes])
def test_random_damage_gives_pixels_or_a_code(encode):
    data = encode(images.product_photo(3, (160, 120)))
    rng = np.random.default_rng(11)
    for _ in range(150):
        mutated = bytearray(data)
        for _ in range(int(rng.integers(1, 6))):
            mutated[int(rng.integers(0, len(data)))] = int(rng.integers(0, 256))
        assert code_of(bytes(mutated)) in {"", "corrupt_image", "too_many_pixels"}
