"""Synthetic pairs: a textured product on a plain background, with and without promotion, as bytes of every format."""

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from compliance.checks.base import Registry, RuleOutcome, run_rule
from compliance.checks.opening import open_pair
from compliance.checks.pair import Pair
from compliance.checks.profile import Profile, load_profile
from compliance.checks.rules import RULES

PROFILE = load_profile("aliexpress-seed-2024")
BACKGROUND = (200, 190, 180)


def product(size=(800, 800), background=BACKGROUND, seed=1) -> Image.Image:
    """A ball of noise that fills the middle third of a plain sheet."""
    width, height = size
    image = Image.new("RGB", size, background)
    noise = np.random.default_rng(seed).integers(20, 160, (height, width, 3), dtype=np.uint8)
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).ellipse((width * 0.33, height * 0.33, width * 0.67, height * 0.67), fill=255)
    image.paste(Image.fromarray(noise), mask=mask)
    return image


def with_promotion(image: Image.Image, box=(40, 40, 200, 90)) -> Image.Image:
    """The picture with a red banner."""
    copy = image.copy()
    ImageDraw.Draw(copy).rectangle(box, fill=(200, 20, 20))
    return copy


def scene(size=(800, 800), seed=2) -> Image.Image:
    """A photo without a plain background: coarse noise everywhere."""
    width, height = size
    cells = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def photo(seed=7, size=(480, 400)) -> Image.Image:
    """A product of several colours with texture and soft light, as a photo has: what can be laid over itself."""
    width, height = size
    random = np.random.default_rng(seed)
    light = np.linspace(150, 235, width)[None, :, None] + np.linspace(-20, 20, height)[:, None, None]
    cells = random.uniform(-1, 1, (height // 6, width // 6, 3)).astype(np.float32)
    weave = np.asarray(cv2.resize(cells, size, interpolation=cv2.INTER_CUBIC))
    image = light + 4 * weave
    ys, xs = np.mgrid[:height, :width]
    for _ in range(5):
        centre = random.uniform(0.2, 0.8, 2) * (height, width)
        inside = np.hypot(ys - centre[0], xs - centre[1]) < random.uniform(0.08, 0.2) * width
        image[inside] = random.uniform(40, 200, 3) + 25 * weave[inside]
    return Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))


def encode(image: Image.Image, format_name="PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    if format_name == "JPEG":
        options = {"quality": 90, **options}
    if format_name == "PNG":
        options = {"compress_level": 1, **options}
    image.save(out, format_name, **options)
    return out.getvalue()


def pair_of(main: bytes, hidden: bytes, original: bytes | None = None) -> Pair:
    return open_pair(main, hidden, main_name="main", hidden_name="hidden", long_side_px=1000, original=original)


def outcome_of(rule_id: str, pair: Pair, profile: Profile = PROFILE, registry: Registry = RULES) -> RuleOutcome:
    return run_rule(registry[rule_id], pair, profile)


def outcome(rule_id: str, main: Image.Image, hidden: Image.Image, format_name="PNG", **options: Any) -> RuleOutcome:
    """One rule's answer for two images saved the same way."""
    return outcome_of(rule_id, pair_of(encode(main, format_name, **options), encode(hidden, format_name, **options)))


def levels(found: RuleOutcome) -> list[str]:
    return [finding.level.value for finding in found.findings]
