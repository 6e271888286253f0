"""Time-stamp tokens that somebody else obtained (RFC 3161: .tsr, .tst, .tsa), checked against the files they are attached to.

The same full check as for our own tokens: imprint, usage, ESSCertID, signature, chain. Trust anchors are those given with
the record and those the site trusts for time. What is not such a token (a PDF of a notary or a platform) is not opened. It
counts for no assurance level: the level is printed on evidence that must hold by itself, and this token is not in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ledger.models import Blob, EvidenceFile, ImageFile, RightRecord
from ledger.services.authorities import trusted_anchors
from ledger.services.blobs import BlobUnreadableError, read_blob
from ledger.tlog import x509_path
from ledger.tlog.errors import TimestampContent, TimestampError, TimestampSyntax, TimestampUntrusted
from ledger.tlog.timestamp import MAX_RESPONSE_BYTES, Stamp, imprint_of, verify_timestamp

VERIFIED, UNTRUSTED, OTHER_FILE, WRONG = "verified", "untrusted", "other_file", "wrong"
MAX_FILES = 200  # of other digests than SHA-256 each file has to be read


class TrustAnchorsError(ValueError):
    """What was given as trust anchors holds no certificate."""

    code = "right_anchors"


@dataclass(frozen=True, slots=True)
class _File:
    number: str
    name: str
    sha256: bytes
    blob: Blob


def parse_anchors(pem: str) -> list[bytes]:
    """DER of the certificates in a text, none for an empty one. Raises TrustAnchorsError."""
    if not pem.strip():
        return []
    try:
        return x509_path.load_certificates(pem.encode())
    except TimestampError as error:
        raise TrustAnchorsError(str(error)) from error


def check_right(record: RightRecord) -> None:
    """Check the record's document against what it is attached to, and keep what was found."""
    record.token = _check(_document(record), _files(record), parse_anchors(record.trust_anchors))
    record.save(update_fields=["token"])


def _document(record: RightRecord) -> bytes:
    file = record.document.files.first() if record.document is not None else None
    if file is None or file.is_erased or file.size_bytes > MAX_RESPONSE_BYTES:
        return b""
    try:
        return read_blob(file.blob)
    except BlobUnreadableError:
        return b""


def _files(record: RightRecord) -> Iterator[_File]:
    images = ImageFile.objects.of(record.seller).filter(original__rights=record).select_related("blob", "original")
    for image in images.order_by("pk"):
        yield _File(image.original.number, image.file_name, bytes(image.sha256), image.blob)
    files = EvidenceFile.objects.of(record.seller).filter(evidence_set__in=record.sets.all(), is_erased=False)
    for file in files.select_related("blob", "evidence_set").order_by("pk"):
        yield _File(file.evidence_set.number, file.file_name, bytes(file.sha256), file.blob)


def _check(token: bytes, files: Iterable[_File], given: list[bytes]) -> dict[str, Any]:
    """What is kept: {} for what is no token; else a state, and what the token says or why it does not hold."""
    try:
        algorithm, imprint = imprint_of(token)
    except (TimestampSyntax, TimestampContent):
        return {}
    except TimestampError as error:
        return {"state": WRONG, "code": error.code}
    file = _stamped(algorithm, imprint, files)
    if file is None:
        return {"state": OTHER_FILE, "imprint": f"{algorithm} {imprint.hex()}"}
    try:
        stamp, state = _verify(token, read_blob(file.blob), given)
    except (TimestampError, BlobUnreadableError) as error:
        return {"state": WRONG, "code": error.code, "number": file.number}
    return {
        "state": state,
        "number": file.number,
        "gen_time": stamp.gen_time.isoformat(timespec="seconds"),
        "authority": stamp.authority[:200],
        "root_sha256": stamp.root_sha256,
        "by_given": stamp.chain[-1] in given,
        "revocation_known": stamp.revocation_known,
    }


def _stamped(algorithm: str, imprint: bytes, files: Iterable[_File]) -> _File | None:
    """The file a token is about. Files are read only for digests that nobody has kept."""
    for number, file in enumerate(files):
        if algorithm == "sha256":
            if file.sha256 == imprint:
                return file
        elif number < MAX_FILES and _reads_as(file, algorithm, imprint):
            return file
    return None


def _reads_as(file: _File, algorithm: str, imprint: bytes) -> bool:
    try:
        return hashlib.new(algorithm, read_blob(file.blob)).digest() == imprint
    except BlobUnreadableError:
        return False


def _verify(token: bytes, message: bytes, given: list[bytes]) -> tuple[Stamp, str]:
    anchors = [*given, *trusted_anchors()]
    if anchors:
        try:
            stamp = verify_timestamp(token, message, anchors=anchors, certificates=anchors)
        except TimestampUntrusted:
            pass
        else:
            return stamp, UNTRUSTED if stamp.is_development else VERIFIED
    return verify_timestamp(token, message), UNTRUSTED
