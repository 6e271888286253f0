"""Bundle + trust policy -> Report: the only entrance a stranger needs.

Three answers: PASSED, FAILED (naming the first thing that disagrees), INDETERMINATE (naming what is missing). Signature
first, then the tree, then what hangs on the entry, so that the item named is the one that was changed.
Format of the report: docs/spec/bundle.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from ledger.tlog import bundle as names
from ledger.tlog.bundle import Limits, parse_sums, read_bundle
from ledger.tlog.checkpoint import Checkpoint, parse_checkpoint
from ledger.tlog.claim_documents import ClaimFile, claim_files
from ledger.tlog.claims import parse_claim, parse_identity
from ledger.tlog.entry import (
    Entry,
    Parameters,
    claim_hash,
    genesis_prev,
    identity_hash,
    parse_entry,
    parse_parameters,
)
from ledger.tlog.errors import (
    BundleError,
    SignatureMissing,
    SignatureUncheckable,
    TimestampMissing,
    TimestampUncheckable,
    TimestampUntrusted,
    TlogError,
)
from ledger.tlog.merkle import leaf_hash, verify_inclusion
from ledger.tlog.note import Note, VerifierKey, parse_note, parse_signature_lines, verify_note
from ledger.tlog.outside_time import Fault, Reading, is_time_file, read_times
from ledger.tlog.packet_manifest import Manifest, parse_manifest
from ledger.tlog.policy import NO_QUORUM, Policy, PolicyLog, parse_policy
from ledger.tlog.proof import Proof, parse_proof
from ledger.tlog.report import Check, Digest, Report, Verdict

REQUIRED = (names.SUMS, names.PARAMETERS, names.PROOF, names.CHECKPOINT, names.ENTRY, names.CLAIM)
PACKET_KIND = "packet.recorded"
MANIFEST = names.original_name(0, "json")
# A file whose bytes changed has an unrelated digest: about 60 of 64 hex digits differ. Two or fewer differing digits
# can only mean that the digest was altered and the file was not.
_ALTERED_DIGITS = 2


def verify_bundle(
    data: bytes, policy: Policy | None = None, limits: Limits | None = None, anchors: Sequence[bytes] = ()
) -> Report:
    """Check a whole bundle. Without a policy from outside the best answer is PASSED under the key it brought along.

    anchors: DER certificates of time-stamping authorities trusted from outside; without any, outside times count as
    the word of the authority they name.
    """
    digest = sha256(data).hexdigest()
    try:
        files = read_bundle(data, limits)
    except BundleError as error:
        broken = Check("archive", "bundle", Verdict.FAILED, error.message, error.code)
        return Report(policy is None, (broken,), digest)
    verifier = _Verifier(files, policy, anchors)
    verifier.run()
    return verifier.report(digest)


def match_file(report: Report, file_sha256: bytes, size: int) -> Report:
    """The report with one more check: whether a file with this digest is one the claim commits to."""
    if report.claim is None:
        check = Check(
            "file", names.CLAIM, Verdict.INDETERMINATE, "the claim is not disclosed: nothing to compare with", "missing"
        )
        return replace(report, checks=(*report.checks, check))
    wanted = file_sha256.hex()
    role = next((d.role for d in report.digests if (d.sha256, d.size) == (wanted, size)), None)
    if role is None:
        check = Check("file", "file", Verdict.FAILED, f"{wanted} is not among the registered files", "file.other")
    else:
        check = Check("file", "file", Verdict.PASSED, f"this file is the registered one ({role}), byte for byte")
    return replace(report, checks=(*report.checks, check))


@dataclass(slots=True)
class _Verifier:
    """The state of one verification; each step appends checks and fills in what it could read."""

    files: Mapping[str, bytes]
    policy: Policy | None
    anchors: Sequence[bytes] = ()
    checks: list[Check] = field(default_factory=list)
    parameters: Parameters | None = None
    proof: Proof | None = None
    note: Note | None = None
    checkpoint: Checkpoint | None = None
    key: VerifierKey | None = None
    witnesses: tuple[str, ...] = ()
    entry: Entry | None = None
    claim: Mapping[str, object] | None = None
    who: Mapping[str, object] | None = None
    digests: tuple[Digest, ...] = ()
    unchecked: tuple[str, ...] = ()
    times: tuple[Reading, ...] = ()

    def run(self) -> None:
        self._sums()
        for name in REQUIRED:
            if name not in self.files:
                self._indeterminate("present", name, "missing from the bundle")
        self._parameters()
        self._checkpoint()
        self._signature()
        self._proof()
        self._entry()
        self._claim()
        self._who()
        self._originals()
        read_here = self._packet()
        self._times()
        others = self.files.keys() - _KNOWN - read_here
        self.unchecked = tuple(sorted(name for name in others if not _is_read(name)))

    def report(self, bundle_sha256: str) -> Report:
        return Report(
            qualified=self.policy is None,
            checks=tuple(self.checks),
            bundle_sha256=bundle_sha256,
            entry=self.entry,
            leaf_hash=leaf_hash(self.files[names.ENTRY]) if self.entry else None,
            checkpoint=self.checkpoint,
            key=self.key,
            witnesses=self.witnesses,
            claim=self.claim,
            who=self.who,
            digests=self.digests,
            unchecked=self.unchecked,
            times=self.times,
        )

    # Recording

    def _passed(self, name: str, item: str, detail: str) -> None:
        self.checks.append(Check(name, item, Verdict.PASSED, detail))

    def _failed(self, name: str, item: str, detail: str, code: str) -> None:
        self.checks.append(Check(name, item, Verdict.FAILED, detail, code))

    def _indeterminate(self, name: str, item: str, detail: str, code: str = "missing") -> None:
        self.checks.append(Check(name, item, Verdict.INDETERMINATE, detail, code))

    def _error(self, name: str, item: str, error: TlogError) -> None:
        self._failed(name, item, error.message, error.code)

    # Steps

    def _sums(self) -> None:
        if names.SUMS not in self.files:
            return
        try:
            sums = parse_sums(self.files[names.SUMS])
        except BundleError as error:
            self._error("sums", names.SUMS, error)
            return
        present = {name for name in self.files if name not in names.UNSUMMED}
        missing, unlisted = sorted(sums.keys() - present), sorted(present - sums.keys())
        wrong = [name for name in sorted(present & sums.keys()) if sha256(self.files[name]).digest() != sums[name]]
        if missing and unlisted:
            # One name too many and one too few: a name in the list was altered.
            self._failed("sums", names.SUMS, f"lists {missing[0]} but not {unlisted[0]}", "sums.names")
        elif unlisted:
            self._failed("sums", unlisted[0], f"not listed in {names.SUMS}", "sums.unlisted")
        for name in wrong:
            actual = sha256(self.files[name]).hexdigest()
            listed = sums[name].hex()
            altered = sum(a != b for a, b in zip(actual, listed, strict=True)) <= _ALTERED_DIGITS
            item = names.SUMS if altered else name
            self._failed("sums", item, f"SHA-256 of {name} is {actual}, listed is {listed}", "sums.digest")
        if not unlisted:
            for name in missing:
                if name not in REQUIRED:
                    self._indeterminate("present", name, f"listed in {names.SUMS} but missing from the bundle")
        if not (missing or unlisted or wrong):
            self._passed("sums", names.SUMS, f"{len(sums)} files have the listed SHA-256")

    def _parameters(self) -> None:
        if names.PARAMETERS not in self.files:
            return
        try:
            self.parameters = parse_parameters(self.files[names.PARAMETERS])
        except TlogError as error:
            self._error("log", names.PARAMETERS, error)
        else:
            self._passed("log", names.PARAMETERS, f"describes the log {self.parameters.origin}")

    def _checkpoint(self) -> None:
        if names.CHECKPOINT not in self.files:
            return
        try:
            self.note = parse_note(self.files[names.CHECKPOINT])
            self.checkpoint = parse_checkpoint(self.note.text)
        except TlogError as error:
            self._error("checkpoint", names.CHECKPOINT, error)
            return
        self._cosignatures(self.note)
        origin = self.checkpoint.origin
        if self.parameters and origin != self.parameters.origin:
            detail = f"is of log {origin}, {names.PARAMETERS} describes {self.parameters.origin}"
            self._failed("checkpoint", names.CHECKPOINT, detail, "checkpoint.origin")
        else:
            self._passed("checkpoint", names.CHECKPOINT, f"{self.checkpoint.size} entries of {origin}")

    def _cosignatures(self, note: Note) -> None:
        """Further signatures under the checkpoint, in a file of their own, since they come later."""
        if names.COSIGNATURES not in self.files:
            return
        try:
            lines = parse_signature_lines(self.files[names.COSIGNATURES])
        except TlogError as error:
            self._error("cosignatures", names.COSIGNATURES, error)
            return
        self.note = Note(note.text, (*note.signatures, *lines))

    def _signature(self) -> None:
        own = self._own_policy()  # a malformed policy in the bundle is reported whichever policy decides
        if self.note is None or self.checkpoint is None:
            return
        policy = self.policy or own
        if policy is None:
            self._indeterminate("signature", names.POLICY, "no key to check the signature with")
            return
        keys = [log.key for log in policy.logs if log.key.name == self.checkpoint.origin]
        if not keys:
            detail = f"the policy names no key of {self.checkpoint.origin}"
            self._failed("signature", names.CHECKPOINT, detail, SignatureMissing.code)
            return
        try:
            self.key = verify_note(self.note, keys)[0]
        except SignatureUncheckable as error:
            self._indeterminate("signature", names.CHECKPOINT, error.message, error.code)
            return
        except TlogError as error:
            self._error("signature", names.CHECKPOINT, error)
            return
        label = f"{self.key.name}+{self.key.key_id.hex()}"
        self._passed("signature", names.CHECKPOINT, f"signed by {label}, key SHA-256 {self.key.fingerprint}")
        self._quorum(policy, self.note)

    def _own_policy(self) -> Policy | None:
        """The policy the bundle brings along, else one made of the key in the parameter file."""
        if names.POLICY in self.files:
            try:
                return parse_policy(self.files[names.POLICY])
            except TlogError as error:
                self._error("policy", names.POLICY, error)
                return None
        return Policy((PolicyLog(self.parameters.key),)) if self.parameters else None

    def _quorum(self, policy: Policy, note: Note) -> None:
        if policy.quorum == NO_QUORUM:
            return
        cosigned: list[str] = []
        for witness in policy.witnesses:
            try:
                verify_note(note, [witness.key])
            except (SignatureMissing, SignatureUncheckable):
                continue
            except TlogError as error:
                self._error("witnesses", names.CHECKPOINT, error)
                return
            cosigned.append(witness.name)
        self.witnesses = tuple(cosigned)
        if policy.quorum_met(set(cosigned)):
            self._passed("witnesses", names.CHECKPOINT, f"cosigned by {', '.join(cosigned)}")
        else:
            detail = f"cosigned by {', '.join(cosigned) or 'no known witness'}: the quorum {policy.quorum} is not met"
            self._indeterminate("witnesses", names.CHECKPOINT, detail, "witnesses.missing")

    def _proof(self) -> None:
        if names.PROOF not in self.files:
            return
        try:
            proof = parse_proof(self.files[names.PROOF])
        except TlogError as error:
            self._error("proof", names.PROOF, error)
            return
        if names.CHECKPOINT in self.files and proof.checkpoint != self.files[names.CHECKPOINT]:
            self._failed(
                "proof", names.PROOF, f"carries another checkpoint than {names.CHECKPOINT}", "proof.checkpoint"
            )
            return
        self.proof = proof
        self._passed("proof", names.PROOF, f"proof for entry {proof.index}")

    def _entry(self) -> None:
        if names.ENTRY not in self.files:
            return
        data = self.files[names.ENTRY]
        try:
            self.entry = parse_entry(data)
        except TlogError as error:
            self._error("entry", names.ENTRY, error)
            return
        if self.proof and self.checkpoint:
            self._inclusion(data, self.entry, self.proof, self.checkpoint)
        if self.parameters:
            self._log_of_entry(self.entry, self.parameters)

    def _inclusion(self, data: bytes, entry: Entry, proof: Proof, checkpoint: Checkpoint) -> None:
        if proof.index != entry.seq:
            detail = f"is for entry {proof.index}, {names.ENTRY} is number {entry.seq}"
            self._failed("inclusion", names.PROOF, detail, "proof.index")
            return
        try:
            verify_inclusion(leaf_hash(data), proof.index, checkpoint.size, proof.path, checkpoint.root)
        except TlogError as error:
            item = names.ENTRY if error.code == "proof.root" else names.PROOF
            detail = f"{names.ENTRY} with the path of {names.PROOF} does not give the signed root: {error.message}"
            self._failed("inclusion", item, detail, error.code)
        else:
            self._passed("inclusion", names.ENTRY, f"entry {entry.seq} is in the tree of {checkpoint.size} entries")

    def _log_of_entry(self, entry: Entry, parameters: Parameters) -> None:
        genesis = genesis_prev(self.files[names.PARAMETERS])
        if entry.log != parameters.origin:
            detail = f"belongs to the log {entry.log}, {names.PARAMETERS} describes {parameters.origin}"
            self._failed("chain", names.ENTRY, detail, "entry.log")
        elif entry.seq == 0 and entry.prev != genesis:
            detail = f"entry 0 continues {entry.prev.hex()}, this parameter file is {genesis.hex()}"
            self._failed("chain", names.PARAMETERS, detail, "entry.genesis")

    def _claim(self) -> None:
        if self.entry is None or names.CLAIM not in self.files:
            return
        try:
            claim = parse_claim(self.entry.kind, self.files[names.CLAIM])
        except TlogError as error:
            self._error("claim", names.CLAIM, error)
            return
        if claim_hash(claim) != self.entry.claim:
            self._hash_mismatch("claim", names.CLAIM, claim_hash(claim), self.entry.claim)
            return
        self.claim = claim
        self._passed("claim", names.CLAIM, f"is what entry {self.entry.seq} commits to")
        self.digests = tuple(Digest(f.role, f.sha256.hex(), f.size) for f in claim_files(claim))

    def _who(self) -> None:
        if self.entry is None or names.WHO not in self.files:
            return
        try:
            who = parse_identity(self.files[names.WHO])
        except TlogError as error:
            self._error("who", names.WHO, error)
            return
        if identity_hash(who) != self.entry.who:
            self._hash_mismatch("who", names.WHO, identity_hash(who), self.entry.who)
            return
        self.who = who
        self._passed("who", names.WHO, f"is what entry {self.entry.seq} commits to")

    def _hash_mismatch(self, name: str, item: str, actual: bytes, expected: bytes) -> None:
        detail = f"hashes to {actual.hex()}, {names.ENTRY} commits to {expected.hex()}"
        self._failed(name, item, detail, f"{name}.hash")

    def _originals(self) -> None:
        if self.claim is None:
            return
        files = claim_files(self.claim)
        for name in sorted(filter(_is_original, self.files)):
            self._original(name, files)

    def _original(self, name: str, files: tuple[ClaimFile, ...]) -> None:
        stem = name.removeprefix(names.ORIGINALS).partition(".")[0]
        number = int(stem) - 1 if stem.isdecimal() else -1
        if not 0 <= number < len(files):
            self._failed("original", name, f"{names.CLAIM} commits to no such file", "original.number")
            return
        wanted, data = files[number], self.files[name]
        if (sha256(data).digest(), len(data)) != (wanted.sha256, wanted.size):
            detail = f"SHA-256 is {sha256(data).hexdigest()}, registered is {wanted.sha256.hex()}"
            self._failed("original", name, detail, "original.digest")
            return
        self._passed("original", name, f"is the registered file ({wanted.role}), byte for byte")
        self.digests = tuple(_disclose(self.digests, number, name))

    def _packet(self) -> frozenset[str]:
        """A part of a packet: its files are those of the manifest, which is the file of the claim. Names read here."""
        if self.claim is None or self.claim["kind"] != PACKET_KIND:
            return frozenset()
        if MANIFEST not in self.files:
            self._indeterminate("present", MANIFEST, "missing from the bundle: nothing says what the packet holds")
            return frozenset()
        if not self.digests[0].disclosed:
            return frozenset()  # another manifest than the recorded one: said already
        try:
            manifest = parse_manifest(self.files[MANIFEST])
        except TlogError as error:
            self._error("packet", MANIFEST, error)
            return frozenset()
        here = frozenset(name for name in self.files if name.startswith(names.PACKET))
        self._packet_files(manifest, here)
        return here

    def _packet_files(self, manifest: Manifest, here: frozenset[str]) -> None:
        listed = {names.PACKET + file.name: file for file in manifest.files}
        right = True
        for name in sorted(here):
            digest = sha256(self.files[name]).hexdigest()
            if name not in listed:
                self._failed("packet", name, "the manifest names no such file", "packet.unlisted")
            elif (digest, len(self.files[name])) != (listed[name].sha256, listed[name].size):
                self._failed("packet", name, f"SHA-256 is {digest}, recorded is {listed[name].sha256}", "packet.digest")
            else:
                continue
            right = False
        parts = {listed[name].part for name in here & listed.keys()}
        missing = sorted(name for name, file in listed.items() if file.part in parts and name not in here)
        for name in missing:
            self._indeterminate("present", name, "belongs to this part of the packet but is missing")
        if right and not missing:
            elsewhere = len(listed) - len(here)
            detail = f"{len(here)} files are the recorded ones; {elsewhere} lie in other parts of {manifest.parts}"
            self._passed("packet", MANIFEST, detail)

    def _times(self) -> None:
        if self.note is None or self.checkpoint is None or self.entry is None:
            return
        found = read_times(self.files, checkpoint_text=self.note.text, entry=self.entry, anchors=self.anchors)
        for each in found:
            if isinstance(each, Fault):
                record = self._indeterminate if isinstance(each.error, _UNDECIDED) else self._failed
                record(each.side, each.item, each.error.message, each.error.code)
                continue
            self.times += (each,)
            stamp = each.stamp
            whose = stamp.authority if stamp.anchored else f"{stamp.authority} (compare it with one you trust)"
            self._passed(each.side, each.item, f"{stamp.gen_time:%Y-%m-%d %H:%M:%S} UTC by {whose}")


_UNDECIDED = (TimestampMissing, TimestampUncheckable, TimestampUntrusted)


def _disclose(digests: Iterable[Digest], number: int, name: str) -> Iterable[Digest]:
    return (replace(digest, disclosed=name) if at == number else digest for at, digest in enumerate(digests))


def _is_original(name: str) -> bool:
    return name.startswith(names.ORIGINALS)


def _is_read(name: str) -> bool:
    return _is_original(name) or is_time_file(name)


_KNOWN = frozenset(
    {*REQUIRED, names.WHO, names.POLICY, names.COSIGNATURES, *names.VERIFY_TEXTS, *names.VERIFY_PROGRAMS}
)
