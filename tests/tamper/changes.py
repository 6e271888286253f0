"""The sound log that is tampered with, and every kind of change to it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from compliance.services.packets import build_packet, packet_part
from ledger import append_only
from ledger.accounts.models import Seller
from ledger.models import Blob, Checkpoint, Entry, ImageFile, ImageState, LogHead, Original, Statement, TimestampToken
from ledger.services import keys
from ledger.services.anchoring import stamp
from ledger.services.audit import Audit, audit_log
from ledger.services.audit_parts import audit_blobs, audit_statements, audit_tokens
from ledger.services.authorities import AuthoritySettings, save_authority
from ledger.services.blobs import _path
from ledger.services.evidence import core_files, evidence_of
from ledger.services.log import full_policy, seal
from ledger.tlog import x509_path
from ledger.tlog.bundle import ORIGINALS, PACKET, SUMS, format_bundle, read_bundle
from ledger.tlog.report import Verdict
from ledger.tlog.verify import verify_bundle
from tests.compliance.complete_case import complete_case
from tests.factories import register_one
from tests.ledger.anchors.authority_server import FaultyAuthority, Ticking
from tests.tamper.run import execute

PICTURES = 12
Found = tuple[str, Any, Any]  # what was changed, what has to be named, what was named (None: nothing noticed)
NOT_AN_ENTRY = "something, and no entry"


@dataclass(slots=True)
class Site:
    """A sealed log with one token, and what people hold of it."""

    receipts: list[dict[str, Any]]
    bundles: list[bytes]
    packet: bytes  # one part of it
    size: int
    changes: dict[str, Callable[[random.Random], Found]]

    def audit(self) -> Audit:
        return audit_log(extra_parts=[audit_statements, audit_tokens, audit_blobs])

    def is_sound(self) -> bool:
        """Nothing is found but the triggers that were taken away for this."""
        return _named(self.audit()) is None and all(
            verify_bundle(data, full_policy()).verdict is Verdict.PASSED for data in self.bundles
        )


def make_site(seller: Seller) -> Site:
    """Build a packet, register, seal, stamp, register more, seal. The triggers are taken away, as the owner of the database can."""
    server = FaultyAuthority()
    try:
        anchors = x509_path.pem_of([server.clock.anchor]).decode()
        wanted = AuthoritySettings("First", server.url, anchors, allows_local=True, quota_calls=1000)
        save_authority(actor=None, wanted=wanted)
        packet = build_packet(actor=None, case=complete_case(seller, "dmca_512c3"))
        originals = [register_one(seller, seed + 1) for seed in range(PICTURES // 2)]
        seal()
        assert stamp(now=Ticking(server))
        originals += [register_one(seller, seed + 1) for seed in range(PICTURES // 2, PICTURES)]
        seal()
    finally:
        server.stop()
    ImageFile.objects.filter(state=ImageState.SEALED).update(error_code="")
    part = packet_part(actor=None, part=packet.parts.get())
    size = LogHead.objects.get().size
    site = Site([_receipt(row) for row in originals], [_bundle(row) for row in originals], part, size, {})
    site.changes = {name[7:]: _bound(function, site) for name, function in globals().items() if name[:7] == "change_"}
    connection.check_constraints()
    append_only.remove(connection)
    return site


def _bound(function: Callable[[Site, random.Random], Found], site: Site) -> Callable[[random.Random], Found]:
    return lambda draw: function(site, draw)


def _receipt(original: Original) -> dict[str, Any]:
    entry = original.statement.entry
    return {"sha256": bytes(original.sha256).hex(), "seq": entry.seq, "leaf_hash": bytes(entry.leaf_hash).hex()}


def _bundle(original: Original) -> bytes:
    return format_bundle(core_files(evidence_of(original.statement)))


def _named(audit: Audit) -> Any:
    """What the audit says first: an entry, something that is none, or nothing."""
    problems = [problem for problem in audit.problems if problem.code != "audit.trigger"]
    if not problems:
        return None
    seqs = [problem.seq for problem in problems if problem.seq is not None]
    return min(seqs) if seqs else NOT_AN_ENTRY


def flipped(draw: random.Random, data: bytes) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]


# Rows and columns -------------------------------------------------------------------------------------------------


def change_entry_body(site: Site, draw: random.Random) -> Found:
    seq = draw.randrange(site.size)
    execute(
        "UPDATE ledger_entry SET body = %s WHERE seq = %s", flipped(draw, bytes(Entry.objects.get(pk=seq).body)), seq
    )
    return f"a bit of the body of entry {seq}", seq, _named(site.audit())


def change_entry_leaf_hash(site: Site, draw: random.Random) -> Found:
    seq = draw.randrange(site.size)
    leaf = flipped(draw, bytes(Entry.objects.get(pk=seq).leaf_hash))
    execute("UPDATE ledger_entry SET leaf_hash = %s WHERE seq = %s", leaf, seq)
    return f"the leaf hash of entry {seq}", seq, _named(site.audit())


def change_statement_column(site: Site, draw: random.Random) -> Found:
    row = draw.choice(list(Statement.objects.order_by("entry")))
    column = draw.choice(["claim", "identity", "kind", "logged_at"])
    value: Any
    if column in ("claim", "identity"):
        value = flipped(draw, bytes(getattr(row, column)))
    elif column == "kind":
        value = "anchor" if row.kind != "anchor" else "image.registered"
    else:
        value = row.logged_at.replace(microsecond=(row.logged_at.microsecond // 1000 + 1) % 1000 * 1000)
    Statement.objects.filter(pk=row.pk).update(**{column: value})
    return f"{column} of the statement of entry {row.entry_id}", row.entry_id, _named(site.audit())


def change_statement_gone(site: Site, draw: random.Random) -> Found:
    seq = draw.choice([receipt["seq"] for receipt in site.receipts])
    execute("UPDATE ledger_statement SET entry_id = %s WHERE entry_id = %s", site.size + 5, seq)
    found = _named(site.audit())
    execute("UPDATE ledger_statement SET entry_id = %s WHERE entry_id = %s", seq, site.size + 5)
    return f"the statement of entry {seq} taken away", seq, found


# Order and tail ---------------------------------------------------------------------------------------------------


def change_order(site: Site, draw: random.Random) -> Found:
    a, b = sorted(draw.sample(range(site.size), 2))
    for column in ("body", "leaf_hash"):
        one, two = (bytes(getattr(Entry.objects.get(pk=seq), column)) for seq in (a, b))
        execute(f"UPDATE ledger_entry SET {column} = %s WHERE seq = %s", two, a)  # noqa: S608 - our own names
        execute(f"UPDATE ledger_entry SET {column} = %s WHERE seq = %s", one, b)  # noqa: S608
    return f"entries {a} and {b} exchanged", a, _named(site.audit())


def change_tail(site: Site, draw: random.Random) -> Found:
    """The last entries are cut off; the head stays, or is set back with them."""
    keep = draw.randrange(site.size - PICTURES // 2, site.size)
    execute("PRAGMA defer_foreign_keys = ON") if connection.vendor == "sqlite" else None
    gone = [
        bytes(row.body) + b"\0" + bytes(row.leaf_hash) for row in Entry.objects.filter(seq__gte=keep).order_by("seq")
    ]
    execute("DELETE FROM ledger_entry WHERE seq >= %s", keep)
    found = _named(site.audit())
    for seq, both in enumerate(gone, keep):
        execute("INSERT INTO ledger_entry (seq, body, leaf_hash) VALUES (%s, %s, %s)", seq, both[:-33], both[-32:])
    return f"the tail from entry {keep} cut off", keep, found


def change_extra_entry(site: Site, draw: random.Random) -> Found:
    body = bytes(Entry.objects.get(pk=draw.randrange(site.size)).body)
    execute("INSERT INTO ledger_entry (seq, body, leaf_hash) VALUES (%s, %s, %s)", site.size, body, draw.randbytes(32))
    return "an entry behind the head", site.size, _named(site.audit())


# Head, checkpoints, signer ----------------------------------------------------------------------------------------


def change_head(site: Site, draw: random.Random) -> Found:
    head = LogHead.objects.get()
    column = draw.choice(["prev", "frontier", "last_ms"])
    old = getattr(head, column)
    new = old + draw.choice([-1, 1, 60_000]) if column == "last_ms" else flipped(draw, bytes(old))
    LogHead.objects.update(**{column: new})
    return f"{column} of the head", NOT_AN_ENTRY, _named(site.audit())


def change_checkpoint(site: Site, draw: random.Random) -> Found:
    row = draw.choice(list(Checkpoint.objects.all()))
    if draw.random() < 0.5:
        note = flipped(draw, row.note.encode()).decode("latin-1")
        execute("UPDATE ledger_checkpoint SET note = %s WHERE tree_size = %s", note, row.tree_size)
    else:
        root = flipped(draw, bytes(row.root_hash))
        execute("UPDATE ledger_checkpoint SET root_hash = %s WHERE tree_size = %s", root, row.tree_size)
    found = _named(site.audit())
    # A changed checkpoint that a token stamped is told with the token's entry, too.
    return f"the checkpoint of {row.tree_size}", found, found


def change_signer_state(site: Site, draw: random.Random) -> Found:
    path = Path(settings.KEYS_DIR) / keys.SIGNER_STATE
    before = path.read_bytes()
    state = json.loads(before)
    _spoil(draw, state)
    path.write_text(json.dumps(state))
    try:
        found = _named(site.audit())
    except keys.KeyMissingError:
        found = NOT_AN_ENTRY
    finally:
        path.write_bytes(before)
    return "the signer's memory", found, found


def _spoil(draw: random.Random, state: Any) -> None:
    """Another size or another root, wherever they stand."""
    rows = [state] if "tree_size" in state else [row for row in state.values() if isinstance(row, dict)]
    row = draw.choice([row for row in rows if "tree_size" in row])
    if draw.random() < 0.5:
        row["tree_size"] += 1
    else:
        row["root_hash"] = flipped(draw, bytes.fromhex(row["root_hash"])).hex()


# Files, tokens, what people hold ----------------------------------------------------------------------------------


def change_blob(site: Site, draw: random.Random) -> Found:
    blob = draw.choice(list(Blob.objects.exclude(image=None)))
    path = _path(blob)
    before = path.read_bytes()
    path.write_bytes(flipped(draw, before) if draw.random() < 0.8 else before[: draw.randrange(len(before))])
    try:
        audit = site.audit()
    finally:
        path.write_bytes(before)
    image = ImageFile.objects.get(blob=blob)
    expected = f"picture {image.pk}"
    items = [problem.item for problem in audit.parts["blobs"].problems]
    return f"the file of {expected}", [expected], items or None


def change_token(site: Site, draw: random.Random) -> Found:
    row = TimestampToken.objects.get()
    column = draw.choice(
        ["response", "note", "sha256", "root_sha256", "gen_time", "valid_until", "authority_name", "policy"]
    )
    value = getattr(row, column)
    if column in ("response", "note", "sha256", "root_sha256"):
        value = flipped(draw, bytes(value))
    elif column in ("gen_time", "valid_until"):
        value = value.replace(second=(value.second + 1) % 60)
    else:
        value = value + "x"
    TimestampToken.objects.filter(pk=row.pk).update(**{column: value})
    return f"{column} of the token", row.entry_id, _named(site.audit())


def change_receipt(site: Site, draw: random.Random) -> Found:
    """A receipt that says something else than what was given out is held against the log."""
    receipt = dict(draw.choice(site.receipts))
    field = draw.choice(["sha256", "seq", "leaf_hash"])
    if field == "seq":
        receipt["seq"] = (receipt["seq"] + draw.randrange(1, site.size)) % site.size
    else:
        receipt[field] = flipped(draw, bytes.fromhex(receipt[field])).hex()
    return f"{field} of a receipt", field, _wrong_field(receipt)


def _wrong_field(receipt: dict[str, Any]) -> str | None:
    """Which field of a receipt the log contradicts."""
    original = (
        Original.objects.filter(sha256=bytes.fromhex(receipt["sha256"])).select_related("statement__entry").first()
    )
    if original is None:
        return "sha256"
    if original.statement.entry_id != receipt["seq"]:
        return "seq"
    return None if bytes(original.statement.entry.leaf_hash).hex() == receipt["leaf_hash"] else "leaf_hash"


def change_bundle(site: Site, draw: random.Random) -> Found:
    """A bundle with one bit changed never passes; the sound one does."""
    data = draw.choice(site.bundles)
    assert verify_bundle(data, full_policy()).verdict is Verdict.PASSED
    report = verify_bundle(flipped(draw, data), full_policy())
    return "a bit of a bundle", True, True if report.verdict is not Verdict.PASSED else None


def change_packet(site: Site, draw: random.Random) -> Found:
    """A bit of a packet's file, the list of digests made to fit: the verifier names the file all the same."""
    files = read_bundle(site.packet)
    del files[SUMS]
    assert verify_bundle(format_bundle(files), full_policy()).verdict is Verdict.PASSED
    name = draw.choice([name for name in files if name.startswith((PACKET, ORIGINALS))])
    files[name] = flipped(draw, files[name])
    wrong = verify_bundle(format_bundle(files), full_policy()).disagreement
    return f"a bit of {name}", name, wrong.item if wrong else None
