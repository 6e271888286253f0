"""Small previews, encoded anew from pixels: nothing the file said about itself (EXIF, GPS, ICC) can travel with them.

WebP in two sizes. Pixels are sRGB by then, which is what a picture without a profile means on the web.
"""

import io

from PIL import Image

from ledger.imaging.results import Thumbnail

LONG_SIDES = (320, 1024)  # a card in a list; the page of one picture and the certificate
QUALITY = 80
METHOD = 2
REDUCING_GAP = 2.0  # whole-number box reduction first, then Lanczos from at least twice the wanted size


def make_thumbnails(image: Image.Image, long_sides: tuple[int, ...] = LONG_SIDES) -> tuple[Thumbnail, ...]:
    """One preview per size, smallest first, of an upright sRGB picture. The small ones are cut from the larger."""
    thumbnails = []
    source = image
    for long_side in sorted(long_sides, reverse=True):
        source = _fit(source, image.size, long_side)
        thumbnails.append(Thumbnail(long_side, source.width, source.height, encode_webp(source)))
    return tuple(reversed(thumbnails))


def encode_webp(image: Image.Image) -> bytes:
    """The pixels alone as WebP, quality 80."""
    out = io.BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=METHOD, exif=b"", icc_profile=b"", xmp=b"")
    return out.getvalue()


def _fit(source: Image.Image, original: tuple[int, int], long_side: int) -> Image.Image:
    width, height = original
    if max(width, height) <= long_side:
        return source
    scale = long_side / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return source.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
