"""Reading an evidence bundle from bytes, and writing one: a plain ZIP, the same bytes for the same content.

Files are stored, not compressed, so that every machine writes identical bytes; the reader also takes deflated ones.
The reader never writes to disk, opens no archive inside the archive, and accepts no byte that belongs to no file.
Format: docs/spec/bundle.md.
"""

import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources

from ledger.tlog.errors import (
    BundleCorrupt,
    BundleDuplicate,
    BundleEncrypted,
    BundleName,
    BundleNested,
    BundleOverlap,
    BundleRatio,
    BundleStructure,
    BundleTooLarge,
    BundleTooMany,
    SumsSyntax,
)
from ledger.tlog.policy import Policy, format_policy
from ledger.tlog.proof import Proof, format_proof

SUMS = "SHA256SUMS"
ENTRY = "entry.json"
CLAIM = "claim.json"
WHO = "who.json"
PARAMETERS = "log.json"
PROOF = "proof.tlog-proof"
CHECKPOINT = "checkpoint"
COSIGNATURES = "cosignatures"
POLICY = "policy"
CERTIFICATE = "certificate.pdf"
VERIFY_TEXTS = ("VERIFY.zh.txt", "VERIFY.en.txt")
OFFLINE_PAGE = "verify.html"
VERIFY_PROGRAMS = ("verify.sh", "verify.py", OFFLINE_PAGE)
ORIGINALS = "originals/"
PACKET = "packet/"
# Folders of files that are anything at all: not limited as texts are, and an archive there is one more closed file.
OPAQUE = (ORIGINALS, PACKET)

# The PDF carries the core bundle, so the sums inside the core bundle cannot cover the PDF; it is signed by itself.
UNSUMMED = frozenset({SUMS, CERTIFICATE})

