"""Synthetic pictures and their edits, and hostile files, for every test: drawn from a seed, never read from disk.

`product_photo(seed)` looks enough like a shop's photo for fingerprints and features to behave: an object with shading
and texture, a shadow, a soft background and sensor noise. Edits take and give Pillow images. Encoders and builders
give the bytes of a file. Nothing here depends on the product's own code.
"""

import io
import struct
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageDraw, ImageEnhance, ImageFilter, ImageFont

# --- pictures -------------------------------------------------------------------------------------------------------


def product_photo(seed: int, size: tuple[int, int] = (800, 1000)) -> Image.Image:
    """An RGB picture of some product, (width, height) pixels; the same seed and size give the same pixels."""
    return _drawn(seed, *size).copy()


@lru_cache(maxsize=64)
def _drawn(seed: int, width: int, height: int) -> Image.Image:
    """Drawn once: tests ask for the same few seeds, and drawing costs more than what most of them do with it."""
    rng = np.random.default_rng(seed)
    canvas = _backdrop(rng, width, height)
    shapes = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(2, 5))):
        box = _box(rng, width, height)
        shadow = (box[0] + width // 60, box[1] + height // 50, box[2] + width // 60, box[3] + height // 50)
        shapes.rounded_rectangle(shadow, radius=width // 30, fill=(150, 148, 145))
        _draw_part(shapes, rng, box, width)
    canvas = canvas.filter(ImageFilter.GaussianBlur(max(width, height) / 700))
    return Image.fromarray(_textured(np.asarray(canvas, np.float32), rng))


def _backdrop(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    light = np.linspace(0, float(rng.uniform(10, 45)), height)[:, None] + np.linspace(
        0, float(rng.uniform(5, 30)), width
    )
    tint = rng.uniform(200, 250, 3)
    return Image.fromarray(np.clip(tint - light[..., None], 0, 255).astype(np.uint8))


def _box(rng: np.random.Generator, width: int, height: int) -> tuple[int, int, int, int]:
    left, top = rng.uniform(0.05, 0.5, 2)
    wide, tall = rng.uniform(0.25, 0.48, 2)
    return int(left * width), int(top * height), int((left + wide) * width), int((top + tall) * height)


def _draw_part(
    shapes: ImageDraw.ImageDraw, rng: np.random.Generator, box: tuple[int, int, int, int], width: int
) -> None:
    colour = tuple(int(value) for value in rng.integers(20, 235, 3))
    line = tuple(int(value) for value in rng.integers(0, 255, 3))
    if rng.random() < 0.5:
        shapes.ellipse(box, fill=colour, outline=line, width=max(1, width // 200))
    else:
        shapes.rounded_rectangle(box, radius=width // 25, fill=colour, outline=line, width=max(1, width // 200))
    step = max(4, (box[2] - box[0]) // int(rng.integers(4, 12)))
    for x in range(box[0] + step, box[2] - step // 2, step):
        shapes.line((x, box[1] + step, x + step // 3, box[3] - step), fill=line, width=max(1, step // 8))
    for _ in range(12):
        x, y = int(rng.integers(box[0], box[2])), int(rng.integers(box[1], box[3]))
        radius = max(1, int(rng.integers(width // 200 + 1, width // 60 + 2)))
        dot = tuple(int(value) for value in rng.integers(0, 255, 3))
        shapes.ellipse((x - radius, y - radius, x + radius, y + radius), fill=dot)


def _textured(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = pixels.shape[:2]
    coarse = Image.fromarray(rng.integers(0, 255, (height // 8 + 1, width // 8 + 1), dtype=np.uint8))
    weave = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32) - 127
    noise = rng.normal(0, 2.5, (height, width, 1)).astype(np.float32)
    return np.asarray(np.clip(pixels + weave[..., None] * 0.06 + noise, 0, 255), np.uint8)


def noise_picture(seed: int, size: tuple[int, int] = (640, 640)) -> Image.Image:
    """Uniform noise: the worst case for every encoder."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def flat_picture(colour: tuple[int, int, int] = (255, 255, 255), size: tuple[int, int] = (640, 640)) -> Image.Image:
    """One colour all over."""
    return Image.new("RGB", size, colour)


# --- edits ----------------------------------------------------------------------------------------------------------


def rescaled(image: Image.Image, factor: float) -> Image.Image:
    """The picture at another size."""
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS)


def recompressed(image: Image.Image, quality: int = 60) -> Image.Image:
    """The picture after a round trip through JPEG."""
    return Image.open(io.BytesIO(jpeg_bytes(image, quality=quality))).convert("RGB")


def brightened(image: Image.Image, factor: float = 1.2) -> Image.Image:
    """The picture with its brightness multiplied."""
    return ImageEnhance.Brightness(image).enhance(factor)


def rotated(image: Image.Image, degrees: float) -> Image.Image:
    """The picture turned about its middle over white, size kept."""
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))


def mirrored(image: Image.Image) -> Image.Image:
    """Left and right exchanged."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def cropped(image: Image.Image, share: float = 0.1) -> Image.Image:
    """The picture without `share` of its width and height on each side."""
    left, top = round(image.width * share), round(image.height * share)
    return image.crop((left, top, image.width - left, image.height - top))


def captioned(image: Image.Image, text: str = "SALE 50%", share: float = 0.12) -> Image.Image:
    """The picture with a line of large text on it, as main images must not have."""
    edited = image.copy()
    font = ImageFont.load_default(size=max(10, round(image.height * share)))
    ImageDraw.Draw(edited).text((image.width // 12, image.height // 12), text, fill=(220, 20, 30), font=font)
    return edited


def with_background(image: Image.Image, colour: tuple[int, int, int], border: float = 0.15) -> Image.Image:
    """The picture, made smaller, on a larger sheet of one colour; size kept."""
    inner = image.resize((round(image.width * (1 - 2 * border)), round(image.height * (1 - 2 * border))))
    sheet = Image.new("RGB", image.size, colour)
    sheet.paste(inner, ((image.width - inner.width) // 2, (image.height - inner.height) // 2))
    return sheet


# --- encoders -------------------------------------------------------------------------------------------------------


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file of Pillow's `kind`."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def jpeg_bytes(image: Image.Image, quality: int = 88, **options: Any) -> bytes:
    """A JPEG of the picture; exif=, icc_profile=, comment=, progressive= as Pillow takes them."""
    return encoded(image, "JPEG", quality=quality, **options)


def png_bytes(image: Image.Image, **options: Any) -> bytes:
    """A PNG of the picture."""
    return encoded(image, "PNG", **{"compress_level": 1, **options})


def webp_bytes(image: Image.Image, quality: int = 80, **options: Any) -> bytes:
    """A WebP of the picture."""
    return encoded(image, "WEBP", quality=quality, method=0, **options)


def exif_bytes(
    *,
    orientation: int | None = None,
    make: str = "Kestrel",
    model: str = "K-100",
    software: str = "Darkroom 3",
    captured_at: str = "2024:05:01 12:30:00",
    offset: str = "+08:00",
    gps: tuple[float, float] | None = None,
    serial: str = "",
) -> bytes:
    """An EXIF block; gps is (latitude, longitude) in degrees."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0131] = make, model, software
    if orientation is not None:
        exif[0x0112] = orientation
    details = exif.get_ifd(0x8769)
    details[0x9003], details[0x9011] = captured_at, offset
    if serial:
        details[0xA431] = serial
    if gps is not None:
        latitude, longitude = gps
        place = exif.get_ifd(0x8825)
        place[1], place[2] = "N" if latitude >= 0 else "S", _sexagesimal(latitude)
        place[3], place[4] = "E" if longitude >= 0 else "W", _sexagesimal(longitude)
    return exif.tobytes()


def _sexagesimal(degrees: float) -> tuple[float, float, float]:
    whole, rest = divmod(abs(degrees), 1)
    minutes, rest = divmod(rest * 60, 1)
    return float(whole), float(minutes), round(rest * 60, 4)


def xmp_packet(digital_source_type: str = "", creator_tool: str = "Darkroom 3") -> bytes:
    """An XMP packet with the IPTC digital source type as a full URI, when one is given."""
    uri = "http://cv.iptc.org/newscodes/digitalsourcetype/"
    source = f' Iptc4xmpExt:DigitalSourceType="{uri}{digital_source_type}"' if digital_source_type else ""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'xmp:CreatorTool="{creator_tool}"{source}/></rdf:RDF></x:xmpmeta>'
    ).encode()


def srgb_profile() -> bytes:
    """The ICC profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """An ICC profile that differs visibly from sRGB: its red and blue primaries are exchanged."""
    profile = bytearray(srgb_profile())
    tags = {}
    for index in range(struct.unpack_from(">I", profile, 128)[0]):
        position = 132 + 12 * index
        tags[bytes(profile[position : position + 4])] = position
    profile[tags[b"rXYZ"] : tags[b"rXYZ"] + 4], profile[tags[b"bXYZ"] : tags[b"bXYZ"] + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


# --- parts of files, for hostile ones -------------------------------------------------------------------------------


def jpeg_segment(marker: int, payload: bytes) -> bytes:
    """One JPEG marker segment."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(payload) + 2) + payload


def with_jpeg_segments(jpeg: bytes, segments: Iterable[bytes]) -> bytes:
    """A JPEG with segments put right behind its start marker."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def png_chunk(name: bytes, payload: bytes, *, crc: int | None = None) -> bytes:
    """One PNG chunk, with its right checksum or with the given one."""
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", crc or zlib.crc32(name + payload))


def png_chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    """(name, payload) of every chunk of a sound PNG."""
    chunks, position = [], 8
    while position < len(png):
        (length,) = struct.unpack_from(">I", png, position)
        chunks.append((png[position + 4 : position + 8], png[position + 8 : position + 8 + length]))
        position += 12 + length
    return chunks


def png_file(chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A PNG of these chunks."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(name, payload) for name, payload in chunks)


def with_png_chunks(png: bytes, extra: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A PNG with chunks put behind its header."""
    first, *rest = png_chunks(png)
    return png_file([first, *extra, *rest])


# --- hostile files --------------------------------------------------------------------------------------------------


def huge_png(width: int, height: int, *, complete: bool = False) -> bytes:
    """A 1-bit PNG that declares this size; `complete` also carries all its (empty) rows, compressed to very little."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 7) // 8 + 1) * height, 9) if complete else zlib.compress(b"\x00" * 64)
    return png_file([(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")])


def huge_webp(side: int = 16_383) -> bytes:
    """A lossless WebP of a few bytes that declares a square of this side."""
    payload = b"\x2f" + struct.pack("<I", (side - 1) | (side - 1) << 14) + bytes(8)
    chunk = b"VP8L" + struct.pack("<I", len(payload)) + payload + b"\x00" * (len(payload) & 1)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def huge_jpeg(width: int = 65_500, height: int = 65_500) -> bytes:
    """A small JPEG whose frame header declares another size."""
    jpeg = bytearray(jpeg_bytes(flat_picture(size=(64, 64))))
    position = jpeg.index(b"\xff\xc0")
    struct.pack_into(">HH", jpeg, position + 5, height, width)
    return bytes(jpeg)


def wrong_crc_png() -> bytes:
    """A PNG whose picture data is sound but whose IDAT checksum is wrong."""
    chunks = png_chunks(png_bytes(product_photo(3, (120, 90))))
    parts = [png_chunk(name, payload, crc=0xDEADBEEF if name == b"IDAT" else None) for name, payload in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def scan_bomb_jpeg(scans: int = 400) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    jpeg = jpeg_bytes(flat_picture(size=(64, 64)), progressive=True)
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:-2] + jpeg[last:-2] * scans + b"\xff\xd9"


def animated_png() -> bytes:
    """An APNG of three frames."""
    frames = [flat_picture((value, 0, 0), (64, 64)) for value in (10, 120, 240)]
    return encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])


def animated_webp() -> bytes:
    """An animated WebP of three frames."""
    frames = [flat_picture((value, 0, 0), (64, 64)) for value in (10, 120, 240)]
    return encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])


def mpo_bytes() -> bytes:
    """A multi-picture JPEG of two, as stereo cameras and gain maps write it."""
    first, second = product_photo(1, (640, 640)), product_photo(2, (640, 640))
    return encoded(first, "MPO", save_all=True, append_images=[second])


def sixteen_bit_png(size: tuple[int, int] = (640, 640)) -> bytes:
    """A greyscale PNG of 16 bits per sample: a ramp from left to right."""
    ramp = np.linspace(0, 65_535, size[0]).astype(np.uint16)
    return png_bytes(Image.fromarray(np.tile(ramp, (size[1], 1))))


def transparent_png(size: tuple[int, int] = (640, 640)) -> bytes:
    """An RGBA PNG: left half solid red, right half red and fully transparent."""
    pixels = np.zeros((size[1], size[0], 4), np.uint8)
    pixels[..., 0] = 255
    pixels[:, : size[0] // 2, 3] = 255
    return png_bytes(Image.fromarray(pixels))


def zip_bytes() -> bytes:
    """An empty ZIP archive."""
    return b"PK\x05\x06" + bytes(18)


def motion_photo_tail() -> bytes:
    """The beginning of an MP4, as telephones hang it behind a photo."""
    return struct.pack(">I", 24) + b"ftypmp42" + bytes(12) + struct.pack(">I", 4096) + b"mdat" + b"MZ\x90" * 1360
