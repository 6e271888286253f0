"""The pack maker's entrances for the limited pixel child: bytes and plain JSON in, plain JSON and bytes out."""

from collections.abc import Sequence
from typing import Any

from compliance.checks.profile import load_profile
from compliance.packs.errors import FileRefused, PackError
from compliance.packs.fix_table import Fix
from compliance.packs.fixes import FixInput, apply_fix
from compliance.packs.maker import PackInput, make_pack
from compliance.packs.repair import relation_to_original, repair
from compliance.packs.report import describe_pack
from ledger.imaging.decode import decode_picture
from ledger.imaging.thumbnail import make_thumbnails

MAKE_PACK_TASK = "compliance.packs.worker_tasks:make_pack_task"
FIX_TASK = "compliance.packs.worker_tasks:fix_task"
REPAIR_TASK = "compliance.packs.worker_tasks:repair_task"


def make_pack_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Blobs: original, then what `with` names (overlay or main; none for ""). Params: profile, profile_version (or
    null), category, with, previews.

    Returns the values of describe_pack and [main, hidden, detail], each followed by its previews in the sizes of
    ledger.imaging.thumbnail.LONG_SIDES when previews is set. When there is no pack: {"refused": {code, side, cause,
    detail}} and no bytes.
    """
    profile = load_profile(str(params["profile"]), params.get("profile_version"))
    given = {name: data for name, data in zip(("original", params.get("with") or ""), blobs, strict=False) if name}
    try:
        pack = make_pack(
            PackInput(
                original=given["original"],
                overlay=given.get("overlay"),
                main=given.get("main"),
                category=str(params.get("category") or ""),
            ),
            profile,
        )
    except PackError as error:
        return {"refused": refusal(error)}, []
    out: list[bytes] = []
    for file in pack.files:
        out.append(file.data)
        if params.get("previews"):
            out += [each.data for each in make_thumbnails(decode_picture(file.data).image)]
    return describe_pack(pack), out


def fix_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Repair a hidden image. Blobs: hidden, then what `with` lists in order (main, original). Params: code of the
    finding, regions [[left, top, right, bottom]], profile, profile_version (or null), with.

    Returns {"fixed": values of Fixed.to_dict} and the new file, or {"refused": ...} as make_pack_task does.
    """
    profile = load_profile(str(params["profile"]), params.get("profile_version"))
    others = dict(zip(params.get("with") or (), blobs[1:], strict=True))
    regions = tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in params.get("regions") or ())
    given = FixInput(blobs[0], others.get("main"), others.get("original"), regions)
    try:
        fixed = apply_fix(str(params["code"]), given, profile)
    except PackError as error:
        return {"refused": refusal(error)}, []
    return {"fixed": fixed.to_dict()}, [fixed.data]


def repair_task(blobs: Sequence[bytes], params: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Several repairs of a hidden image. Blobs: hidden, main, and the original if there is one. Params: fixes (names of
    fix_table.Fix), regions [[left, top, right, bottom]], profile, profile_version (or null).

    Returns {"steps": values of Fixed.to_dict, "failures": [{fix, code, detail}], "relation": of the new file to the
    original or null, "width", "height", "format"} and the new file with its previews; no bytes when no step was made.
    """
    profile = load_profile(str(params["profile"]), params.get("profile_version"))
    regions = tuple((int(a), int(b), int(c), int(d)) for a, b, c, d in params.get("regions") or ())
    original = blobs[2] if len(blobs) > 2 else None
    done = repair(FixInput(blobs[0], blobs[1], original, regions), [Fix(name) for name in params["fixes"]], profile)
    values: dict[str, Any] = {
        "steps": [dict(step) for step in done.steps],
        "failures": [{"fix": each.fix.value, "code": each.code, "detail": each.detail} for each in done.failures],
    }
    if not done.steps:
        return values, []
    picture = decode_picture(done.data)
    relation = relation_to_original(original, done.data) if original is not None else None
    values |= {
        "relation": relation.to_dict() if relation else None,
        "width": picture.image.width,
        "height": picture.image.height,
        "format": picture.format,
    }
    return values, [done.data, *(each.data for each in make_thumbnails(picture.image))]


def refusal(error: PackError) -> dict[str, str]:
    """The error as JSON values."""
    side, cause = (error.side, error.cause) if isinstance(error, FileRefused) else ("", "")
    return {"code": error.code, "side": side, "cause": cause, "detail": error.detail}
