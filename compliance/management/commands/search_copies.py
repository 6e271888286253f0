"""Find copies of pictures from the command line; the search runs here, with or without the server.

Pictures that were registered or imported but not analysed yet are analysed first, so the answer covers everything
(--no-wait searches only what is ready). With --json one line per picture: {file, number, verdict, searched,
candidates: [{rank, score, verdict, ref, kind, title, listed_at, shop_country, url, registered}], seq, took_ms} or
{file, error: {code, message}}.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.utils.translation import gettext

from compliance.models import Candidate, Scope, SearchRun
from compliance.search.texts import verdict_text
from compliance.services.feature_index import is_seal_due, seal_segments
from compliance.services.gallery import update_gallery
from compliance.services.search import (
    THRESHOLD_DEFAULT,
    THRESHOLD_MAX,
    THRESHOLD_MIN,
    Question,
    run_search,
    start_search,
    waiting_pictures,
)
from ledger.accounts.models import Seller
from ledger.categories import load_categories
from ledger.error_texts import error_text
from ledger.imaging.errors import ImagingError
from ledger.services.files import read_capped
from ledger.services.job_context import JobError
from ledger.services.originals import Upload
from ledger.services.pictures import analyse_pictures
from ledger.services.setup import prepare

ANALYSED_AT_ONCE = 32
UNREADABLE = "search.file_unreadable"


class Command(BaseCommand):
    help = "Search one seller's originals and catalogues for copies of pictures."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
        parser.add_argument("--seller", required=True, metavar="SLUG")
        parser.add_argument("--scope", default=Scope.ALL.value, choices=Scope.values)
        parser.add_argument("--threshold", type=int, default=THRESHOLD_DEFAULT, metavar="50..100")
        parser.add_argument("--category", default="", choices=["", *_category_slugs()], metavar="SLUG")
        parser.add_argument("--no-wait", action="store_true", help="do not analyse waiting pictures first")
        parser.add_argument("--json", action="store_true", help="one JSON line per picture")

    def handle(self, *args: Any, images: list[Path], seller: str, **options: Any) -> None:
        if not THRESHOLD_MIN <= options["threshold"] <= THRESHOLD_MAX:
            raise CommandError(f"--threshold is a number from {THRESHOLD_MIN} to {THRESHOLD_MAX}")
        question = Question(options["scope"], options["threshold"], options["category"])
        prepare()
        tenant = Seller.objects.filter(slug=seller).first()
        if tenant is None:
            raise CommandError(f"there is no seller {seller}")
        if not options["no_wait"]:
            self._catch_up(tenant)
        for path in _files(images):
            answer = _search(tenant, question, path)
            self.stdout.write(json.dumps(answer, ensure_ascii=False) if options["json"] else _text(answer))
            self.stdout.flush()

    def _catch_up(self, seller: Seller) -> None:
        """Do what the workers would; when they run too, both finish sooner and nothing is done twice."""
        waiting = list(waiting_pictures(seller).order_by("pk").values_list("pk", flat=True))
        if waiting:
            self.stderr.write(f"Analysing {len(waiting)} new pictures first.")
        for start in range(0, len(waiting), ANALYSED_AT_ONCE):
            portion = waiting[start : start + ANALYSED_AT_ONCE]
            analyse_pictures(image_ids=portion)
            update_gallery(seller=seller, image_ids=portion)
        if is_seal_due(seller):
            seal_segments(seller=seller)  # so that the next command opens a file instead of reading every blob


def _category_slugs() -> list[str]:
    return [category.slug for category in load_categories()]


def _files(paths: list[Path]) -> Iterator[Path]:
    """The files named, and those inside the folders named, in a stable order; hidden files are left out."""
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        else:
            yield path


def _search(seller: Seller, question: Question, path: Path) -> dict[str, Any]:
    try:
        upload = Upload(path.name, read_capped(path, settings.UPLOAD_MAX_BYTES))
        run = start_search(actor=None, seller=seller, question=question, upload=upload, enqueue=False)
        run = run_search(run.pk)
    except OSError:
        return _failure(path, UNREADABLE)
    except (ImagingError, JobError) as error:
        return _failure(path, error.code)
    return {"file": str(path)} | _answer(run)


def _failure(path: Path, code: str) -> dict[str, Any]:
    return {"file": str(path), "error": {"code": code, "message": str(error_text(code).title)}}


def _answer(run: SearchRun) -> dict[str, Any]:
    assert run.statement is not None  # noqa: S101 - run_search returns answered runs
    return {
        "number": run.number,
        "verdict": run.verdict,
        "searched": run.searched,
        "candidates": [_candidate(row) for row in run.candidates.all()],
        "seq": run.statement.seq,
        "took_ms": run.took_ms,
    }


def _candidate(row: Candidate) -> dict[str, Any]:
    facts = row.facts
    return {
        "rank": row.rank,
        "score": row.score,
        "verdict": row.verdict,
        "ref": facts["ref"],
        "kind": facts["kind"],
        "title": facts["title"],
        "listed_at": facts["listed_at"] or None,
        "shop_country": facts.get("shop_country") or None,
        "url": facts.get("url") or None,
        "registered": facts["kind"] == "original",
        "edits": row.evidence.get("edits", {}).get("names", []),
    }


def _text(answer: dict[str, Any]) -> str:
    if "error" in answer:
        return f"{answer['file']}  {answer['error']['code']} {answer['error']['message']}"
    lines = [f"{answer['file']}  {gettext(verdict_text(answer['verdict']))}  entry {answer['seq']}"]
    for row in answer["candidates"]:
        badge = "  registered" if row["registered"] else ""
        kind = gettext(verdict_text(row["verdict"]))
        lines.append(f"  {row['rank']}. {row['score']:5.1f}  {kind}  {row['ref']}  {row['title']}{badge}")
    return "\n".join(lines)
