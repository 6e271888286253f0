"""Bytes of two or three files to a Pair, or a refusal that names the file and the reason. For the limited child only."""

from compliance.checks.blocks import has_position, list_blocks
from compliance.checks.errors import PictureRefused
from compliance.checks.frame import NotLaid, lay_over
from compliance.checks.generators import find_generator_marks
from compliance.checks.jpeg import read_make
from compliance.checks.pair import OriginalView, Pair, Pixels, Side, fit, frame_size
from ledger.imaging.decode import Picture, decode_picture
from ledger.imaging.errors import ImagingError
from ledger.imaging.scan import scan_picture

# Large enough for the result page, where the picture is the page; the size of the ledger's larger preview.
PREVIEW_PX = 1024
# Twice the usual size of a listing picture, so that codes and small letters keep their pixels; 17 MB at most.
DETAIL_PX = 2400


def open_pair(
    main: bytes,
    hidden: bytes,
    *,
    main_name: str,
    hidden_name: str,
    long_side_px: int,
    original: bytes | None = None,
    original_name: str = "",
) -> Pair:
    """All files decoded once, in the main image's frame. Raises PictureRefused."""
    main_side, main_work = _open("main", main, main_name, None, long_side_px)
    frame = (main_work.shape[1], main_work.shape[0])
    hidden_side, hidden_work = _open("hidden", hidden, hidden_name, frame, long_side_px)
    view = None if original is None else _open_original(original, original_name, hidden_side)
    return Pair(main_side, hidden_side, main_work, hidden_work, view)


def open_side(which: str, data: bytes, name: str) -> Side:
    """One file alone, named `which` in a refusal. Raises PictureRefused."""
    return _open(which, data, name, None, DETAIL_PX)[0]


def _open(which: str, data: bytes, name: str, frame: tuple[int, int] | None, long_side_px: int) -> tuple[Side, Pixels]:
    picture = _decode(which, data)
    pixels = picture.pixels
    side = Side(
        name=name,
        size_bytes=len(data),
        format=picture.format,
        width=picture.width,
        height=picture.height,
        metadata=list_blocks(data),
        has_gps=has_position(data),
        generator_marks=find_generator_marks(data),
        preview=fit(pixels, frame_size(picture.width, picture.height, PREVIEW_PX)),
        detail=fit(pixels, frame_size(picture.width, picture.height, DETAIL_PX)),
        jpeg=read_make(data),
    )
    return side, fit(pixels, frame or frame_size(picture.width, picture.height, long_side_px))


def _open_original(data: bytes, name: str, hidden: Side) -> OriginalView:
    """The original at full size for as long as it takes to lay it over the hidden image."""
    picture = _decode("original", data)
    try:
        laid, reason = lay_over(picture.pixels, hidden.detail), ""
    except NotLaid as error:
        laid, reason = None, error.reason
    return OriginalView(name, picture.width, picture.height, laid, reason)


def _decode(which: str, data: bytes) -> Picture:
    # The extension is not held against the bytes here: that the hidden image is a renamed WebP is a finding.
    try:
        scan_picture(data, file_name="")
        return decode_picture(data)
    except ImagingError as error:
        raise PictureRefused(which, error.code, error.detail) from error
