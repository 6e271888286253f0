"""Hostile bytes to bounded, upright sRGB pixels, or a DecodeError. Runs inside the limited child process only.

Pixels are what a viewer shows: EXIF orientation applied, an embedded colour profile converted to sRGB, transparency
laid over white, 16-bit samples cut to their upper 8 bits. Damaged metadata is a flag, never a refusal.
"""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, MpoImagePlugin, WebPImagePlugin

from ledger.imaging import structure
from ledger.imaging.errors import CorruptPixels, DecodeMemory, ImagingError, TooManyPixels
from ledger.imaging.scan import MAX_PIXELS, SMALL_SIDE

# Pillow imports its formats on first use; in the child that would be under the first picture's memory limit.
Image.preinit()
MPO, WEBP = MpoImagePlugin.MpoImageFile.format, WebPImagePlugin.WebPImageFile.format
# MPO is a JPEG that carries further pictures; the first one is what everybody sees.
PILLOW_FORMATS = {"JPEG": ("JPEG", MPO), "PNG": ("PNG",), "WEBP": (WEBP,)}
ORIENTATION_TAG = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MAX_ICC_BYTES = 4 << 20  # printer profiles reach about 2.5 MiB
ICC_SPACES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture: `image` is mode RGB (RGBA only as a layer), sRGB, upright.

    source_mode is Pillow's name for what the file held (L, P, CMYK, I;16 ...).
    flags: too_small, metadata_unreadable, icc_unreadable, icc_converted, alpha_flattened, cmyk, sixteen_bit, rotated.
    """

    image: Image.Image
    format: str
    source_mode: str
    flags: tuple[str, ...]

    @property
    def width(self) -> int:
        return self.image.width

    @property
    def height(self) -> int:
        return self.image.height

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """uint8 (height, width, 3), sRGB, upright; a fresh copy on every call."""
        return np.asarray(self.image)


def decode_picture(data: bytes) -> Picture:
    """Decode one still picture, or raise TooManyPixels, DecodeMemory or CorruptPixels."""
    return _decode_picture(data, flatten=True)


def decode_layer(data: bytes) -> Picture:
    """The same for a picture that is to be laid over another: `image` is RGBA where the file has transparency."""
    return _decode_picture(data, flatten=False)


def _decode_picture(data: bytes, *, flatten: bool) -> Picture:
    picture_format = structure.picture_format(data)
    if picture_format is None:
        raise CorruptPixels("unknown format")
    # Before Pillow sees a byte: its WebP reader takes memory for the declared canvas while opening.
    size = structure.find_dimensions(data, structure.walk(data))
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise TooManyPixels(f"{size[0]}x{size[1]}")
    flags: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image, source_mode = _decode(data, picture_format, flags, flatten=flatten)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooManyPixels(str(error)[:80]) from error
    except MemoryError as error:
        raise DecodeMemory from error
    except ImagingError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly every built-in exception on damaged input
        raise CorruptPixels(f"{type(error).__name__}: {error}"[:120]) from error
    if min(image.size) < SMALL_SIDE:
        flags.append("too_small")
    return Picture(image, picture_format, source_mode, tuple(flags))


def _decode(data: bytes, picture_format: str, flags: list[str], *, flatten: bool) -> tuple[Image.Image, str]:
    """Upright sRGB and the file's own mode. Each step lets go of the picture before it: at 50 MP each is 200 MB."""
    image = _load(data, picture_format)
    source_mode, orientation = image.mode, _orientation(image, flags)
    image = _to_srgb(image, flags, flatten=flatten)
    if orientation in UPRIGHT:
        image = image.transpose(UPRIGHT[orientation])
        flags.append("rotated")
    return image, source_mode


