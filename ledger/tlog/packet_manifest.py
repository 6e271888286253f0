"""The manifest of a complaint packet: the digest of every file, and in which part it lies. Format: docs/spec/packet.md."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.tlog.errors import ManifestSyntax

FORMAT = "originmark-packet"
VERSION = 1
MAX_FILES = 2000
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile("[0-9a-f]{64}")
_FILE_KEYS = {"name": str, "role": str, "mime": str, "size": int, "sha256": str, "part": int}


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file: its name inside packet/, what it is, SHA-256 as hex, size in bytes, and the part it lies in, from 1."""

    name: str
    role: str
    mime: str
    size: int
    sha256: str
    part: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a packet consists of. created: UTC text; parts: how many ZIP files."""

    packet: str
    target: str
    purpose: str
    language: str
    created: str
    parts: int
    files: tuple[ManifestFile, ...]


def format_manifest(manifest: Manifest) -> bytes:
    """The bytes that the claim commits to: ASCII, indented, files in their order."""
    document = {
        "format": FORMAT,
        "v": VERSION,
        "packet": manifest.packet,
        "target": manifest.target,
        "purpose": manifest.purpose,
        "language": manifest.language,
        "created": manifest.created,
        "parts": manifest.parts,
        "files": [{key: getattr(file, key) for key in _FILE_KEYS} for file in manifest.files],
    }
    return (json.dumps(document, indent=1) + "\n").encode("ascii")


def parse_manifest(data: bytes) -> Manifest:
    """The manifest behind these bytes, or ManifestSyntax unless they are exactly as format_manifest writes them."""
    try:
        document = json.loads(data.decode("ascii"))
        manifest = _read(document)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ManifestSyntax(f"not a manifest of version {VERSION}: {error}") from error
    if format_manifest(manifest) != data:
        raise ManifestSyntax("not spelled as a manifest is")
    return manifest


def _read(document: Any) -> Manifest:
    if (document["format"], document["v"]) != (FORMAT, VERSION):
        raise ValueError("another format or version")
    parts = document["parts"]
    files = _files(document["files"], parts)
    texts = {name: document[name] for name in ("packet", "target", "purpose", "language", "created")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("a field is no text")
    return Manifest(**texts, parts=parts, files=files)


def _files(rows: Sequence[Any], parts: int) -> tuple[ManifestFile, ...]:
    if type(parts) is not int or parts < 1 or not isinstance(rows, list) or len(rows) > MAX_FILES:
        raise ValueError("parts or files")
    for row in rows:
        if row.keys() != _FILE_KEYS.keys() or any(type(row[key]) is not kind for key, kind in _FILE_KEYS.items()):
            raise ValueError("a file's fields")
        if not _NAME.fullmatch(row["name"]) or not _SHA256.fullmatch(row["sha256"]) or not 1 <= row["part"] <= parts:
            raise ValueError(f"file {row['name']}")
    if len({row["name"].casefold() for row in rows}) != len(rows):
        raise ValueError("a name occurs twice")
    return tuple(ManifestFile(**row) for row in rows)
