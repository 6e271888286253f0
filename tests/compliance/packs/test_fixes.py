"""Each repair does its one thing, says how far pixels moved, and refuses by name where it cannot be done properly."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from compliance.checks.blocks import list_blocks
from compliance.packs import fixes
from compliance.packs.errors import (
    BackgroundNotPlain,
    FileTooLarge,
    FixUnknown,
    FormatNotAllowed,
    MainMissing,
    MainNotFromOriginal,
    NothingToFix,
    OriginalMissing,
    RatioDiffers,
    RegionsMissing,
)
from compliance.packs.fix_table import FIXES, SPECS, Fix
from compliance.packs.fixes import FixInput, apply_fix
from compliance.packs.jpeg import read_form
from tests.compliance.checks.pictures import outcome_of, pair_of, product, scene, with_promotion
from tests.compliance.packs.pictures import BANNER, PROFILE, graded, opened, original, photo, pixels, promoted
from tests.images import (
    exif_bytes,
    jpeg_bytes,
    jpeg_segment,
    mpo_bytes,
    noise_picture,
    png_bytes,
    product_photo,
    swapped_profile,
    transparent_png,
    webp_bytes,
    with_jpeg_segments,
    with_png_chunks,
    xmp_packet,
)

ICC = swapped_profile()
TEXTS = [(b"tEXt", b"Software\x00Darkroom"), (b"tIME", bytes(7)), (b"eXIf", exif_bytes()[6:]), (b"prVt", b"x")]


def finding_codes(rule, main, hidden):
    return [finding.code for finding in outcome_of(rule, pair_of(main, hidden)).findings]


# Strip


@pytest.mark.parametrize(
    "data",
    [
        jpeg_bytes(photo(), exif=exif_bytes(gps=(1, 2), orientation=1), comment=b"x", icc_profile=ICC),
        jpeg_bytes(photo(), exif=exif_bytes(), progressive=True),
        with_jpeg_segments(jpeg_bytes(photo(), subsampling=2), [jpeg_segment(0xED, b"Photoshop 3.0\x00"), b"\xff\xff"]),
        jpeg_bytes(photo().convert("L"), comment=b"x"),
        jpeg_bytes(photo().convert("CMYK"), comment=b"x"),
        jpeg_bytes(photo(), exif=exif_bytes()) + b"trailing bytes",
        mpo_bytes(),
        with_png_chunks(png_bytes(photo(), icc_profile=ICC), TEXTS),
        with_png_chunks(transparent_png(), TEXTS),
        png_bytes(photo().convert("P"), pnginfo=None, exif=exif_bytes()),
    ],
    ids=["exif", "progressive", "iptc", "grey", "cmyk", "tail", "mpo", "png", "alpha", "palette"],
)
def test_stripping_leaves_every_stored_pixel(data):
    fixed = fixes.strip_metadata(data)
    assert list_blocks(fixed.data) == ()
    assert np.array_equal(np.asarray(opened(fixed.data)), np.asarray(opened(data)))
    assert fixed.pixels_kept
    assert len(fixed.data) < len(data)


def test_stripping_keeps_the_colour_profile():
    fixed = fixes.strip_metadata(jpeg_bytes(photo(), icc_profile=ICC, comment=b"x"))
    assert opened(fixed.data).info["icc_profile"] == ICC


@pytest.mark.parametrize("write", [jpeg_bytes, png_bytes])
def test_a_colour_profile_that_must_go_leaves_its_colours(write):
    data = write(photo(), icc_profile=ICC)
    fixed = fixes.strip_metadata(data, keep_icc=False)
    assert "icc_profile" not in opened(fixed.data).info
    assert np.abs(pixels(fixed.data).astype(int) - pixels(data)).mean() < 2


@pytest.mark.parametrize("orientation", range(2, 9))
def test_stripping_a_turned_jpeg_leaves_it_upright(orientation):
    data = jpeg_bytes(photo(), exif=exif_bytes(orientation=orientation), quality=92)
    fixed = fixes.strip_metadata(data)
    assert list_blocks(fixed.data) == ()
    assert opened(fixed.data).size == (pixels(data).shape[1], pixels(data).shape[0])
    # Blocks of a turned picture lie elsewhere unless its sides are multiples of 16, so the grain changes a little.
    assert np.abs(pixels(fixed.data).astype(int) - pixels(data)).mean() < 3
    assert fixed.facts["turned"]
    assert fixed.largest_change == np.abs(pixels(fixed.data).astype(int) - pixels(data)).max()


def test_stripping_a_turned_png_is_exact():
    fixed = fixes.strip_metadata(png_bytes(photo(), exif=exif_bytes(orientation=6)))
    assert fixed.pixels_kept


def test_a_thumbnail_in_the_jfif_header_goes():
    jpeg = jpeg_bytes(photo())
    thumbnail = b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x01\x01" + b"abc"
    start = jpeg.index(b"\xff\xe0")
    data = jpeg[:start] + jpeg_segment(0xE0, thumbnail) + jpeg[start + 18 :]
    fixed = fixes.strip_metadata(data)
    assert b"abc" not in fixed.data[:40]
    assert fixed.pixels_kept


def test_xmp_goes():
    packet = jpeg_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00" + xmp_packet())
    assert b"xmpmeta" not in fixes.strip_metadata(with_jpeg_segments(jpeg_bytes(photo()), [packet])).data


def test_a_webp_is_to_be_converted_first():
    with pytest.raises(FormatNotAllowed):
        fixes.strip_metadata(webp_bytes(photo()))


# Re-encode


@pytest.mark.parametrize("quality", [50, 75, 88, 95, 100])
@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}, {"optimize": True}]
)
def test_lossless_pixels_get_the_bytes_the_main_image_s_encoder_writes(quality, options):
    main = jpeg_bytes(promoted(photo()), quality=quality, **options)
    fixed = fixes.reencode_like(png_bytes(photo()), main)
    assert fixed.data == jpeg_bytes(photo(), quality=quality, **options)


def test_a_jpeg_of_other_tables_gets_the_main_image_s():
    main = jpeg_bytes(promoted(photo()), quality=80, subsampling=2)
    fixed = fixes.reencode_like(jpeg_bytes(photo(), quality=95, subsampling=0), main)
    assert read_form(fixed.data) == read_form(main)
    assert fixed.largest_change > 0


def test_same_tables_need_no_repair():
    with pytest.raises(NothingToFix):
        fixes.reencode_like(jpeg_bytes(photo()), jpeg_bytes(promoted(photo())))


def test_a_main_image_without_tables_is_named():
    with pytest.raises(FormatNotAllowed):
        fixes.reencode_like(jpeg_bytes(photo()), png_bytes(photo()))


# Resize, pad, convert, recompress


def test_a_hidden_image_of_the_same_ratio_is_resized():
    main, hidden = jpeg_bytes(promoted(photo()), quality=81), jpeg_bytes(photo().resize((1440, 1800)))
    fixed = fixes.resize_like(hidden, main, PROFILE)
    assert opened(fixed.data).size == (720, 900)
    assert read_form(fixed.data) == read_form(main)
    assert not fixed.facts["enlarged"]
    assert finding_codes("H03", main, fixed.data) == []


def test_another_ratio_is_never_stretched():
    with pytest.raises(RatioDiffers, match="720x720 for 720x900"):
        fixes.resize_like(jpeg_bytes(photo().crop((0, 0, 720, 720))), jpeg_bytes(photo()), PROFILE)


@pytest.mark.parametrize(
    ("box", "size"),
    [((0, 90, 800, 700), (800, 800)), ((120, 0, 700, 800), (800, 800)), ((0, 90, 800, 700), (600, 600))],
)
def test_plain_background_is_continued_at_the_right_place(box, size):
    main = jpeg_bytes(with_promotion(product()).resize(size))
    hidden = jpeg_bytes(product().crop(box))
    fixed = fixes.pad_like(hidden, main, PROFILE)
    assert opened(fixed.data).size == size
    expected = np.asarray(product().resize(size)).astype(int)
    assert np.abs(pixels(fixed.data) - expected).max(axis=2).mean() < 8
    assert np.abs(np.array(fixed.facts["place"]) - np.array(box) * size[0] / 800).max() <= 1
    assert finding_codes("H03", main, fixed.data) == finding_codes("H10", main, fixed.data) == []


def test_a_scene_is_not_continued():
    with pytest.raises(BackgroundNotPlain):
        fixes.pad_like(jpeg_bytes(scene().crop((0, 0, 800, 700))), jpeg_bytes(scene()), PROFILE)


def test_a_product_that_reaches_the_edge_is_not_continued():
    cut = product().crop((0, 400, 800, 800))
    with pytest.raises(BackgroundNotPlain):
        fixes.pad_like(jpeg_bytes(cut), jpeg_bytes(product()), PROFILE)


def test_a_webp_becomes_a_jpeg_or_an_exact_png():
    webp = webp_bytes(photo())
    assert opened(fixes.convert_format(webp).data).format == "JPEG"
    png = fixes.convert_format(webp, "PNG")
    assert (opened(png.data).format, png.pixels_kept) == ("PNG", True)


def test_a_large_file_is_written_below_the_limit():
    data = jpeg_bytes(noise_picture(1, (800, 800)), quality=95)
    fixed = fixes.recompress_below(data, 500_000)
    assert 300_000 < len(fixed.data) <= 500_000
    assert opened(fixed.data).size == (800, 800)


def test_a_limit_nobody_can_meet_is_named():
    with pytest.raises(FileTooLarge):
        fixes.recompress_below(png_bytes(noise_picture(1, (800, 800))), 20_000)


def test_a_file_of_exactly_the_limit_needs_no_repair():
    data = jpeg_bytes(photo())
    with pytest.raises(NothingToFix):
        fixes.recompress_below(data, len(data))


# Background


@pytest.mark.parametrize("write", [jpeg_bytes, png_bytes])
@pytest.mark.parametrize("offset", [(8, 8, 8), (-12, 0, 9)])
def test_a_shifted_background_is_brought_back(write, offset):
    shifted = tuple(value + step for value, step in zip((200, 190, 180), offset, strict=True))
    main, hidden = write(with_promotion(product())), write(product(background=shifted))
    assert finding_codes("H10", main, hidden) == ["ERR_IMG_HID_BG"]
    fixed = fixes.offset_background(hidden, main)
    assert finding_codes("H10", main, fixed.data) == []
    assert np.abs(np.array(fixed.facts["offset"]) - offset).max() < 1
    middle = np.s_[330:470, 330:470]
    # Noise, written twice by JPEG.
    assert np.abs(pixels(fixed.data)[middle].astype(int) - pixels(hidden)[middle]).mean() < 6


def test_a_scene_has_no_background_to_move():
    with pytest.raises(BackgroundNotPlain):
        fixes.offset_background(jpeg_bytes(scene()), jpeg_bytes(scene()))


# From the original


def residue(image: Image.Image) -> Image.Image:
    copy = image.copy()
    ImageDraw.Draw(copy).rectangle(BANNER, fill=(210, 20, 30))
    return copy


@pytest.mark.parametrize("derive", [lambda image: image, graded, lambda image: image.crop((8, 8, 712, 880))])
def test_what_was_left_in_is_replaced_by_the_original(derive):
    clean = derive(photo())
    left, top = ((720 - clean.width) // 2, 8 if clean.height < 900 else 0)
    box = (BANNER[0] - left, BANNER[1] - top, BANNER[2] - left + 1, BANNER[3] - top + 1)
    hidden = jpeg_bytes(derive(residue(photo())), quality=90)
    fixed = fixes.paste_from_original(hidden, original(), [box])
    off = np.abs(pixels(fixed.data).astype(int) - np.asarray(clean)).max(axis=2)
    assert np.median(off[box[1] : box[3], box[0] : box[2]]) <= 6
    assert np.percentile(off[box[1] - 12 : box[3] + 12, box[0] - 12 : box[2] + 12], 99) < 30
    assert read_form(fixed.data) == read_form(hidden)
    assert 0 < fixed.facts["pasted_share"] < 0.1


def test_a_lossless_picture_changes_in_the_regions_alone():
    hidden = png_bytes(residue(photo()))
    fixed = fixes.paste_from_original(hidden, original(), [BANNER])
    changed = (pixels(fixed.data) != pixels(hidden)).any(axis=2)
    changed[50:170, 40:420] = False
    assert not changed.any()


def test_another_original_is_refused():
    with pytest.raises(MainNotFromOriginal):
        fixes.paste_from_original(jpeg_bytes(residue(photo())), jpeg_bytes(product_photo(99, (720, 900))), [BANNER])


def test_a_region_outside_the_picture_is_refused():
    with pytest.raises(RegionsMissing):
        fixes.paste_from_original(jpeg_bytes(photo()), original(), [(2000, 2000, 2100, 2100)])


# The table


def test_every_fix_of_the_table_has_its_function():
    assert set(FIXES.values()) == set(SPECS) == set(fixes.FUNCTIONS) == set(Fix)


@pytest.mark.parametrize(
    ("code", "given", "error"),
    [
        ("ERR_IMG_HID_LIGHT", {}, FixUnknown),
        ("ERR_IMG_HID_JPEG", {}, MainMissing),
        ("ERR_IMG_HID_TEXT", {"regions": (BANNER,)}, OriginalMissing),
        ("ERR_IMG_HID_TEXT", {"original": original()}, RegionsMissing),
    ],
)
def test_what_a_repair_needs_is_named(code, given, error):
    with pytest.raises(error):
        apply_fix(code, FixInput(jpeg_bytes(photo()), **given), PROFILE)


def test_a_repair_is_found_by_its_code():
    data = jpeg_bytes(photo(), exif=exif_bytes(gps=(1, 2)))
    fixed = apply_fix("ERR_IMG_HID_GPS", FixInput(data), PROFILE)
    assert fixed.fix is Fix.STRIP
    assert fixed.to_dict()["pixels_kept"] is True
    assert list_blocks(fixed.data) == ()


def test_every_repair_runs_by_its_code():
    main = jpeg_bytes(with_promotion(product()), quality=80)
    big = io.BytesIO()
    Image.fromarray(np.asarray(noise_picture(3, (1400, 1400)))).save(big, "PNG")
    cases = {
        Fix.STRIP: FixInput(jpeg_bytes(product(), comment=b"x")),
        Fix.REENCODE: FixInput(jpeg_bytes(product(), quality=95), main=main),
        Fix.RESIZE: FixInput(jpeg_bytes(product().resize((1600, 1600))), main=main),
        Fix.PAD: FixInput(jpeg_bytes(product().crop((0, 0, 800, 700))), main=main),
        Fix.CONVERT: FixInput(webp_bytes(product())),
        Fix.RECOMPRESS: FixInput(big.getvalue()),
        Fix.BACKGROUND: FixInput(jpeg_bytes(product(background=(210, 200, 190))), main=main),
        Fix.FROM_ORIGINAL: FixInput(jpeg_bytes(residue(photo())), original=original(), regions=(BANNER,)),
    }
    for fix, code in {fix: code for code, fix in FIXES.items()}.items():
        assert apply_fix(code, cases[fix], PROFILE).fix is fix
