"""Where a picture carries text, and what it says: two PP-OCRv6 networks, run by onnxruntime on one thread.

The networks (Apache-2.0) lie as data in the wheel `rapidocr`; its code is never imported (docs/adr/0030). They find
text in any script; they read Latin, Chinese and Japanese. Cyrillic, Arabic and Thai are found, not read.
"""

import math
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

import cv2
import numpy as np
import onnxruntime

from compliance.checks.errors import ModelMissing
from compliance.checks.pair import Floats, Pixels

WHEEL = "rapidocr"
DETECTION, RECOGNITION = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"

# What the detector sees: letters of a 1000 px picture keep their size, and a square one costs no more than 960 x 720.
DETECTION_PX, DETECTION_AREA_PX = 960, 960 * 720
STRIDE = 32  # the network halves the picture five times
# ImageNet statistics, RGB in 0..1, on which the network's backbone was trained.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)

# Probability from which a pixel belongs to a word, and mean probability that makes the word: the network's defaults.
PIXEL_MIN, WORD_MIN = 0.3, 0.5
# Smaller regions of the probability map are specks, sparser ones are no line of text, larger ones no caption.
REGION_AREA_MIN, REGION_SIDE_MIN, REGION_FILL_MIN, REGION_SHARE_MAX = 8, 3, 0.4, 0.25
# The map shows the core of a line: this share of its height lies outside on each side.
MARGIN_SHARE, MARGIN_PX = 0.35, 1.0

LINE_PX = 48  # height of a line for the reader
WIDTH_MIN, WIDTH_MAX = 48, 480
# Taller than this many widths, a region is a line that runs upwards.
UPRIGHT_RATIO = 1.8
READ_MAX = 16  # regions read per picture, surest first: bounds the time a page full of text takes
READ_MIN = 0.75  # mean probability of the letters from which the reading can be trusted

TextRegion = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class TextBox:
    """One line of text: box (left, top, right, bottom) in pixels of the picture; probabilities 0..1.

    score: that this is text. text: as read, empty when it was not read; confidence: of that reading.
    """

    box: TextRegion
    score: float
    text: str
    confidence: float

    @property
    def is_read(self) -> bool:
        """One letter alone is what any corner can look like."""
        return self.confidence >= READ_MIN and len(self.text.strip()) >= 2

    @property
    def elongation(self) -> float:
        """Long side over short side."""
        width, height = self.box[2] - self.box[0], self.box[3] - self.box[1]
        return max(width, height) / max(1, min(width, height))


def find_texts(pixels: Pixels, *, read_max: int = READ_MAX) -> tuple[TextBox, ...]:
    """The lines of text in a picture, surest first; pixels uint8 (height, width, 3), sRGB, upright.

    Only the surest `read_max` are read. Raises ModelMissing when the networks are not installed.
    """
    found = find_regions(pixels)
    readings = [read_line(pixels, box) for box, _ in found[:read_max]]
    readings += [("", 0.0)] * (len(found) - len(readings))
    return tuple(
        TextBox(box, score, text, confidence) for (box, score), (text, confidence) in zip(found, readings, strict=True)
    )


