"""How a JPEG file was compressed: its quantisation tables and sampling, read from the bytes, and written again.

Two files with the same tables and the same sampling lose the same detail. That is what "same compression" can mean
without the program that wrote them, and it lets a third picture be sent through the very same loss.
Source: ITU-T T.81, annexes A and B.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, MpoImagePlugin

Pixels = NDArray[np.uint8]
Table = tuple[int, ...]

# Pillow's JPEG readers; an MPO is a JPEG that carries further pictures.
READERS = (JpegImagePlugin.JpegImageFile.format, MpoImagePlugin.MpoImageFile.format)
# (horizontal, vertical) chroma subsampling and what Pillow calls it.
SUBSAMPLINGS = {(1, 1): 0, (2, 1): 1, (2, 2): 2}
# A step larger than a byte needs the extended process, which the encoder does not write.
LARGEST_STEP = 255


@dataclass(frozen=True, slots=True)
class JpegMake:
    """tables: one of 64 steps per component, row by row; sampling: (horizontal, vertical) factors per component."""

    tables: tuple[Table, ...]
    sampling: tuple[tuple[int, int], ...]

    @property
    def chroma(self) -> tuple[int, int]:
        """How many luma samples one chroma sample covers, across and down; (1, 1) for a grey file."""
        if len(self.sampling) < 2:
            return (1, 1)
        (luma_across, luma_down), (across, down) = self.sampling[:2]
        return luma_across // max(1, across), luma_down // max(1, down)

    @property
    def sampling_name(self) -> str:
        """The usual name, for people: 4:4:4, 4:2:2, 4:2:0, grey, or the factors themselves."""
        if len(self.sampling) < 2:
            return "grey"
        names = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1"}
        return names.get(self.chroma, "x".join(map(str, self.chroma)))

    def table_difference(self, other: "JpegMake") -> int:
        """The largest difference between two steps of the same place; 0 for equal tables."""
        pairs = zip(self.tables, other.tables, strict=False)
        return max((abs(a - b) for ours, theirs in pairs for a, b in zip(ours, theirs, strict=True)), default=0)


def read_make(data: bytes) -> JpegMake | None:
    """The tables and sampling of a JPEG file, None for other formats. Reads headers only; OSError when they are cut."""
    if not data.startswith(b"\xff\xd8"):
        return None
    with Image.open(io.BytesIO(data), formats=READERS) as opened:
        # layer: (component id, horizontal factor, vertical factor, table number) of each component.
        layers = opened.layer  # type: ignore[attr-defined]
        tables = {number: tuple(table) for number, table in opened.quantization.items()}  # type: ignore[attr-defined]
    return JpegMake(
        tables=tuple(tables[number] for _, _, _, number in layers if number in tables),
        sampling=tuple((across, down) for _, across, down, _ in layers),
    )


def encode_like(pixels: Pixels, make: JpegMake) -> bytes:
    """The picture as a JPEG with these tables and this sampling; uint8 (height, width, 3), sRGB.

    A sampling that the encoder does not know is written as 4:4:4. ValueError for steps that need 16 bits.
    """
    if not make.tables or max(map(max, make.tables)) > LARGEST_STEP:
        raise ValueError("these quantisation tables cannot be written")
    out = io.BytesIO()
    image = Image.fromarray(pixels)
    if len(make.sampling) == 1:
        image = image.convert("L")
    tables = [list(table) for table in dict.fromkeys(make.tables)][:3]
    image.save(out, "JPEG", qtables=tables, subsampling=SUBSAMPLINGS.get(make.chroma, 0))
    return out.getvalue()


def lose_like(pixels: Pixels, make: JpegMake) -> Pixels:
    """What a viewer sees of the picture after that compression, uint8 (height, width, 3)."""
    with Image.open(io.BytesIO(encode_like(pixels, make)), formats=READERS) as opened:
        return np.asarray(opened.convert("RGB"))
