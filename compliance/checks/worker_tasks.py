"""The checks' entrance for the limited pixel child: bytes and plain JSON in, plain JSON and bytes out."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from PIL import Image

from compliance.checks.check import check_opened, finding_dict, side_dict
from compliance.checks.collage import shot_of
from compliance.checks.errors import PictureRefused
from compliance.checks.heatmap import pair_overlay
from compliance.checks.opening import open_pair
from compliance.checks.pair import Pair, Side
from compliance.checks.profile import load_profile
from compliance.checks.quality_check import check_quality
from compliance.checks.sku_set import check_alone, check_collage
from ledger.imaging.decode import decode_picture
from ledger.imaging.thumbnail import encode_webp, make_thumbnails

CHECK_PAIR_TASK = "compliance.checks.worker_tasks:check_pair_task"
CHECK_QUALITY_TASK = "compliance.checks.worker_tasks:check_quality_task"
CHECK_SKU_TASK = "compliance.checks.worker_tasks:check_sku_task"
CHECK_COLLAGE_TASK = "compliance.checks.worker_tasks:check_collage_task"
SHOT_TASK = "compliance.checks.worker_tasks:shot_task"


def check_pair_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Blobs: main, hidden, and the registered original if there is one. Params: profile, profile_version (or null),
    main_name, hidden_name, original_name, category, pictures.

    Returns the report of PairReport.to_dict and [heatmap PNG, difference WebP, then the previews of main and of hidden,
    each in the sizes of ledger.imaging.thumbnail.LONG_SIDES]; no bytes with pictures=False. When a file is no picture:
    {"refused": {code, side, cause, detail}} and no bytes.
    """
    main, hidden = blobs[:2]
    original = blobs[2] if len(blobs) > 2 else None
    profile = load_profile(str(params["profile"]), params.get("profile_version"))
    since = perf_counter()
    try:
        pair = open_pair(
            main,
            hidden,
            main_name=str(params["main_name"]),
            hidden_name=str(params["hidden_name"]),
            long_side_px=profile.integer("ssim_long_side_px"),
            original=original,
            original_name=str(params.get("original_name") or ""),
        )
    except PictureRefused as refusal:
        return {"refused": refusal.to_dict()}, []
    report = check_opened(
        pair,
        profile=profile,
        category=str(params.get("category") or ""),
        clock=perf_counter,
        decode_ms=round((perf_counter() - since) * 1000, 2),
    )
    pictures = [report.heatmap, *_previews(pair)] if params.get("pictures", True) else []
    return report.to_dict(), pictures


def check_quality_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Blob: one picture. Params: profile, profile_version (or null), name, category, without_hidden.

    Returns the report of QualityReport.to_dict, or {"refused": {code, side, cause, detail}} for a file that is no picture.
    """
    try:
        report = check_quality(
            blobs[0],
            name=str(params["name"]),
            profile=load_profile(str(params["profile"]), params.get("profile_version")),
            category=str(params.get("category") or ""),
            without_hidden=bool(params.get("without_hidden")),
        )
    except PictureRefused as refusal:
        return {"refused": refusal.to_dict()}, []
    return report.to_dict(), []


def check_sku_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Blobs: a SKU's hidden image, and the registered original if there is one. Params: profile, profile_version, name,
    original_name.

    Returns the report of PairReport.to_dict and [its shot as raw bytes, its previews smallest first], or
    {"refused": {code, side, cause, detail}} and no bytes.
    """
    profile = load_profile(str(params["profile"]), params.get("profile_version"))
    original = blobs[1] if len(blobs) > 1 else None
    try:
        report, side = check_alone(
            blobs[0],
            name=str(params["name"]),
            profile=profile,
            original=original,
            original_name=str(params.get("original_name") or ""),
        )
    except PictureRefused as refusal:
        return {"refused": refusal.to_dict()}, []
    return report.to_dict(), [shot_of(side.preview).tobytes(), *_side_previews(side)]


def check_collage_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Blob: the main image of several SKUs. Params: name, category.

    Returns {side, rows, columns, need, findings} and its previews, or {"refused": ...} and no bytes.
    """
    try:
        report, side = check_collage(blobs[0], name=str(params["name"]), category=str(params.get("category") or ""))
    except PictureRefused as refusal:
        return {"refused": refusal.to_dict()}, []
    values = {
        "side": side_dict(report.side),
        "rows": report.grid.rows,
        "columns": report.grid.columns,
        "need": report.need.word,
        "findings": [finding_dict(finding) for finding in report.need.findings],
    }
    return values, _side_previews(side)


def shot_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Blobs: pictures. Returns {} and the shot of each, uint8 (320, 320, 3) as raw bytes. Raises ImagingError."""
    return {}, [shot_of(decode_picture(blob).pixels).tobytes() for blob in blobs]


def _previews(pair: Pair) -> list[bytes]:
    """The difference alone, in the main image's frame, and both files in both preview sizes, smallest first."""
    overlay = encode_webp(Image.fromarray(pair_overlay(pair)))
    return [overlay, *_side_previews(pair.main), *_side_previews(pair.hidden)]


def _side_previews(side: Side) -> list[bytes]:
    return [each.data for each in make_thumbnails(Image.fromarray(side.preview))]
