"""How JPEGs are written: forms read back, blocks that do not care about their neighbours, and sizes to the byte."""

import numpy as np
import pytest

from compliance.packs.blocks import measure_agreement, touched_groups
from compliance.packs.errors import FileTooLarge
from compliance.packs.jpeg import encode_below, encode_jpeg, form_of_quality, forms_from, own_forms, read_form, turned
from tests.compliance.packs.pictures import photo, pixels, promoted
from tests.images import jpeg_bytes, png_bytes


@pytest.fixture(scope="module")
def pair():
    return np.asarray(promoted(photo())), np.asarray(photo())


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [60, 92, 100])
def test_pixels_outside_touched_groups_agree_in_every_sampling(pair, quality, subsampling):
    form = read_form(jpeg_bytes(photo(), quality=quality, subsampling=subsampling))
    main, hidden = (pixels(encode_jpeg(picture, form)) for picture in pair)
    agreement = measure_agreement(main, hidden, (pair[0] != pair[1]).any(axis=2), form)
    assert agreement.differing_px == 0
    assert 0 < agreement.promotion < agreement.touched < 0.2


def test_a_difference_outside_is_counted(pair):
    form = form_of_quality(90)
    main, hidden = (pixels(encode_jpeg(picture, form)) for picture in pair)
    hidden = hidden.copy()
    hidden[800, 600] ^= 1
    assert measure_agreement(main, hidden, (pair[0] != pair[1]).any(axis=2), form).differing_px == 1


def test_groups_at_the_rim_of_the_picture_are_whole():
    changed = np.zeros((13, 21), np.bool_)
    changed[12, 20] = True
    touched = touched_groups(changed, form_of_quality(90))
    assert np.argwhere(touched).min(axis=0).tolist() == [8, 16]
    assert touched[8:, 16:].all()


@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}])
def test_a_form_is_read_back_from_what_it_wrote(options):
    form = read_form(jpeg_bytes(photo(), quality=83, **options))
    assert read_form(encode_jpeg(np.asarray(photo()), form)) == form


def test_what_is_no_jpeg_or_no_rgb_has_no_form():
    assert read_form(png_bytes(photo())) is None
    assert read_form(jpeg_bytes(photo().convert("CMYK"))) is None
    assert len(read_form(jpeg_bytes(photo().convert("L"))).tables) == 1


def test_turning_twice_is_the_same_form():
    form = read_form(jpeg_bytes(photo(), quality=50))
    assert turned(form) != form
    assert turned(turned(form)) == form


def test_exactly_the_limit_fits_and_one_byte_less_does_not(pair):
    forms = own_forms()
    size = max(len(encode_jpeg(picture, forms[0])) for picture in pair)
    assert encode_below(pair, forms, size)[1] == forms[0]
    assert encode_below(pair, forms, size - 1)[1] == forms[1]


def test_the_search_finds_what_trying_all_would(pair):
    forms = own_forms()
    sizes = [max(len(encode_jpeg(picture, form)) for picture in pair) for form in forms]
    for limit in (sizes[3], sizes[7] + 1, sizes[-1]):
        best = next(form for form, size in zip(forms, sizes, strict=True) if size <= limit)
        assert encode_below(pair, forms, limit)[1] == best
    with pytest.raises(FileTooLarge):
        encode_below(pair, forms, sizes[-1] - 1)


def test_coarser_forms_keep_the_sampling_and_get_smaller(pair):
    forms = forms_from(read_form(jpeg_bytes(photo(), quality=90, subsampling=2)))
    sizes = [len(encode_jpeg(pair[1], form)) for form in forms]
    assert sizes == sorted(sizes, reverse=True)
    assert {form.sampling for form in forms} == {2}