def _load(data: bytes, picture_format: str) -> Image.Image:
    if picture_format == "PNG":
        # load() alone never looks at the checksum of the picture data.
        with Image.open(io.BytesIO(data), formats=PILLOW_FORMATS["PNG"]) as checked:
            checked.verify()
    opened = Image.open(io.BytesIO(data), formats=PILLOW_FORMATS[picture_format])
    if opened.width * opened.height > MAX_PIXELS:
        raise TooManyPixels(f"{opened.width}x{opened.height}")
    opened.load()
    return opened


def _orientation(opened: Image.Image, flags: list[str]) -> int:
    try:
        found = opened.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - EXIF readers fail like decoders do, and must not cost us the pixels
        flags.append("metadata_unreadable")
        return 1
    return found if isinstance(found, int) else 1


def _to_srgb(image: Image.Image, flags: list[str], *, flatten: bool) -> Image.Image:
    profile, has_clear_colour = image.info.get("icc_profile"), "transparency" in image.info
    image = _eight_bit(image, flags)
    if image.mode == "CMYK":
        flags.append("cmyk")
    transparent = has_clear_colour or image.mode in {"RGBA", "LA", "PA", "RGBa", "La"}
    image = _in_mode(image, "RGBA") if transparent else image
    if image.mode not in {"RGB", "RGBA", "L", "CMYK"}:
        image = image.convert("RGB")
    image = _apply_profile(image, profile, flags)
    if transparent and not flatten:
        return _in_mode(image, "RGBA")
    if transparent:
        image = _over_white(image, flags)
    return _in_mode(image, "RGB")


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """The picture in that mode; `convert` alone would copy one that already is."""
    return image if image.mode == mode else image.convert(mode)


def _eight_bit(image: Image.Image, flags: list[str]) -> Image.Image:
    """Greyscale of more than 8 bits per sample as L: the upper 8 of 16 bits, as libpng's strip_16 does."""
    if not image.mode.startswith("I"):
        return image
    flags.append("sixteen_bit")
    samples, clear = np.asarray(image), image.info.get("transparency")
    grey = Image.fromarray((samples >> 8).clip(0, 255).astype(np.uint8))
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(samples == clear, 0, 255).astype(np.uint8)))
    return grey


def _over_white(image: Image.Image, flags: list[str]) -> Image.Image:
    alpha = image.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return image.convert("RGB")
    flags.append("alpha_flattened")
    flat = Image.new("RGB", image.size, (255, 255, 255))
    flat.paste(image, mask=alpha)
    return flat


def _apply_profile(image: Image.Image, profile: bytes | None, flags: list[str]) -> Image.Image:
    if not profile:
        return image
    mode = "RGB" if image.mode == "RGBA" else image.mode
    try:
        transform = _srgb_transform(bytes(profile), mode)
        if transform is None:
            return image
        converted = _transform(image, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, struct.error, zlib.error):
        flags.append("icc_unreadable")
        return image
    flags.append("icc_converted")
    return converted


def _transform(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    if image.mode == "RGBA":
        alpha = image.getchannel("A")
        converted = transform.apply(image.convert("RGB"))
        converted.putalpha(alpha)
        return converted
    if image.mode == "RGB":
        return transform.apply_in_place(image)
    return transform.apply(image)


@lru_cache(maxsize=8)
def _srgb_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Colours of `mode` in this profile to sRGB, or None where that changes nothing anyone could measure.

    Most photos carry a profile that is sRGB under one of its many names: asking the transform itself what it does to
    a palette of 729 colours finds them all, and saves a pass over every pixel.
    """
    if len(profile) > MAX_ICC_BYTES:
        raise ValueError("profile too large")
    if ICC_SPACES.get(profile[16:20]) != mode:
        raise ValueError("profile is for another colour space")
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), mode, "RGB"
    )
    if mode == "CMYK":
        return transform
    probe = _probe(mode)
    change = np.abs(np.asarray(transform.apply(probe), np.int16) - np.asarray(probe.convert("RGB"), np.int16))
    return None if change.max() <= 1 else transform


def _probe(mode: str) -> Image.Image:
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    return Image.fromarray(np.ascontiguousarray(grid))
