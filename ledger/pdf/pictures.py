"""Previews on their way into a document: small, opaque, sRGB, and free of whatever metadata came with them.

Every picture is encoded anew, also one that is a JPEG already: a copied JPEG would carry its EXIF, place included, into
a document that is shown to strangers. Previews are ours, yet their size is checked before a pixel is decoded.
"""

import io

from PIL import Image

from ledger.pdf.errors import PictureRejectedError

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_BYTES = 4 * 1024 * 1024
MAX_PIXELS = 4_000_000
QUALITY = 78
# A document with its bundle stays under 150 kB: a picture rich in detail is printed a step smaller (60 real product
# photos at 480 px: median 25 kB, one in ten above 42 kB), rather than at a quality that shows blocks.
STEPS = (1.0, 0.85, 0.7, 0.55)


def _encode(page: Image.Image, side_px: int) -> bytes:
    small = page.copy()
    small.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=QUALITY, subsampling=2, optimize=True)
    return out.getvalue()


def preview_jpeg(data: bytes, *, max_side_px: int, target_bytes: int) -> bytes:
    """The picture as JPEG on white, longest side at most max_side_px, or PictureRejectedError.

    Takes the largest step that fits target_bytes, and the smallest when none does.
    """
    if len(data) > MAX_BYTES:
        raise PictureRejectedError(f"a preview has at most {MAX_BYTES} bytes, got {len(data)}")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise PictureRejectedError(f"a preview has at most {MAX_PIXELS} pixels, got {opened.size}")
            picture = opened.convert("RGBA")
    except (OSError, ValueError, SyntaxError) as error:
        raise PictureRejectedError(f"not a JPEG, PNG or WebP preview: {error}") from error
    page = Image.new("RGB", picture.size, "white")
    page.paste(picture, mask=picture.getchannel("A"))
    encoded = b""
    for step in STEPS:
        encoded = _encode(page, max(1, round(max_side_px * step)))
        if len(encoded) <= target_bytes:
            break
    return encoded
