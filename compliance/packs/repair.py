"""Several repairs of one hidden image in the right order: one file out, and for each repair what it did or why not.

Pixels are decoded and encoded as seldom as can be: between two repairs that both write, they stay lossless.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from compliance.checks.profile import Profile
from compliance.packs.errors import LargeAsMain, NothingToFix, PackError
from compliance.packs.fix_table import SPECS, Fix
from compliance.packs.fixes import (
    FUNCTIONS,
    Fixed,
    FixInput,
    convert_format,
    enlarge_from_original,
    missing_input,
    recompress_below,
    reencode_like,
)
from compliance.packs.laying import lay_original
from compliance.packs.opening import open_source
from compliance.packs.relation import Relation
from compliance.packs.repair_plan import ORDER
from ledger.imaging import structure

WRITES = frozenset({Fix.CONVERT, Fix.REENCODE})
PIXELS = frozenset({Fix.FROM_ORIGINAL, Fix.PAD, Fix.RESIZE, Fix.BACKGROUND})


@dataclass(frozen=True, slots=True)
class Failure:
    """A repair that was not made: its error code and the values that disagreed."""

    fix: Fix
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Repaired:
    """The new file; steps: what was done, in order. Without steps the file is the one that was given."""

    data: bytes
    steps: tuple[Mapping[str, Any], ...]
    failures: tuple[Failure, ...]


def repair(given: FixInput, wanted: Collection[Fix], profile: Profile) -> Repaired:
    """Make the wanted repairs; one that fails by name is left out and the others go on."""
    fixes = _planned(given, frozenset(wanted))
    data = _lossless(given.hidden) if fixes & WRITES and fixes & PIXELS else given.hidden
    steps: list[Mapping[str, Any]] = []
    failures: list[Failure] = []
    for fix in (each for each in ORDER if each in fixes):
        try:
            made = _make(fix, replace(given, hidden=data), profile)
        except NothingToFix as error:
            if steps:  # an earlier step has done this as well
                steps.append({"fix": fix.value, "with": steps[-1]["fix"]})
            else:
                failures.append(Failure(fix, error.code, error.detail))
        except PackError as error:
            failures.append(Failure(fix, error.code, error.detail))
        else:
            data = made.data
            steps.append(made.to_dict())
    return Repaired(data if steps else given.hidden, tuple(steps), tuple(failures))


def relation_to_original(original: bytes, data: bytes) -> Relation | None:
    """How the file descends from the original, or None when crops, scales and colours do not explain it."""
    try:
        return lay_original(open_source(original, "original").pixels, open_source(data, "hidden").pixels).relation
    except PackError:
        return None


def _planned(given: FixInput, wanted: frozenset[Fix]) -> frozenset[Fix]:
    """A WebP is converted in any case: no marketplace takes it, and nothing here writes one."""
    return wanted | {Fix.CONVERT} if wanted and _format(given.hidden) == "WEBP" else wanted


def _lossless(data: bytes) -> bytes:
    return data if _format(data) == "PNG" else convert_format(data, "PNG").data


def _format(data: bytes | None) -> str:
    return structure.picture_format(data) or "" if data else ""


def _make(fix: Fix, given: FixInput, profile: Profile) -> Fixed:
    missing = missing_input(SPECS[fix], given)
    if missing is not None:
        raise missing
    return STEPS.get(fix, FUNCTIONS[fix])(given, profile)


def _write_as_main(fix: Fix, given: FixInput) -> Fixed:
    """In the main image's format and tables; as JPEG of our own where the main image is neither JPEG nor PNG."""
    main_format = _format(given.main)
    if main_format == "JPEG" and given.main is not None:
        return replace(reencode_like(given.hidden, given.main), fix=fix)
    return replace(convert_format(given.hidden, "PNG" if main_format == "PNG" else "JPEG"), fix=fix)


def _resize(given: FixInput, profile: Profile) -> Fixed:
    """From the original where the picture would have to grow and the original lies in it; else as it is."""
    if given.original is not None and given.main is not None:
        with suppress(PackError):
            return enlarge_from_original(given.hidden, given.main, given.original, profile)
    return FUNCTIONS[Fix.RESIZE](given, profile)


def _recompress(given: FixInput, profile: Profile) -> Fixed:
    """Below the limit in the main image's own form; another form would make the pair differ in compression."""
    limit = profile.integer("file_size_max_bytes")
    if _format(given.main) not in {"JPEG", "PNG"}:
        return recompress_below(given.hidden, limit)
    if len(given.hidden) <= limit:
        raise NothingToFix(f"{len(given.hidden)} bytes")
    try:
        made = _write_as_main(Fix.RECOMPRESS, given)
    except NothingToFix as error:
        raise LargeAsMain(f"{len(given.hidden)} bytes") from error
    if len(made.data) > limit:
        raise LargeAsMain(f"{len(made.data)} bytes")
    return made


STEPS: Mapping[Fix, Callable[[FixInput, Profile], Fixed]] = {
    Fix.RESIZE: _resize,
    Fix.CONVERT: lambda given, _: _write_as_main(Fix.CONVERT, given),
    Fix.REENCODE: lambda given, _: _write_as_main(Fix.REENCODE, given),
    Fix.RECOMPRESS: _recompress,
}