def find_regions(pixels: Pixels) -> list[tuple[TextRegion, float]]:
    """Regions that look like a line of text, with their probability, surest first."""
    height, width = pixels.shape[:2]
    scale = min(DETECTION_PX / max(height, width), math.sqrt(DETECTION_AREA_PX / (height * width)))
    size = (_whole_strides(width * scale), _whole_strides(height * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled: Any = cv2.resize(pixels, size, interpolation=interpolation)
    normal = (scaled.astype(np.float32) / 255 - MEAN) / DEVIATION
    likely: Floats = _run(_detector(), normal)[0, 0]
    regions = _regions_of(likely)
    across, down = width / size[0], height / size[1]
    return [(_enlarge(region, across, down, (width, height)), score) for region, score in regions]


def _regions_of(likely: Floats) -> list[tuple[TextRegion, float]]:
    """Connected regions of a probability map as (left, top, width, height) with their mean probability."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((likely > PIXEL_MIN).astype(np.uint8))
    totals = np.bincount(labels.ravel(), weights=likely.ravel().astype(np.float64), minlength=count)
    found = []
    for index in range(1, count):
        left, top, width, height, area = (int(value) for value in stats[index])
        is_line = area >= max(REGION_AREA_MIN, REGION_FILL_MIN * width * height)
        is_sized = min(width, height) >= REGION_SIDE_MIN and width * height <= REGION_SHARE_MAX * likely.size
        score = float(totals[index] / area)
        if is_line and is_sized and score >= WORD_MIN:
            found.append(((left, top, width, height), round(score, 4)))
    return sorted(found, key=lambda item: (-item[1], item[0]))


def _enlarge(region: TextRegion, across: float, down: float, size: tuple[int, int]) -> TextRegion:
    """The region with its margin, in pixels of the picture, (left, top, right, bottom)."""
    left, top, width, height = region
    margin = MARGIN_SHARE * min(width, height) + MARGIN_PX
    return (
        max(0, round((left - margin) * across)),
        max(0, round((top - margin) * down)),
        min(size[0], round((left + width + margin) * across)),
        min(size[1], round((top + height + margin) * down)),
    )


def read_line(pixels: Pixels, box: TextRegion) -> tuple[str, float]:
    """The text inside a box and the mean probability of its letters; ("", 0.0) when there is none."""
    line = pixels[box[1] : box[3], box[0] : box[2]]
    if line.size == 0:
        return "", 0.0
    if line.shape[0] > UPRIGHT_RATIO * line.shape[1]:
        line = np.asarray(cv2.rotate(line, cv2.ROTATE_90_COUNTERCLOCKWISE))
    width = int(np.clip(round(LINE_PX * line.shape[1] / line.shape[0]), WIDTH_MIN, WIDTH_MAX))
    interpolation = cv2.INTER_AREA if line.shape[0] > LINE_PX else cv2.INTER_CUBIC
    scaled: Any = cv2.resize(line, (width, LINE_PX), interpolation=interpolation)
    steps = _run(_recogniser(), scaled.astype(np.float32) / 127.5 - 1)[0]
    best, sure = steps.argmax(axis=1), steps.max(axis=1)
    # CTC: 0 is "nothing here", and a letter that stays for several steps is one letter.
    kept = (best > 0) & np.r_[True, best[1:] != best[:-1]]
    if not kept.any():
        return "", 0.0
    letters = _letters()
    return "".join(letters[index] for index in best[kept]), round(float(sure[kept].mean()), 4)


def _whole_strides(side: float) -> int:
    return max(STRIDE, round(side / STRIDE) * STRIDE)


def _run(session: Any, image: Floats) -> Floats:
    """One image, float32 (height, width, 3), through a network; its first output."""
    options = onnxruntime.RunOptions()
    # Give the working memory back: the next picture may need the child's whole budget for its pixels.
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    batch = np.ascontiguousarray(image.transpose(2, 0, 1)[None])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: batch}, options)[0])


@cache
def _detector() -> Any:
    return _load(DETECTION)


@cache
def _recogniser() -> Any:
    return _load(RECOGNITION)


@cache
def _letters() -> tuple[str, ...]:
    """What each output of the reader means: nothing, the letters listed in the network's own file, a space."""
    listed = _recogniser().get_modelmeta().custom_metadata_map["character"]
    return ("", *listed.splitlines(), " ")


def _load(name: str) -> Any:
    """The network of that file name. No threads are started: the limited child may not have any."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # failures come back as exceptions
    return onnxruntime.InferenceSession(_model_path(name), options, providers=["CPUExecutionProvider"])


def _model_path(name: str) -> str:
    try:
        files = distribution(WHEEL).files or ()
    except PackageNotFoundError as error:
        raise ModelMissing(name) from error
    for file in files:
        if file.name == name:
            return str(file.locate())
    raise ModelMissing(name)
