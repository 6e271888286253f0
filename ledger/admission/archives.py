"""The policy for archives: a ZIP whose directory, local headers and contents tell one story. Runs in the limited child.

Names are labels and nothing is ever written to a path they name; a name that leads elsewhere is refused all the same,
because the next program may not be as careful. What the directory promises is checked before anything is unpacked, and
counted while unpacking. Format: APPNOTE.TXT 6.3.10.
"""

import io
import stat
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import PurePosixPath
from struct import Struct
from typing import IO

from ledger.admission.kinds import ZIP_MAGICS
from ledger.admission.verdict import FileRefused

MAX_MEMBERS = 2_000
MAX_UNPACKED_BYTES = 2 << 30
MAX_RATIO = 200  # photos hardly shrink; deflate's own limit is about 1,000
RATIO_FREE_BYTES = 64 << 10  # a small text may shrink as it likes
DIRECTORY_MAGIC = b"PK\x01\x02"
LOCAL = Struct("<4s5H3I2H")  # signature, version, flags, method, time, date, CRC, packed, unpacked, name, extra
LOCAL_MAGIC = b"PK\x03\x04"
SIZES_FOLLOW = 0x8
LARGE = 0xFFFFFFFF
ENCRYPTED = 0x1 | 0x40 | 0x2000  # the password's bit, strong encryption, a masked directory
# What every program writes. LZMA may ask for a dictionary of 4 GiB before it has unpacked a byte.
METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
ARCHIVE_SUFFIXES = frozenset({".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".jar", ".apk"})
PROGRAM_SUFFIXES = frozenset(
    {
        *(
            ".exe",
            ".dll",
            ".com",
            ".scr",
            ".msi",
            ".bat",
            ".cmd",
            ".ps1",
            ".vbs",
            ".js",
            ".jse",
            ".wsf",
            ".hta",
            ".lnk",
        ),
        *(".sh", ".py", ".php", ".pl", ".rb", ".app", ".dmg", ".deb", ".rpm", ".so"),
    }
)
# First bytes of a member that make it another archive or a program, whatever its name says.
NESTED_MAGICS = (*ZIP_MAGICS, b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c")
PROGRAM_MAGICS = (b"MZ", b"\x7fELF", b"#!", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe")
REGULAR_MODES = frozenset({0, stat.S_IFREG, stat.S_IFDIR})
# What zipfile, gzip and zlib raise for what cannot be unpacked; RuntimeError: a password, or a method nobody knows.
UNPACK_FAULTS = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError, ValueError)
CHUNK = 1 << 18
# Contents are counted at the gate for this long; what is left is counted when it is taken out (services/archives.py).
PATIENCE_S = 1.2


def admit_archive(data: bytes, clock: Callable[[], float] = time.process_time) -> tuple[str, ...]:
    """The flags of an archive that may come in, or FileRefused.

    not_all_counted: the contents are so large that only the first part was unpacked here.
    """
    if not data:
        raise FileRefused("empty_file")
    if not data.startswith(ZIP_MAGICS):
        raise FileRefused("unsupported_type", "not a zip")
    with open_directory(data) as archive:
        return _count_contents(archive, clock)


def open_directory(source: bytes | IO[bytes], max_members: int = MAX_MEMBERS) -> zipfile.ZipFile:
    """The archive, once its directory and local headers are within the limits; FileRefused names the first that is not.

    A file stays open, and is read where the archive says and nowhere else at a time.
    """
    file: IO[bytes] = io.BytesIO(source) if isinstance(source, bytes) else source
    if _directory_records(file) > max_members:  # before millions of records are read into memory
        raise FileRefused("zip_too_many", f"> {max_members}")
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError, UnicodeError) as error:
        raise FileRefused("corrupt_zip", str(error)[:120]) from error
    try:
        _check_members(file, archive.infolist())
    except FileRefused:
        archive.close()
        raise
    return archive


def _directory_records(file: IO[bytes]) -> int:
    """How many records the directory may have at most, counted by their first bytes wherever they stand."""
    file.seek(0)
    count, kept = 0, b""
    while chunk := file.read(CHUNK):
        chunk = kept + chunk
        count += chunk.count(DIRECTORY_MAGIC)
        kept = chunk[1 - len(DIRECTORY_MAGIC) :]
    return count


def _check_members(file: IO[bytes], members: list[zipfile.ZipInfo]) -> None:
    if not members:
        raise FileRefused("zip_empty")
    for member in members:
        _check_path(member)
        _check_member(member)
    names = [unicodedata.normalize("NFC", member.filename).casefold().rstrip("/") for member in members]
    if len(set(names)) != len(names):
        raise FileRefused("duplicate_member")
    _check_sizes(members)
    _check_spans(file, members)


def _label(name: str) -> str:
    """A name as it may stand in a message: printable ASCII, not longer than 80."""
    return ascii(name)[1:-1][:80]


def _check_path(member: zipfile.ZipInfo) -> None:
    """A label has to stay a label: relative, downwards, without what a system gives a meaning of its own."""
    raw = getattr(member, "orig_filename", member.filename)
    name = raw.replace("\\", "/")
    parts = name.split("/")
    is_rooted = name.startswith("/") or (len(name) > 1 and name[1] == ":")
    if is_rooted or ".." in parts or any(ord(character) < 32 or character == "\x7f" for character in raw):
        raise FileRefused("unsafe_path", _label(raw))


def _check_member(member: zipfile.ZipInfo) -> None:
    name = _label(member.filename)
    if member.flag_bits & ENCRYPTED:
        raise FileRefused("encrypted", name)
    # The upper half of the attributes is a Unix mode only where a Unix program wrote them; others leave it empty.
    if stat.S_IFMT(member.external_attr >> 16) not in REGULAR_MODES:
        raise FileRefused("unsafe_member", name)
    if member.compress_type not in METHODS:
        raise FileRefused("unsupported_member", f"{name}: method {member.compress_type}")
    suffix = PurePosixPath(member.filename.lower()).suffix
    if suffix in ARCHIVE_SUFFIXES:
        raise FileRefused("zip_nested", name)
    if suffix in PROGRAM_SUFFIXES:
        raise FileRefused("unsupported_member", name)


def _check_sizes(members: list[zipfile.ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    if total > MAX_UNPACKED_BYTES:
        raise FileRefused("zip_too_large", f"{total} > {MAX_UNPACKED_BYTES}")
    for member in members:
        if member.file_size > RATIO_FREE_BYTES and member.file_size > MAX_RATIO * max(1, member.compress_size):
            raise FileRefused("zip_ratio", _label(member.filename))


def _check_spans(file: IO[bytes], members: list[zipfile.ZipInfo]) -> None:
    """Every member has bytes of its own, behind a local header that says what the directory says."""
    _refuse_overlap(
        [(member.header_offset, member.header_offset + LOCAL.size + member.compress_size) for member in members]
    )
    spans, end = [], file.seek(0, io.SEEK_END)
    for member in members:
        start = member.header_offset
        header = _read_at(file, start, LOCAL.size) if start >= 0 else b""
        if len(header) < LOCAL.size or not header.startswith(LOCAL_MAGIC):
            raise FileRefused("corrupt_zip", "local header")
        _, _, flags, method, _, _, _, packed, unpacked, name_bytes, extra_bytes = LOCAL.unpack(header)
        body = start + LOCAL.size + name_bytes + extra_bytes
        name = file.read(name_bytes)
        if flags & ENCRYPTED:
            raise FileRefused("encrypted", _label(member.filename))
        if method != member.compress_type or name != _name_bytes(member) or body + member.compress_size > end:
            raise FileRefused("corrupt_zip", "local header")
        # Sizes behind the data, and those of ZIP64, are not told here.
        is_told = not flags & SIZES_FOLLOW and LARGE not in (packed, unpacked)
        if is_told and (packed, unpacked) != (member.compress_size, member.file_size):
            raise FileRefused("zip_size_mismatch", _label(member.filename))
        spans.append((start, body + member.compress_size))
    _refuse_overlap(spans)


def _read_at(file: IO[bytes], place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _refuse_overlap(spans: list[tuple[int, int]]) -> None:
    if any(end > start for (_, end), (start, _) in pairwise(sorted(spans))):
        raise FileRefused("zip_overlap")


def _name_bytes(member: zipfile.ZipInfo) -> bytes:
    """The name as it stands in the file; zipfile reads one without the UTF-8 flag as code page 437."""
    return str(getattr(member, "orig_filename", member.filename)).encode(
        "utf-8" if member.flag_bits & 0x800 else "cp437"
    )


def _count_contents(archive: zipfile.ZipFile, clock: Callable[[], float]) -> tuple[str, ...]:
    since = clock()
    for member in archive.infolist():
        if not _count(archive, member, lambda: clock() - since > PATIENCE_S):
            return ("not_all_counted",)
    return ()


def _count(archive: zipfile.ZipFile, member: zipfile.ZipInfo, is_late: Callable[[], bool]) -> bool:
    """Unpack one member without keeping it: length and CRC have to be those of the directory. False when time is up."""
    found = 0
    try:
        with archive.open(member) as file:
            while chunk := file.read(CHUNK):
                if not found:
                    _refuse_by_magic(chunk, member)
                found += len(chunk)
                if is_late():
                    return False
    except UNPACK_FAULTS as error:
        raise FileRefused("corrupt_zip", str(error)[:120]) from error
    if found != member.file_size:
        raise FileRefused("zip_size_mismatch", f"{found}, not {member.file_size}")
    return True


def _refuse_by_magic(first: bytes, member: zipfile.ZipInfo) -> None:
    name = _label(member.filename)
    if first.startswith(NESTED_MAGICS):
        raise FileRefused("zip_nested", name)
    if first.startswith(PROGRAM_MAGICS):
        raise FileRefused("unsupported_member", name)
