"""States that a disk may be in after the power failed, built from a record of what was written (tests/faults/shim.c).

A disk keeps what was synced. Of what was written since, each 512-byte sector may be there or not, in any order; of
creations, renames and removals in a folder since its sync, those up to some moment. That is more than real disks and file
systems do, and all that SQLite and our own files may rely on. Sectors are not mixed inside.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HEAD = struct.Struct("<c3xIIxxxxq")
SECTOR = 512


@dataclass(frozen=True, slots=True)
class Event:
    """kind: W write, S sync, R rename, U unlink, T truncate, D mkdir, A a mark of the program's own."""

    kind: str
    path: str
    data: bytes
    offset: int


def read_events(log: Path) -> list[Event]:
    content, place, found = log.read_bytes(), 0, []
    while place < len(content):
        kind, path_size, data_size, offset = HEAD.unpack_from(content, place)
        place += HEAD.size
        path = content[place : place + path_size].decode()
        data = content[place + path_size : place + path_size + data_size]
        place += path_size + data_size
        found.append(Event(kind.decode(), path, data, offset))
    return found


@dataclass(slots=True)
class _File:
    """What is safe of one file, and what was done to it since."""

    synced: bytes = b""
    since: list[Event] = field(default_factory=list)


@dataclass(slots=True)
class Disk:
    """Files by number, names by folder; names change at once in memory, and safely when the folder is synced."""

    files: dict[int, _File] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)  # as running programs see them
    safe_names: dict[str, int] = field(default_factory=dict)
    pending: list[tuple[str, str, int | None]] = field(default_factory=list)  # folder, path, file or None for gone
    folders: set[str] = field(default_factory=set)

    def apply(self, event: Event) -> None:
        if event.kind in "WT":
            number = self.names.get(event.path)
            if number is None:
                number = len(self.files)
                self.files[number] = _File()
                self._name(event.path, number)
            self.files[number].since.append(event)
        elif event.kind == "S":
            if event.path in self.names:
                file = self.files[self.names[event.path]]
                file.synced, file.since = _with(file.synced, file.since), []
                # A new file that is synced is found again: SQLite and common file systems rely on it for their journals.
                self._settle(path=event.path)
            else:
                self._settle(folder=event.path)
        elif event.kind == "R":
            number = self.names.pop(event.path, None)
            target = event.data.decode()
            self.pending.append((_folder(event.path), event.path, None))
            if number is not None:
                self._name(target, number)
        elif event.kind == "U":
            self.names.pop(event.path, None)
            self.pending.append((_folder(event.path), event.path, None))
        elif event.kind == "D":
            self.folders.add(event.path)

    def _name(self, path: str, number: int) -> None:
        self.names[path] = number
        self.pending.append((_folder(path), path, number))

    def _settle(self, *, folder: str = "", path: str = "") -> None:
        rest = []
        for change in self.pending:
            if change[0] == folder or (path and change[1] == path and change[2] is not None):
                self._change(self.safe_names, change)
            else:
                rest.append(change)
        self.pending = rest

    @staticmethod
    def _change(names: dict[str, int], change: tuple[str, str, int | None]) -> None:
        if change[2] is None:
            names.pop(change[1], None)
        else:
            names[change[1]] = change[2]

    def after_power_cut(self, draw: random.Random) -> dict[str, bytes]:
        """One state: path to content."""
        names = dict(self.safe_names)
        for change in self.pending[: draw.randrange(len(self.pending) + 1)]:
            self._change(names, change)
        return {path: self._content(draw, self.files[number]) for path, number in names.items()}

    @staticmethod
    def _content(draw: random.Random, file: _File) -> bytes:
        how = draw.randrange(4)
        if how == 0 or not file.since:
            return file.synced
        if how == 1:
            return _with(file.synced, file.since)
        if how == 2:  # in order up to a moment, and the next write torn
            until = draw.randrange(len(file.since))
            return _with(file.synced, [*file.since[:until], *_torn(draw, file.since[until], 0.5)])
        return _with(file.synced, [piece for event in file.since for piece in _torn(draw, event, 0.7)])


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _with(content: bytes, events: list[Event]) -> bytes:
    out = bytearray(content)
    for event in events:
        if event.kind == "T":
            del out[event.offset :]
            out.extend(bytes(event.offset - len(out)))
            continue
        out.extend(bytes(max(0, event.offset - len(out))))
        out[event.offset : event.offset + len(event.data)] = event.data
    return bytes(out)


def _torn(draw: random.Random, event: Event, share: float) -> Iterator[Event]:
    """Those sectors of a write that reached the disk."""
    if event.kind == "T":
        if draw.random() < share:
            yield event
        return
    start, end = event.offset, event.offset + len(event.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        if draw.random() < share:
            yield Event("W", event.path, event.data[start - event.offset : stop - event.offset], start)
        start = stop


def states(events: list[Event], count: int, seed: int) -> Iterator[tuple[int, list[str], dict[str, bytes]]]:
    """count states: (events passed, marks made until then, files). Moments are spread evenly, contents drawn."""
    draw = random.Random(seed)
    first = next(number for number, event in enumerate(events) if event.kind == "A")
    moments = sorted(first + int((len(events) - first) * (number + draw.random()) / count) for number in range(count))
    disk, marks, passed = Disk(), [], 0
    for moment in moments:
        while passed < moment:
            disk.apply(events[passed])
            if events[passed].kind == "A":
                marks.append(events[passed].path)
            passed += 1
        yield passed, list(marks), disk.after_power_cut(draw)
