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
# An 80 mm print of 480 px is 150 dpi; at quality 78 real product photos take 12 to 30 kB and show no blocks.
QUALITY = 78


def preview_jpeg(data: bytes, *, max_side_px: int) -> bytes:
    """The picture as baseline JPEG on white, longest side at most max_side_px, or PictureRejectedError."""
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
    page.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    page.save(out, "JPEG", quality=QUALITY, subsampling=2, optimize=True)
    return out.getvalue()
