"""How a JPEG is written: quantisation tables, chroma sampling, order of scans; and two files written in the same way.

An encoder turns each block of pixels into numbers by itself. So where two pictures have the same pixels all over a
block, and are written with the same tables and sampling, their blocks decode to the same pixels.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile, get_sampling

from compliance.packs.errors import FileTooLarge
from ledger.imaging import structure

Pixels = NDArray[np.uint8]
Table = tuple[int, ...]

# Pillow's numbers for chroma sampling, with the pixels that one block group (MCU) covers across and down.
FULL_COLOUR, HALF_ACROSS, HALF_BOTH = 0, 1, 2
GROUPS = {FULL_COLOUR: (8, 8), HALF_ACROSS: (16, 8), HALF_BOTH: (16, 16)}
# Above 92 files of photos grow by a quarter per step of 2 and an eye sees no gain; below 60 blocks begin to show.
BEST_QUALITY, WORST_QUALITY = 92, 60
# The coarsest multiple of a main image's own tables that is still tried.
COARSEST = 4.0
LARGEST_STEP = 255
DHT = 0xC4


@dataclass(frozen=True, slots=True)
class JpegForm:
    """The way one JPEG is written. tables: luminance and chrominance, 64 steps each in reading order; sampling: a key
    of GROUPS; optimised: Huffman tables made for this file; progressive: several scans.
    """

    tables: tuple[Table, ...]
    sampling: int
    progressive: bool = False
    optimised: bool = False

    @property
    def group(self) -> tuple[int, int]:
        """Pixels across and down that are encoded together."""
        return GROUPS[self.sampling]

    @property
    def bleed_px(self) -> int:
        """How far a decoder's smooth upsampling of chroma reaches into the neighbouring group."""
        return 0 if self.sampling == FULL_COLOUR else 1


def form_of_quality(quality: int) -> JpegForm:
    """The form of the IJG quality 1..100 with full colour, so that blocks are 8 x 8 and coloured letters stay sharp."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG", quality=quality)
    with JpegImageFile(io.BytesIO(out.getvalue())) as opened:
        return JpegForm(_tables(opened), FULL_COLOUR)


def read_form(data: bytes) -> JpegForm | None:
    """The form of these bytes; None when they are no JPEG, or one of a kind that is not written here (CMYK, lossless).

    An unusual sampling (4:4:0, 4:1:1) counts as full colour: no picture loses colour by it.
    """
    if structure.picture_format(data) != "JPEG":
        return None
    with JpegImageFile(io.BytesIO(data)) as opened:
        if opened.mode not in {"RGB", "L"}:
            return None
        sampling = get_sampling(opened)
        return JpegForm(
            tables=_tables(opened),
            sampling=sampling if sampling in GROUPS and opened.mode == "RGB" else FULL_COLOUR,
            progressive=bool(opened.info.get("progressive")),
            optimised=_huffman_tables(data) != _standard_huffman(),
        )


def turned(form: JpegForm) -> JpegForm:
    """The form for a picture on its side: rows of each table become columns. Half colour across would become half colour
    down, which is not written here, so such a picture gets full colour.
    """
    tables = tuple(tuple(table[8 * (at % 8) + at // 8] for at in range(64)) for table in form.tables)
    sampling = FULL_COLOUR if form.sampling == HALF_ACROSS else form.sampling
    return replace(form, tables=tables, sampling=sampling)


def encode_jpeg(pixels: Pixels, form: JpegForm) -> bytes:
    """A JPEG of uint8 (height, width, 3) sRGB without any metadata; the same pixels and form give the same bytes."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(
        out,
        "JPEG",
        qtables=[list(table) for table in form.tables],
        subsampling=form.sampling,
        progressive=form.progressive,
        optimize=form.optimised,
    )
    return out.getvalue()


def encode_below(
    pictures: Sequence[Pixels], forms: Sequence[JpegForm], limit_bytes: int
) -> tuple[list[bytes], JpegForm]:
    """All pictures written in the first form in which each of them has at most limit_bytes; FileTooLarge if in none.

    forms: best first. Sizes fall from form to form, so the search halves the list; it looks at few of them.
    """
    written = _fitting(pictures, forms[0], limit_bytes)
    if written is not None:
        return written, forms[0]
    low, high = 1, len(forms)  # forms before low are too large; high is the first known to fit, or past the end
    found: tuple[list[bytes], JpegForm] | None = None
    while low < high:
        middle = (low + high) // 2
        written = _fitting(pictures, forms[middle], limit_bytes)
        if written is None:
            low = middle + 1
        else:
            found, high = (written, forms[middle]), middle
    if found is None:
        raise FileTooLarge(f"more than {limit_bytes} bytes in every form")
    return found


def own_forms() -> tuple[JpegForm, ...]:
    """The forms of a picture that has no tables of its own, best first."""
    return tuple(form_of_quality(quality) for quality in range(BEST_QUALITY, WORST_QUALITY - 1, -2))


def forms_from(form: JpegForm) -> tuple[JpegForm, ...]:
    """A file's own form, then the same with ever coarser tables."""
    return form, *(_coarser(form, factor) for factor in np.geomspace(1.15, COARSEST, 10).tolist())


def _coarser(form: JpegForm, factor: float) -> JpegForm:
    tables = tuple(tuple(min(LARGEST_STEP, round(step * factor)) for step in table) for table in form.tables)
    return replace(form, tables=tables)


def _fitting(pictures: Sequence[Pixels], form: JpegForm, limit_bytes: int) -> list[bytes] | None:
    written = []
    for pixels in pictures:
        data = encode_jpeg(pixels, form)
        if len(data) > limit_bytes:
            return None
        written.append(data)
    return written


def _tables(opened: JpegImageFile) -> tuple[Table, ...]:
    """Luminance and chrominance table as the components use them, whatever their numbers in the file."""
    numbers = [number for _, _, _, number in opened.layer]
    # Cb and Cr share a table in nearly every file; then that is how it is written again, even where all are equal.
    chosen = numbers[:1] if len(set(numbers)) == 1 else numbers[:2] if len(set(numbers[1:])) == 1 else numbers
    return tuple(tuple(opened.quantization[number]) for number in chosen)


def _huffman_tables(data: bytes) -> bytes:
    walked = structure.walk(data)
    return b"".join(structure.payloads(data, walked, bytes((DHT,))))


@cache
def _standard_huffman() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG")
    return _huffman_tables(out.getvalue())
