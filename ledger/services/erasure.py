"""Erasing an original: the log keeps its entry, everything readable goes (docs/trust.md says what that means where).

One transaction blanks every row, destroys the keys and appends the erasure entry; afterwards files and what the
database keeps of old rows are removed, by a job that starts again until it is done. A crash before the commit changed
nothing, one after it only delays the cleaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import CASCADE, QuerySet
from django.utils import timezone

from ledger.accounts.models import Invitation, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.models import (
    Blob,
    Certificate,
    Derivative,
    Erasure,
    ErasureState,
    EvidenceFile,
    Fingerprint,
    ImageFile,
    ImageState,
    Job,
    LogHead,
    Original,
    SellerPaper,
    Statement,
)
from ledger.services.archives import KIND as ARCHIVES
from ledger.services.blobs import batched, destroy_keys, remove_files
from ledger.services.erasing import PARTICIPANTS, Plan
from ledger.services.erasure_plan import (
    certificates_of,
    counts_of,
    handed_out,
    hold_reasons,
    plan_of,
    rows_in,
    set_files,
    statements_of,
)
from ledger.services.identity import identity_document
from ledger.services.job_traces import scrub_jobs
from ledger.services.jobs import UNFINISHED, enqueue_job
from ledger.services.log import Draft, append_statements, lock_head
from ledger.services.scrubbing import forget_deleted_rows, rewrite_tables
from ledger.tlog.claim_documents import erasure_claim
from ledger.tlog.claims import MAX_ITEMS

KIND = "erasure"
CLEAN_JOB = "erasure.clean"
ORIGINAL, PERSON = "original", "person"
SCOPE_ALL = ("claim", "identity", "files")
SCOPE_PERSON = ("identity",)
AT_ONCE = 500
TABLES = (Original, ImageFile, Fingerprint, Blob, Statement, Derivative, Certificate, EvidenceFile, Job, SellerPaper)
SWEEP_AFTER = timedelta(minutes=1)


class OnHoldError(Exception):
    """Something keeps it from being erased; reasons says what."""

    code = "erasure_on_hold"

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


class AlreadyErasedError(Exception):
    """It was erased before."""

    code = "erasure_done_before"


def erase_original(*, actor: User | None, original: Original, reason: str) -> Erasure:
    """Erase an original and all that shows it; on return the keys are destroyed and the entry is committed.

    Files and remains in the database are removed by clean_up(), which a job calls. Raises OnHoldError,
    AlreadyErasedError; ClaimError for a reason that docs/spec/claim.md does not know.
    """
    require_permission(actor, original.seller, Permission.ERASE)
    forget_deleted_rows()
    with transaction.atomic():
        head = lock_head()
        original = Original.with_erased.select_related("seller", "image", "statement").get(pk=original.pk)
        if original.erased_at is not None:
            raise AlreadyErasedError
        plan = plan_of(original)
        if reasons := hold_reasons(plan):
            raise OnHoldError(reasons)
        erasure = Erasure(
            seller=plan.seller, actor=actor, target=ORIGINAL, original=original, reason=reason, lost=counts_of(plan)
        )
        erasure.handed_out = handed_out(plan.statements)
        record_erasure(erasure, statements_of(plan), SCOPE_ALL, head)
        _collect_words(plan)
        for participant in PARTICIPANTS.values():
            participant.erase(plan)
        plan.blobs |= _spent_archives(plan)
        _erase_rows(plan, erasure)
        erasure.blobs = sorted(str(blob) for blob in plan.blobs)
        erasure.save(update_fields=["blobs"])
        enqueue_cleaning(erasure)
    return erasure


def record_erasure(erasure: Erasure, statements: QuerySet[Statement], scope: Sequence[str], head: LogHead) -> None:
    """The erasure entries, which strangers can read: which entries were erased and why, nothing else."""
    erasure.save(force_insert=True)
    pairs = list(statements.order_by("entry").values_list("seq", "entry__leaf_hash"))
    drafts = [
        Draft(
            kind=KIND,
            claim=erasure_claim([(seq, bytes(leaf)) for seq, leaf in portion], scope, erasure.reason),
            identity=identity_document(actor=erasure.actor, seller=erasure.seller),
            request_id=f"erasure-{erasure.number}-{number}",
            outcome="passed",
        )
        for number, portion in enumerate(batched(pairs, MAX_ITEMS))
    ]
    made = append_statements(seller=erasure.seller, actor=erasure.actor, drafts=drafts, head=head)
    erasure.entries = [statement.seq for statement in made]
    erasure.save(update_fields=["entries"])


def _collect_words(plan: Plan) -> None:
    """What the rows of other features may repeat: names and digests."""
    for name, digest in rows_in(ImageFile.objects.of(plan.seller), plan.images).values_list("file_name", "sha256"):
        plan.add_words([name, bytes(digest).hex()])
    plan.add_words(rows_in(Original.with_erased.of(plan.seller), plan.originals).values_list("title", flat=True))
    plan.add_words(set_files(plan).values_list("file_name", flat=True))


def _spent_archives(plan: Plan) -> set[Any]:
    """Archives whose unpacking ended without success may still hold the picture, and are of no use."""
    ended = Job.objects.of(plan.seller).filter(kind=ARCHIVES).exclude(state__in=UNFINISHED)
    ids = [args["blob_id"] for args in ended.values_list("args", flat=True) if "blob_id" in args]
    rows = Blob.objects.of(plan.seller).filter(pk__in=ids).exclude(wrapped_key=b"")
    ended.update(args={}, progress_note="", dedupe_key="")
    return set(rows.values_list("pk", flat=True))


def _erase_rows(plan: Plan, erasure: Erasure) -> None:
    """Blank what stays and delete what nothing points at."""
    scrub_jobs(plan.seller, plan.words)
    files = set_files(plan)
    files.update(file_name="", sha256=b"", size_bytes=0, mime="", is_erased=True)
    for ids in batched(plan.images, AT_ONCE):
        Fingerprint.objects.filter(image__in=ids).delete()
        ImageFile.objects.filter(pk__in=ids).update(
            sha256=b"",
            size_bytes=0,
            file_name="",
            format="",
            mime="",
            flags=[],
            state=ImageState.ERASED,
            error_code="erased",
            width=None,
            height=None,
            pixel_sha256=None,
            metadata={},
            private_metadata={},
            has_thumbnails=False,
            features_version=0,
        )
    made = Derivative.objects.of(plan.seller).filter(original__in=plan.originals)
    made.update(matrix_micro=[], residual_milli=0, steps=[])
    for original in rows_in(Original.with_erased.of(plan.seller), plan.originals).select_related("statement__entry"):
        # Unique for the seller and public anyhow; no file has it as its digest.
        original.sha256 = original.statement.entry.leaf_hash
        original.title = original.search_text = original.category = ""
        original.store, original.erased_at = None, erasure.created_at
        original.save()
    destroy_keys(plan.blobs)
    certificates_of(plan.statements).delete()
    for statement in statements_of(plan):
        statement.claim = statement.identity = b""
        statement.label = statement.outcome = ""
        statement.request_id, statement.erasure = f"erased-{statement.entry_id}", erasure
        statement.save(update_fields=["claim", "identity", "label", "outcome", "request_id", "erasure"])


# Cleaning up ----------------------------------------------------------------------------------------------------


def enqueue_cleaning(erasure: Erasure) -> None:
    enqueue_job(
        kind=CLEAN_JOB,
        args={"erasure_id": erasure.pk},
        seller=erasure.seller,
        actor=None,
        dedupe_key=f"clean-{erasure.pk}",
    )


def clean_up(erasure_id: int) -> Erasure:
    """Remove the files, and what the database keeps of old rows; stays unfinished while somebody is in the way."""
    erasure = Erasure.objects.select_related("seller").get(pk=erasure_id)
    if erasure.state == ErasureState.DONE:
        return erasure
    for ids in batched(erasure.blobs, AT_ONCE):
        remove_files(Blob.objects.of(erasure.seller).filter(pk__in=ids, wrapped_key=b""))
    for participant in PARTICIPANTS.values():
        participant.clean(erasure.seller_id)
    tables: list[Any] = [*TABLES, *_people_tables(), *(table for one in PARTICIPANTS.values() for table in one.tables)]
    # What a probe leaves in old rows is noise and nobody's words: not worth writing every table anew each time.
    if erasure.seller.is_probe or rewrite_tables(tables):
        erasure.state, erasure.finished_at, erasure.blobs = ErasureState.DONE, timezone.now(), []
        erasure.save(update_fields=["state", "finished_at", "blobs"])
    return erasure


def _people_tables() -> list[Any]:
    """The account and what libraries keep beside it: addresses, second factors."""
    beside = {related.related_model for related in User._meta.related_objects if related.on_delete is CASCADE}
    return [User, Invitation, *beside]


def sweep_erasures() -> int:
    """Have workers finish what a crash or a busy database left; return how many wait."""
    waiting = Erasure.objects.filter(state=ErasureState.CLEANING, created_at__lt=timezone.now() - SWEEP_AFTER)
    for erasure in waiting.select_related("seller"):
        with transaction.atomic():
            enqueue_cleaning(erasure)
    return len(waiting)
