"""What verification found: the verdict, each thing that was looked at, and the report as stable JSON.

Three answers: PASSED, FAILED (naming the first thing that disagrees), INDETERMINATE (naming what is missing). Format:
docs/spec/bundle.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.tlog.checkpoint import Checkpoint
from ledger.tlog.entry import Entry
from ledger.tlog.note import VerifierKey, format_vkey
from ledger.tlog.outside_time import Reading

REPORT_VERSION = 1


class Verdict(StrEnum):
    """ETSI EN 319 102-1: the proof holds, it is wrong, or something is missing to tell."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `code` is empty when it passed, else the stable code of what is wrong."""

    name: str
    item: str
    verdict: Verdict
    detail: str
    code: str = ""

    def to_dict(self) -> dict[str, str]:
        return {
            "name": self.name,
            "item": self.item,
            "verdict": self.verdict.value,
            "code": self.code,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Digest:
    """One file the claim commits to; `disclosed` is its name in the bundle, or empty."""

    role: str
    sha256: str
    size: int
    disclosed: str = ""

    def to_dict(self) -> dict[str, object]:
        return {"role": self.role, "sha256": self.sha256, "size": self.size, "disclosed": self.disclosed}


@dataclass(frozen=True, slots=True)
class Report:
    """What verification found. Content is only filled in as far as it was read; trust it only under PASSED."""

    qualified: bool
    checks: tuple[Check, ...]
    bundle_sha256: str
    entry: Entry | None = None
    leaf_hash: bytes | None = None
    checkpoint: Checkpoint | None = None
    key: VerifierKey | None = None
    witnesses: tuple[str, ...] = ()
    claim: Mapping[str, object] | None = None
    who: Mapping[str, object] | None = None
    digests: tuple[Digest, ...] = ()
    unchecked: tuple[str, ...] = ()
    times: tuple[Reading, ...] = ()

    @property
    def verdict(self) -> Verdict:
        found = {check.verdict for check in self.checks}
        if Verdict.FAILED in found:
            return Verdict.FAILED
        return Verdict.INDETERMINATE if Verdict.INDETERMINATE in found else Verdict.PASSED

    @property
    def disagreement(self) -> Check | None:
        """The first check that decided against PASSED."""
        verdict = self.verdict
        if verdict is Verdict.PASSED:
            return None
        return next(check for check in self.checks if check.verdict is verdict)

    @property
    def key_id(self) -> str:
        """The key in short: name and 8 hex digits. For comparing use the fingerprint."""
        return f"{self.key.name}+{self.key.key_id.hex()}" if self.key else ""

    @property
    def summary(self) -> str:
        """One English line."""
        found = self.disagreement
        if found is not None:
            return f"{self.verdict}: {found.item}: {found.detail}"
        if self.qualified:
            return f"PASSED under key {self.key_id}: compare it with the one you trust{self._time_summary}"
        return f"PASSED under key {self.key_id}, which your policy trusts{self._time_summary}"

    @property
    def _time_summary(self) -> str:
        """Whose clocks said so, as far as nobody vouched for them."""
        names = dict.fromkeys(each.stamp.authority for each in self.times if not each.stamp.anchored)
        return f"; outside time under {', '.join(names)}: compare the authority too" if names else ""

    def to_dict(self) -> dict[str, object]:
        """The report as stable JSON: every field always present, null where nothing is known."""
        found = self.disagreement
        return {
            "report": REPORT_VERSION,
            "verdict": self.verdict.value,
            "qualified": self.qualified,
            "summary": self.summary,
            "disagreement": found.to_dict() if found else None,
            "checks": [check.to_dict() for check in self.checks],
            "bundle_sha256": self.bundle_sha256,
            "entry": _entry_dict(self.entry),
            "leaf_hash": self.leaf_hash.hex() if self.leaf_hash else None,
            "checkpoint": _checkpoint_dict(self.checkpoint),
            "key": _key_dict(self.key),
            "witnesses": list(self.witnesses),
            "claim": self.claim,
            "who": self.who,
            "digests": [digest.to_dict() for digest in self.digests],
            "unchecked": list(self.unchecked),
            "times": [each.to_dict() for each in self.times],
        }


def _entry_dict(entry: Entry | None) -> dict[str, object] | None:
    if entry is None:
        return None
    return {
        "claim": entry.claim.hex(),
        "kind": entry.kind,
        "log": entry.log,
        "prev": entry.prev.hex(),
        "seq": entry.seq,
        "ts": entry.ts,
        "v": entry.v,
        "who": entry.who.hex(),
    }


def _checkpoint_dict(checkpoint: Checkpoint | None) -> dict[str, object] | None:
    if checkpoint is None:
        return None
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()}


def _key_dict(key: VerifierKey | None) -> dict[str, object] | None:
    if key is None:
        return None
    return {"name": key.name, "id": key.key_id.hex(), "sha256": key.fingerprint, "vkey": format_vkey(key)}
