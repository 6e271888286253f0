"""What an erasure takes with it, and who has to do with it: every app names its own rows here.

The ledger knows originals, their files and statements. Apps above it register what they keep of a picture, as they
register jobs and chores; so nothing below has to name them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db import models

from ledger.accounts.models import Seller


@dataclass(slots=True)
class Plan:
    """Everything of one seller that goes when some originals go. Sets of primary keys, which participants add to.

    words: names and digests as text; what other rows say with them goes as well. lost: counts for people, by kind.
    """

    seller: Seller
    originals: set[int] = field(default_factory=set)
    images: set[int] = field(default_factory=set)
    statements: set[int] = field(default_factory=set)
    blobs: set[UUID] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    lost: Counter[str] = field(default_factory=Counter)

    def size(self) -> int:
        """Grows as long as somebody still adds."""
        return len(self.originals) + len(self.images) + len(self.statements) + len(self.blobs)

    def add_words(self, words: Iterable[str]) -> None:
        self.words.update(word for word in words if word)


@dataclass(frozen=True, slots=True)
class Participant:
    """One app's part. collect adds to the plan and is called until nothing is added; erase blanks the app's rows inside
    the erasing transaction; clean removes what the app keeps in files of a seller, after commit, and is safe to repeat.
    tables are rewritten afterwards where the database keeps old rows.
    """

    name: str
    collect: Callable[[Plan], None]
    erase: Callable[[Plan], None]
    clean: Callable[[int], None]
    tables: tuple[type[models.Model], ...]


PARTICIPANTS: dict[str, Participant] = {}


def take_part(participant: Participant) -> None:
    """Register an app's part under its name; called when apps are loaded."""
    PARTICIPANTS[participant.name] = participant
