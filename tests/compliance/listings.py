"""Plain functions for tests of searches and catalogues: feeds, imports, finished searches, work that is waiting."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from compliance.catalogues.feed import Feed, read_feed
from compliance.models import SearchRun
from compliance.services.catalogues import PictureNotFoundError, RowOutcome, find_or_create_catalogue, import_rows
from compliance.services.search import Question, run_search, start_search
from ledger.accounts.models import Seller, User
from ledger.models import Job, JobState, Original
from ledger.services.jobs import run_job
from ledger.services.originals import Upload
from tests.images import jpeg_bytes, product_photo

SIZE = (480, 600)  # small, so that decoding hundreds of them stays cheap

Row = Mapping[str, str]


def photo(seed: int) -> bytes:
    return jpeg_bytes(product_photo(seed, SIZE))


def copy_of(seed: int, quality: int = 60) -> bytes:
    """The same picture saved again, worse."""
    return jpeg_bytes(product_photo(seed, SIZE), quality=quality)


def feed_bytes(*rows: Row, encoding: str = "utf-8") -> bytes:
    """A CSV with the columns that any of the rows has."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode(encoding)


def feed_of(*rows: Row) -> Feed:
    return read_feed(feed_bytes(*rows))


def import_listings(
    seller: Seller, *rows: Row, pictures: Mapping[str, bytes], name: str = "feed", actor: User | None = None
) -> list[RowOutcome]:
    """Import rows with pictures held in memory; nothing is analysed yet."""

    def read(file: str) -> bytes:
        if file not in pictures:
            raise PictureNotFoundError(file)
        return pictures[file]

    catalogue = find_or_create_catalogue(actor=actor, seller=seller, name=name)
    return list(import_rows(actor=actor, catalogue=catalogue, feed=feed_of(*rows), read_picture=read))


def work() -> None:
    """Do what the workers would, until nothing is waiting."""
    while waiting := list(Job.objects.filter(state=JobState.QUEUED).order_by("pk")):
        for job in waiting:
            run_job(job.pk)


def ask(
    seller: Seller,
    content: bytes | None = None,
    *,
    original: Original | None = None,
    question: Question | None = None,
    actor: User | None = None,
    name: str = "query.jpg",
) -> SearchRun:
    """An answered search."""
    run = start_search(
        actor=actor,
        seller=seller,
        question=question or Question(),
        upload=Upload(name, content) if content is not None else None,
        original=original,
        enqueue=False,
    )
    return run_search(run.pk)


def found(run: SearchRun) -> list[str]:
    """What the candidates are called, best first: product id or proof number."""
    return [row.facts["ref"] for row in run.candidates.all()]


def matches(run: SearchRun) -> list[str]:
    """Those at the threshold or above."""
    return [row.facts["ref"] for row in run.candidates.all() if row.score >= run.threshold]
