"""How parent and child talk: the job travels as one open file, the answer as one frame on the socket.

A job is an anonymous file (JSON head, then blobs) whose descriptor is sent with sixteen bytes of lengths. Sending it
never waits for the child to read, however large the picture, so the parent can queue work ahead without threads and
without the two ends ever waiting for each other. The answer is JSON plus blobs behind a length. No pickle anywhere.
"""

import json
import os
import socket
import struct
import tempfile
from collections.abc import Sequence
from typing import Any

JOB_HEADER = struct.Struct(">QQ")  # length of the JSON head; length of the whole file
REPLY_HEADER = struct.Struct(">Q")  # length of the JSON head; the head lists the blobs' lengths
MAX_HEAD_BYTES = 16 << 20
MAX_REPLY_BYTES = 256 << 20

Blob = bytes | bytearray | memoryview


class ProtocolError(Exception):
    """The other end sent what no healthy end would send."""


def write_job(operation: str, blobs: Sequence[Blob], params: dict[str, Any]) -> tuple[int, bytes]:
    """An open descriptor holding the job, and the header to send with it. The caller closes the descriptor."""
    sizes = [memoryview(blob).nbytes for blob in blobs]
    head = json.dumps({"operation": operation, "params": params, "sizes": sizes}).encode()
    descriptor = _anonymous_file()
    try:
        for part in (head, *blobs):
            view = memoryview(part).cast("B")
            while view:
                view = view[os.write(descriptor, view) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, JOB_HEADER.pack(len(head), len(head) + sum(sizes))


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("picture", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def send_job(connection: socket.socket, descriptor: int, header: bytes) -> None:
    """Hand the job over. Sixteen bytes always fit: the parent keeps only a few jobs waiting at one child."""
    socket.send_fds(connection, [header], [descriptor])


def receive_job(connection: socket.socket) -> tuple[str, dict[str, Any], list[bytes]] | None:
    """(operation, params, blobs) of the next job, or None when the parent has gone."""
    header, descriptors, _flags, _address = socket.recv_fds(connection, JOB_HEADER.size, 1)
    if not header:
        return None
    while len(header) < JOB_HEADER.size:
        more = connection.recv(JOB_HEADER.size - len(header))
        if not more:
            return None
        header += more
    head_bytes, total = JOB_HEADER.unpack(header)
    try:
        head = json.loads(_read_at(descriptors[0], 0, head_bytes))
        blobs, position = [], head_bytes
        for size in head["sizes"]:
            blobs.append(_read_at(descriptors[0], position, size))
            position += size
    finally:
        os.close(descriptors[0])
    if position != total:
        raise ProtocolError(f"{position} bytes described, {total} sent")
    return head["operation"], head["params"], blobs


def _read_at(descriptor: int, position: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.pread(descriptor, size, position)
        if not part:
            raise ProtocolError("job cut short")
        parts.append(part)
        position, size = position + len(part), size - len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def send_reply(connection: socket.socket, fields: dict[str, Any], blobs: Sequence[bytes]) -> None:
    """The child's answer; blocks until the parent reads when it is larger than the socket's buffer."""
    head = json.dumps({"fields": fields, "sizes": [len(blob) for blob in blobs]}).encode()
    connection.sendall(b"".join((REPLY_HEADER.pack(len(head)), head, *blobs)))


class ReplyReader:
    """Collects one answer out of whatever pieces arrive. Every length is checked before memory is given to it."""

    __slots__ = ("_buffer", "_head", "_wanted")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head: dict[str, Any] | None = None
        self._wanted = REPLY_HEADER.size

    @property
    def missing(self) -> int:
        """How many bytes may be read without running into the next answer."""
        return self._wanted - len(self._buffer)

    def feed(self, piece: bytes) -> tuple[dict[str, Any], list[bytes]] | None:
        """(fields, blobs) once complete, else None; ProtocolError for an answer no healthy child gives."""
        self._buffer += piece
        while len(self._buffer) >= self._wanted:
            if self._head is None and self._wanted == REPLY_HEADER.size:
                (head_bytes,) = REPLY_HEADER.unpack(self._buffer)
                if not 0 < head_bytes <= MAX_HEAD_BYTES:
                    raise ProtocolError(f"head of {head_bytes} bytes")
                self._wanted += head_bytes
            elif self._head is None:
                self._head = _parse_head(bytes(self._buffer[REPLY_HEADER.size :]))
                self._wanted += sum(self._head["sizes"])
            else:
                return self._finish(self._head)
        return None

    def _finish(self, head: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        position = self._wanted - sum(head["sizes"])
        blobs = []
        for size in head["sizes"]:
            blobs.append(bytes(self._buffer[position : position + size]))
            position += size
        self.__init__()  # type: ignore[misc]
        return head["fields"], blobs


def _parse_head(text: bytes) -> dict[str, Any]:
    try:
        head = json.loads(text)
        sizes = head["sizes"]
        sound = isinstance(head["fields"], dict) and all(type(size) is int and size >= 0 for size in sizes)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ProtocolError("unreadable head") from error
    if not sound or sum(sizes) > MAX_REPLY_BYTES:
        raise ProtocolError("head with wrong types or sizes")
    return dict(head)
