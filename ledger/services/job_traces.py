"""What rows of background work still say about something that was erased: names in arguments, results and notes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from django.db.models import Q, TextField
from django.db.models.functions import Cast

from ledger.accounts.models import Seller
from ledger.models import Job
from ledger.services.blobs import batched

WORDS_AT_ONCE = 20


def scrub_jobs(seller: Seller, words: Iterable[str]) -> int:
    """Empty every text of this seller's jobs that repeats one of the words; return how many jobs that were."""
    known = set(words)
    rows = Job.objects.of(seller).annotate(args_text=Cast("args", TextField()), result_text=Cast("result", TextField()))
    changed = 0
    for portion in batched(sorted(known), WORDS_AT_ONCE):
        mentioned = Q()
        for word in portion:
            # Both databases' ways to keep JSON as text.
            for form in {word, json.dumps(word)[1:-1]}:
                for column in ("args_text", "result_text", "progress_note", "error_detail", "dedupe_key"):
                    mentioned |= Q(**{f"{column}__contains": form})
        for job in rows.filter(mentioned):
            job.args, job.result = _without(job.args, known), _without(job.result, known)
            job.progress_note, job.error_detail = _plain(job.progress_note, known), _plain(job.error_detail, known)
            job.dedupe_key = _plain(job.dedupe_key, known)
            job.save(update_fields=["args", "result", "progress_note", "error_detail", "dedupe_key"])
            changed += 1
    return changed


def _without(value: Any, words: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_without(item, words) for item in value]
    if isinstance(value, str):
        return "" if value in words or PurePosixPath(value).name in words else value
    return value


def _plain(text: str, words: set[str]) -> str:
    return "" if any(word in text for word in words) else text