_NAME = re.compile("(?:[A-Za-z0-9][A-Za-z0-9_-]{0,31}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_EXTENSION = re.compile("[a-z0-9]{1,8}")
_SUM_LINE = re.compile("([0-9a-f]{64})  (.+)")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader is willing to take in: bytes and files. Whoever reads uploads passes smaller ones."""

    archive_bytes: int = 512 * 1024 * 1024
    total_bytes: int = 512 * 1024 * 1024
    text_bytes: int = 2 * 1024 * 1024  # each file outside originals/ and packet/, the PDF excepted
    files: int = 2100  # a claim has at most 2,000 files
    ratio: int = 200  # deflate reaches about 1,000 at most; our texts reach 5


def core_files(
    *,
    entry: bytes,
    parameters: bytes,
    proof: Proof,
    policy: Policy,
    claim: bytes | None = None,
    who: bytes | None = None,
    originals: Mapping[int, tuple[str, bytes]] | None = None,
    cosignatures: bytes = b"",
    times: Mapping[str, bytes] | None = None,
) -> dict[str, bytes]:
    """The files of a core bundle without SHA256SUMS. claim and who only where they are disclosed.

    originals maps the number of a file in the claim, counted from 0, to its name extension and exact bytes.
    cosignatures are further signature lines under the checkpoint. times are the files of outside_time.time_files.
    """
    files = {
        ENTRY: entry,
        PARAMETERS: parameters,
        PROOF: format_proof(proof),
        CHECKPOINT: proof.checkpoint,
        POLICY: format_policy(policy),
    }
    files |= {name: verify_text(name) for name in VERIFY_TEXTS + VERIFY_PROGRAMS}
    files |= times or {}
    if claim is not None:
        files[CLAIM] = claim
    if who is not None:
        files[WHO] = who
    if cosignatures:
        files[COSIGNATURES] = cosignatures
    for number, (extension, data) in (originals or {}).items():
        files[original_name(number, extension)] = data
    return files


def original_name(number: int, extension: str) -> str:
    """The name of a disclosed file: file 0 of the claim is originals/0001.<extension>."""
    if not _EXTENSION.fullmatch(extension):
        raise BundleName("an extension has 1 to 8 small letters and digits", actual=extension)
    return f"{ORIGINALS}{number + 1:04d}.{extension}"


def verify_text(name: str) -> bytes:
    """The instructions and programs for checking a bundle without us, as they go into every bundle."""
    return resources.files("ledger.tlog").joinpath("data", name).read_bytes()


# SHA256SUMS


def format_sums(files: Mapping[str, bytes]) -> bytes:
    """The text of SHA256SUMS as `sha256sum -c` reads it: every file but itself and the certificate, sorted by name."""
    names = sorted(name for name in files if name not in UNSUMMED)
    return "".join(f"{sha256(files[name]).hexdigest()}  {name}\n" for name in names).encode("ascii")


def parse_sums(data: bytes) -> dict[str, bytes]:
    """File name to 32-byte digest, or SumsSyntax unless the text is exactly as format_sums writes it."""
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise SumsSyntax("not ASCII") from error
    if lines.pop() != "":
        raise SumsSyntax("the last line has no newline")
    sums: dict[str, bytes] = {}
    for number, line in enumerate(lines, start=1):
        match = _SUM_LINE.fullmatch(line)
        if match is None or not _NAME.fullmatch(match.group(2)) or match.group(2) in UNSUMMED:
            raise SumsSyntax(f"line {number}: 64 lower-case hex digits, two spaces, a file name")
        sums[match.group(2)] = bytes.fromhex(match.group(1))
    if list(sums) != sorted(sums) or len(sums) != len(lines):
        raise SumsSyntax("the names are not sorted and unique")
    return sums


# Writing

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_LOCAL_MAGIC, _CENTRAL_MAGIC, _END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_STORED, _DEFLATED = 0, 8
_VERSION = 20
_UNIX = 3 << 8
_MODE = 0o100644 << 16
# ZIP has no time zone and no "unknown"; 1980-01-01 00:00 is its zero.
_TIME, _DATE = 0, 0x21
_MAX_32 = 2**32 - 1


def format_bundle(files: Mapping[str, bytes]) -> bytes:
    """The bundle as ZIP bytes: SHA256SUMS, made here, then the files sorted by name. Equal input, equal bytes."""
    if SUMS in files:
        raise BundleName(f"{SUMS} is made here", actual=SUMS)
    _check_names(list(files))
    members = [(SUMS, format_sums(files)), *((name, files[name]) for name in sorted(files))]
    body: list[bytes] = []
    central: list[bytes] = []
    offset = 0
    for name, data in members:
        header, entry = _headers(name, zlib.crc32(data), len(data), offset)
        central.append(entry)
        body += [header, data]
        offset += len(header) + len(data)
    directory = b"".join(central)
    if offset + len(directory) > _MAX_32 or len(members) > 0xFFFF:
        raise BundleTooLarge("a plain ZIP ends at 4 GiB", expected=_MAX_32, actual=offset + len(directory))
    end = _END.pack(_END_MAGIC, 0, 0, len(members), len(members), len(directory), offset, 0)
    return b"".join([*body, directory, end])


def _headers(name: str, crc: int, size: int, offset: int) -> tuple[bytes, bytes]:
    """The local header and the directory entry of one file, as they are written here."""
    raw = name.encode("ascii")
    common = (_VERSION, 0, _STORED, _TIME, _DATE, crc, size, size, len(raw), 0)
    entry = _CENTRAL.pack(_CENTRAL_MAGIC, _UNIX | _VERSION, *common, 0, 0, 0, _MODE, offset)
    return _LOCAL.pack(_LOCAL_MAGIC, *common) + raw, entry + raw


# Reading


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    entry_at: int  # of its directory entry


def read_bundle(data: bytes, limits: Limits | None = None) -> dict[str, bytes]:
    """File name to bytes, in the order of the archive, or BundleError. Nothing about the content is verified yet."""
    limits = limits or Limits()
    if len(data) > limits.archive_bytes:
        raise BundleTooLarge("the archive is too large", expected=limits.archive_bytes, actual=len(data))
    members, directory_at = _read_directory(data, limits)
    _check_names([member.name for member in members])
    _check_sizes(members, limits)
    files: dict[str, bytes] = {}
    at = 0
    for member in sorted(members, key=lambda member: member.offset):
        start = _check_local_header(data, member, at)
        at = start + member.packed
        if at > directory_at:
            raise BundleOverlap(f"{member.name} runs into the directory", actual=at)
        files[member.name] = _unpack(member, data[start:at])
    if at != directory_at:
        raise BundleOverlap("bytes before the directory belong to no file", expected=directory_at, actual=at)
    _check_spelling(data, members)
    return {member.name: files[member.name] for member in members}


def _check_spelling(data: bytes, members: Sequence[_Member]) -> None:
    """Where one file is written as format_bundle writes, all are: a changed date or version is a change too.

    Whoever packs the files again with another program leaves no header of ours, and is read as before.
    """
    written = [_headers(member.name, member.crc, member.size, member.offset) for member in members]
    kept = [data.startswith(entry, member.entry_at) for member, (_, entry) in zip(members, written, strict=True)]
    if not any(kept):
        return
    for member, (header, _), is_kept in zip(members, written, kept, strict=True):
        if not is_kept or not data.startswith(header, member.offset):
            raise BundleStructure(f"{member.name}: a header was changed after it was written")


def _read_directory(data: bytes, limits: Limits) -> tuple[list[_Member], int]:
    if len(data) < _END.size or data[-_END.size :][:4] != _END_MAGIC:
        raise BundleStructure("not a ZIP that ends with its directory (cut off, extended, or another format)")
    _, disk, start_disk, count_here, count, size, at, comment = _END.unpack_from(data, len(data) - _END.size)
    if (disk, start_disk, comment) != (0, 0, 0) or count_here != count:
        raise BundleStructure("one volume without a comment is expected")
    if count > limits.files:
        raise BundleTooMany("too many files", expected=limits.files, actual=count)
    if at + size != len(data) - _END.size:
        raise BundleStructure("the directory does not reach from its start to the end record")
    members: list[_Member] = []
    position = at
    for _ in range(count):
        member, position = _read_directory_entry(data, position, at + size)
        members.append(member)
    if position != at + size:
        raise BundleStructure("the directory holds more than its files")
    return members, at


def _read_directory_entry(data: bytes, position: int, end: int) -> tuple[_Member, int]:
    if position + _CENTRAL.size > end:
        raise BundleStructure("the directory is cut off")
    fields = _CENTRAL.unpack_from(data, position)
    magic, _, _, flags, method, _, _, crc, packed, size, name_len, extra_len, comment_len, disk, _, _, offset = fields
    if magic != _CENTRAL_MAGIC or disk != 0 or comment_len != 0:
        raise BundleStructure("a directory entry is malformed")
    _check_flags(flags, method)
    name_at = position + _CENTRAL.size
    following = name_at + name_len + extra_len
    if following > end:
        raise BundleStructure("the directory is cut off")
    name = _parse_name(data[name_at : name_at + name_len])
    return _Member(name, method, crc, packed, size, offset, position), following


def _check_flags(flags: int, method: int) -> None:
    if flags & 0x2041:  # encrypted, strongly encrypted, directory masked
        raise BundleEncrypted("a file is encrypted")
    # Allowed: the deflate level (bits 1 and 2) and "names are UTF-8" (bit 11). Bit 3, sizes after the data, would let
    # the header lie about where a file ends.
    if flags & ~0x0806:
        raise BundleStructure("an unknown or unsafe ZIP flag is set", actual=flags)
    if method not in (_STORED, _DEFLATED):
        raise BundleStructure("only stored and deflated files are read", actual=method)


def _parse_name(raw: bytes) -> str:
    try:
        name = raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise BundleName("a name is not ASCII", actual=raw[:100]) from error
    return name


def _check_names(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not _NAME.fullmatch(name):
            raise BundleName("a name is letters, digits, dots, hyphens, in at most one folder", actual=name[:120])
        if name.casefold() in seen:
            raise BundleDuplicate(f"{name} occurs twice", actual=name)
        seen.add(name.casefold())
    folders = {name.partition("/")[0].casefold() for name in names if "/" in name}
    clash = sorted(folders & seen)
    if clash:
        raise BundleDuplicate(f"{clash[0]} is both a file and a folder", actual=clash[0])


def _check_sizes(members: Sequence[_Member], limits: Limits) -> None:
    total = sum(member.size for member in members)
    if total > limits.total_bytes:
        raise BundleTooLarge("the files together are too large", expected=limits.total_bytes, actual=total)
    for member in members:
        exempt = member.name.startswith(OPAQUE) or member.name == CERTIFICATE
        if not exempt and member.size > limits.text_bytes:
            raise BundleTooLarge(f"{member.name} is too large", expected=limits.text_bytes, actual=member.size)
        if member.size > member.packed * limits.ratio + 1024:
            raise BundleRatio(f"{member.name} grows too much", expected=limits.ratio, actual=member.size)


def _check_local_header(data: bytes, member: _Member, at: int) -> int:
    """Where the file's bytes start. The header in front of them has to say what the directory says."""
    if member.offset != at:
        raise BundleOverlap(f"{member.name} does not start where the file before it ends", expected=at)
    if at + _LOCAL.size > len(data):
        raise BundleStructure(f"{member.name}: the header is cut off")
    magic, _, flags, method, _, _, crc, packed, size, name_len, extra_len = _LOCAL.unpack_from(data, at)
    name_at = at + _LOCAL.size
    raw = data[name_at : name_at + name_len]
    if magic != _LOCAL_MAGIC or raw != member.name.encode("ascii"):
        raise BundleStructure(f"{member.name}: header and directory name different files")
    _check_flags(flags, method)
    if (method, crc, packed, size) != (member.method, member.crc, member.packed, member.size):
        raise BundleStructure(f"{member.name}: header and directory disagree")
    return int(name_at + name_len + extra_len)


def _unpack(member: _Member, packed: bytes) -> bytes:
    if len(packed) != member.packed:
        raise BundleCorrupt(f"{member.name} is cut off", expected=member.packed, actual=len(packed))
    content = packed if member.method == _STORED else _inflate(member, packed)
    if len(content) != member.size or zlib.crc32(content) != member.crc:
        raise BundleCorrupt(f"{member.name} does not fit its own length and CRC")
    if content[:4] == _LOCAL_MAGIC and not member.name.startswith(OPAQUE):
        raise BundleNested(f"{member.name} is itself an archive")
    return content


def _inflate(member: _Member, packed: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # Asking for one byte more than announced shows a file that lies about its size without unpacking it all.
        content = inflater.decompress(packed, member.size + 1)
    except zlib.error as error:
        raise BundleCorrupt(f"{member.name}: {error}") from error
    if not inflater.eof or inflater.unused_data or inflater.unconsumed_tail:
        raise BundleCorrupt(f"{member.name} does not end where it says")
    return content
