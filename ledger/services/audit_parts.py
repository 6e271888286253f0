"""The parts of an audit beside the log itself: the documents behind the hashes, stored files, tokens of outside clocks.

What a seller had erased is missing lawfully: an `erasure` entry says so, and only then is nothing reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from ledger.models import Certificate, Entry, ImageFile, PastEpoch, Statement, TimestampToken
from ledger.services.audit import Audit, Progress
from ledger.services.authorities import anchors_of
from ledger.services.blobs import BlobUnreadableError, read_blob
from ledger.services.epochs import EPOCH, epoch_claim
from ledger.services.log import as_datetime
from ledger.tlog import x509_path
from ledger.tlog.claims import parse_claim
from ledger.tlog.entry import claim_hash, parse_entry, parse_utc_ms
from ledger.tlog.errors import TlogError
from ledger.tlog.timestamp import verify_timestamp

ROWS = 1000


def audit_statements(audit: Audit, progress: Progress) -> None:
    """Each entry has its statement, and claim and identity are the documents whose hashes the entry carries."""
    part = audit.part("statements")
    erased, end = _erased(audit), audit.spans[-1].end
    again = [range(past.first + past.covered, past.end) for past in _past(audit)]
    for start in range(0, end, ROWS):
        stop = min(start + ROWS, end)
        rows = {row[0]: row for row in _statements(start, stop)}
        entries = Entry.objects.filter(seq__gte=start, seq__lt=stop).order_by("seq")
        for seq, body, leaf in entries.values_list("seq", "body", "leaf_hash"):
            part.checked += 1
            scopes = erased.get(bytes(leaf).hex(), frozenset())
            if seq in rows:
                _check_statement(audit, bytes(body), rows[seq], scopes)
            elif not scopes and not any(seq in keys for keys in again):
                part.wrong(f"statement of entry {seq}", "audit.statement_missing", "no statement is stored", seq)
        progress("statements", stop, end)


def _past(audit: Audit) -> list[PastEpoch]:
    return [span.past for span in audit.spans if span.past is not None]


def audit_epochs(audit: Audit, progress: Progress) -> None:
    """Each log after the first begins with what was signed of the ones before it, and repeats what they left unsigned."""
    part = audit.part("epochs")
    past = _past(audit)
    for row in past:
        part.checked += 1
        follower = next((span for span in audit.spans if span.number > row.number and span.parameters), None)
        if follower is None:
            part.wrong(f"epoch {row.number}", "audit.epoch", "no log follows it")
            continue
        # Its epoch entries name the logs before it, the latest first.
        place = follower.first + follower.number - 1 - row.number
        if row.signed_note and not _is_named(place, row):
            part.wrong(f"epoch {row.number}", "audit.epoch", f"entry {place} does not name its last checkpoint", place)
        for offset in range(row.size - row.covered):
            old, new = row.first + row.covered + offset, row.again_at + offset
            if not _says_the_same(old, new):
                part.wrong(f"epoch {row.number}", "audit.epoch", f"entry {new} does not repeat entry {old}", new)
        progress("epochs", part.checked, len(past))


def _is_named(place: int, row: PastEpoch) -> bool:
    found = Entry.objects.filter(seq=place).first()
    try:
        said = parse_entry(bytes(found.body)) if found else None
        return said is not None and (said.kind, said.claim) == (EPOCH, claim_hash(epoch_claim(row)))
    except TlogError:
        return False  # named among the entries


def _says_the_same(old: int, new: int) -> bool:
    try:
        first, second = (parse_entry(bytes(Entry.objects.get(seq=key).body)) for key in (old, new))
    except (TlogError, Entry.DoesNotExist):
        return False
    return (first.kind, first.claim, first.who) == (second.kind, second.claim, second.who)


def _statements(start: int, stop: int) -> Iterator[tuple[Any, ...]]:
    rows = Statement.objects.filter(entry__gte=start, entry__lt=stop)
    return rows.values_list("entry_id", "kind", "claim", "identity", "logged_at", "seq").iterator(chunk_size=ROWS)


def _erased(audit: Audit) -> dict[str, frozenset[str]]:
    """What erasure entries say is gone: leaf hash of the entry to the scopes named."""
    erased: dict[str, frozenset[str]] = {}
    for statement in Statement.objects.filter(kind="erasure").iterator():
        try:
            claim: Any = parse_claim("erasure", bytes(statement.claim))
        except TlogError as error:
            item = f"statement of entry {statement.entry_id}"
            audit.part("statements").wrong(item, error.code, error.message, statement.entry_id)
            continue
        for named in claim["entries"]:
            erased[named["leaf"]] = erased.get(named["leaf"], frozenset()) | frozenset(claim["scope"])
    return erased


def _check_statement(audit: Audit, body: bytes, row: tuple[Any, ...], erased: frozenset[str]) -> None:
    seq, kind, claim, identity, logged_at, number = row
    part, item = audit.part("statements"), f"statement of entry {seq}"
    try:
        entry = parse_entry(body)
    except TlogError:
        return  # named among the entries
    if kind != entry.kind:
        part.wrong(item, "audit.statement_kind", f"is kept as {kind}, the entry says {entry.kind}", seq)
    if number != entry.seq:
        part.wrong(item, "audit.statement_number", f"is kept as number {number}, the entry says {entry.seq}", seq)
    if logged_at != as_datetime(parse_utc_ms(entry.ts)):
        part.wrong(item, "audit.statement_time", f"is kept as of {logged_at.isoformat()}, logged {entry.ts}", seq)
    for scope, document, prefix, expected in (
        ("claim", bytes(claim), b"ledger/claim/v1\0", entry.claim),
        ("identity", bytes(identity), b"ledger/identity/v1\0", entry.who),
    ):
        if not document and scope in erased:
            continue
        actual = sha256(prefix + document).digest()
        if actual != expected:
            detail = f"{scope} hashes to {actual.hex()}, the entry commits to {expected.hex()}"
            part.wrong(item, f"audit.{scope}", detail, seq)


def audit_blobs(audit: Audit, progress: Progress) -> None:
    """Every kept file decrypts to the digest that was registered, every certificate to the one handed out."""
    part = audit.part("blobs")
    images = ImageFile.objects.select_related("blob").order_by("pk")
    certificates = Certificate.objects.select_related("blob").order_by("pk")
    total = images.count() + certificates.count()
    for name, rows in (("picture", images), ("certificate", certificates)):
        for row in rows.iterator(chunk_size=100):
            part.checked += 1
            if row.blob.wrapped_key:  # else erased, which has its entry, or a listing that was swept
                _check_blob(audit, f"{name} {row.pk}", row)
            progress("blobs", part.checked, total)


def _check_blob(audit: Audit, item: str, row: ImageFile | Certificate) -> None:
    try:
        actual = sha256(read_blob(row.blob)).digest()
    except BlobUnreadableError as error:
        audit.part("blobs").wrong(item, "audit.blob_unreadable", str(error))
        return
    if actual != bytes(row.sha256):
        detail = f"SHA-256 is {actual.hex()}, recorded is {bytes(row.sha256).hex()}"
        audit.part("blobs").wrong(item, "audit.blob", detail)


def audit_tokens(audit: Audit, progress: Progress) -> None:
    """Every token of an outside clock is the one its anchor entry commits to, and says what is kept beside it."""
    part = audit.part("tokens")
    rows = TimestampToken.objects.select_related("authority", "checkpoint", "entry__statement").order_by("pk")
    total = rows.count()
    for row in rows.iterator(chunk_size=100):
        part.checked += 1
        for code, detail in _token_problems(row):
            part.wrong(f"token of entry {row.entry_id}", code, detail, row.entry_id)
        progress("tokens", part.checked, total)


def _token_problems(row: TimestampToken) -> Iterator[tuple[str, str]]:
    response, note = bytes(row.response), bytes(row.note)
    try:
        claim: Any = parse_claim("anchor", bytes(row.entry.statement.claim))
    except (TlogError, Statement.DoesNotExist):
        return  # named among the statements
    digest = sha256(response).hexdigest()
    if digest != claim["token"]["sha256"] or digest != bytes(row.sha256).hex():
        yield "audit.token", f"its SHA-256 is {digest}, the entry commits to {claim['token']['sha256']}"
        return
    if sha256(note).hexdigest() != claim["checkpoint"]["note_sha256"] or note != row.checkpoint.note.encode():
        yield "audit.token_note", "what was stamped is not the checkpoint that the entry commits to"
        return
    try:
        chain = x509_path.load_certificates(row.chain.encode())
        said = verify_timestamp(response, note, anchors=anchors_of(row.authority), certificates=chain)
    except TlogError as error:
        yield error.code, error.message
        return
    kept = (row.gen_time, row.authority_name, row.policy, row.valid_until, bytes(row.root_sha256).hex())
    facts = (said.gen_time, said.authority[:200], said.policy, said.valid_until, said.root_sha256)
    if kept != facts:
        yield "audit.token_columns", "the token differs from the columns beside it"
    elif x509_path.pem_of(said.chain).decode() != x509_path.pem_of(chain).decode():
        yield "audit.token_columns", "the chain kept beside it is not the one that was checked"
