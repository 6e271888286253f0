"""One change after another to a sound log, each looked for by the audit and taken back.

Rows are changed past the triggers, as only the owner of the database can. A change knows which entry it is about: the audit
has to name that one as the first wrong entry. None means that it is about no entry (the head, a checkpoint, a file).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import django
from django.db import connection, transaction


@dataclass(slots=True)
class Row:
    """What became of one kind of change."""

    changes: int = 0
    named: int = 0
    misnamed: int = 0
    missed: int = 0


@dataclass(slots=True)
class Tally:
    kinds: dict[str, Row] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    sound: int = 0
    false_alarms: int = 0

    def _sum(self, name: str) -> int:
        return sum(getattr(row, name) for row in self.kinds.values())

    @property
    def changes(self) -> int:
        return self._sum("changes")

    @property
    def named(self) -> int:
        return self._sum("named")

    @property
    def misnamed(self) -> int:
        return self._sum("misnamed")

    @property
    def missed(self) -> int:
        return self._sum("missed")

    @property
    def is_clean(self) -> bool:
        return self.changes > 0 and not (self.misnamed or self.missed or self.false_alarms)


def run_on_own_site(*, count: int, seed: int) -> Tally:
    """On an empty SQLite site, whose directories the environment names."""
    django.setup()
    # What needs Django to be set up.
    from ledger.services.setup import prepare
    from tests.factories import make_seller
    from tests.tamper.changes import make_site

    prepare()
    return run(make_site(make_seller("acme")), count=count, seed=seed)


def run(site: Any, *, count: int, seed: int, sound_every: int = 100) -> Tally:
    """count changes, the kinds in turn."""
    draw = random.Random(seed)
    tally = Tally()
    kinds = list(site.changes)
    for number in range(count):
        if number % sound_every == 0:
            tally.sound += 1
            tally.false_alarms += not site.is_sound()
        name = kinds[number % len(kinds)]
        row = tally.kinds.setdefault(name, Row())
        row.changes += 1
        with undone():
            what, expected, found = site.changes[name](draw)
        if found is None:
            row.missed += 1
            tally.problems.append(f"{name}: {what}: not noticed")
        elif found != expected:
            row.misnamed += 1
            tally.problems.append(f"{name}: {what}: named entry {found}, changed was {expected}")
        else:
            row.named += 1
    return tally


class _UndoError(Exception):
    pass


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is done to the database inside is gone afterwards."""
    try:
        with transaction.atomic():
            yield
            raise _UndoError
    except _UndoError:
        pass


def execute(statement: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
