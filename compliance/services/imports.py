"""Importing a file from the page: sealed first, its columns confirmed, then read by a job that may die anywhere.

The job writes down how far it came in the transaction of each batch, so going on takes up after the last one; a second
job that is on its way meanwhile finds the place taken and ends. What is half-way there is whole rows.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import IO, Any

from django.db import transaction
from django.utils import timezone

from compliance.catalogues.errors import FeedEmptyError, FeedError, FeedKindError, FeedTooLargeError
from compliance.catalogues.feed import Feed, FeedRow, feed_of_table
from compliance.catalogues.mapping import check_mapping, guess_mapping, signature
from compliance.catalogues.names import feed_of_names
from compliance.catalogues.tables import MAX_FILE_BYTES, ZIP_MAGIC, Table, read_table, table_kind
from compliance.catalogues.warc import WACZ, WARC, Shot, archive_kind, feed_of_shots, read_shots
from compliance.models import ImportProblem, ImportRun, ImportState, SourceMapping
from compliance.services.catalogues import (
    LONGEST_NAME,
    REJECTED,
    PictureIsAddressError,
    PictureNotFoundError,
    ReadPicture,
    RowOutcome,
    delist_missing,
    find_or_create_catalogue,
    import_rows,
)
from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission
from ledger.admission.archives import open_directory
from ledger.admission.verdict import FileRefused
from ledger.models import Blob
from ledger.services.archives import Member, pictures_in, unpack
from ledger.services.blobs import BlobUnreadableError, destroy_keys, open_blob, remove_files, seal_large_upload
from ledger.services.job_context import JobError
from ledger.services.jobs import REQUEUABLE, UNFINISHED, enqueue_job, requeue_job

KIND = "catalogues.import"
ZIP = "zip"
MAX_ARCHIVE_BYTES = 512 * 2**20
MAX_MEMBERS = 100_000  # a row each
PREVIEW_ROWS = 8
HEAD_BYTES = 8  # enough to tell kinds of file apart
TAKEN = "import.taken"
Progress = Callable[[int, int, str], None]


class ImportStateError(Exception):
    """The import is not in a state that allows this."""

    code = "import.state"


class _TakenError(Exception):
    """Another worker has written down these rows."""


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows as the mapping reads them, how many there are, and how many of all cannot be taken."""

    rows: tuple[FeedRow, ...]
    total: int
    refused: int
    remarks: int


# Sending and columns ---------------------------------------------------------------------------------------------


def start_import(*, actor: User | None, seller: Seller, file_name: str, file: IO[bytes], name: str = "") -> ImportRun:
    """Seal a file as the draft of an import and guess what its columns mean, as said last for such a file.

    The file is read a piece at a time, a table excepted. Raises FeedError for what no catalogue comes in, FileRefused for
    an archive that cannot be taken, and NoRoomError.
    """
    require_permission(actor, seller, Permission.IMPORT_CATALOGUE)
    kind, table_name, table, total = _look_into(file_name, file)
    header = list(table.header) if table else []
    known = SourceMapping.objects.of(seller).filter(signature=signature(header)).first() if header else None
    stem = PurePosixPath(file_name.replace("\\", "/")).name.rsplit(".", 1)[0]
    blob = seal_large_upload(seller=seller, file=file)
    with transaction.atomic():
        blob.save(force_insert=True)
        run: ImportRun = ImportRun.objects.create(
            seller=seller,
            actor=actor,
            name=(name.strip() or (known.name if known else stem) or "feed")[:LONGEST_NAME],
            file_name=file_name[-255:],
            kind=kind,
            table_name=table_name,
            blob=blob,
            header=header,
            mapping=known.mapping if known else guess_mapping(header),
            total=total,
        )
    return run


def _look_into(file_name: str, file: IO[bytes]) -> tuple[str, str, Table | None, int]:
    """Kind, name of the table inside a ZIP, the table, number of rows or pictures."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if kind := table_kind(file_name, head):
        file.seek(0)
        table = _table(file.read(MAX_FILE_BYTES + 1), kind)
        return kind, "", table, len(table.rows)
    if size > MAX_ARCHIVE_BYTES:
        raise FeedTooLargeError(f"{size} bytes, {MAX_ARCHIVE_BYTES} are allowed")
    if kind := archive_kind(file_name, head):
        total = len(feed_of_shots(read_shots(file, kind)).rows)
        if not total:
            raise FeedEmptyError("no picture")
        return kind, "", None, total
    if not head.startswith(b"PK"):
        raise FeedKindError(file_name[-80:])
    with open_directory(file, MAX_MEMBERS) as archive:
        members = pictures_in(archive)
        found = _inner_table(archive, members)
        total = len(found[1].rows) if found else len(feed_of_names([one.path for one in members]).rows)
    if not total:
        raise FeedEmptyError("no picture")
    return ZIP, found[0] if found else "", found[1] if found else None, total


def _table(content: bytes, kind: str) -> Table:
    table = read_table(content, kind)
    if not table.header or not table.rows:
        raise FeedEmptyError("no row")
    return table


def _inner_table(archive: zipfile.ZipFile, members: Sequence[Member]) -> tuple[str, Table] | None:
    """The one table that lies in the ZIP beside the pictures it names; the one nearest the top where there are several."""
    # A text beside pictures is a note more often than a table.
    tables = [one for one in members if table_kind(one.path, ZIP_MAGIC) and not one.path.lower().endswith(".txt")]
    for member in sorted(tables, key=lambda one: (one.path.count("/"), one.path)):
        if member.info.file_size > MAX_FILE_BYTES:
            raise FeedTooLargeError(f"{member.info.file_size} bytes, {MAX_FILE_BYTES} are allowed")
        content = archive.read(member.info)
        if kind := table_kind(member.path, content):
            return member.path, _table(content, kind)
    return None


def preview(run: ImportRun, mapping: Mapping[str, int]) -> Preview:
    """What an import with these columns would read; nothing is written. FeedError where it could not be read at all."""
    with _feed(run, mapping) as (feed, _read):
        refused = sum(bool(row.problem) for row in feed.rows)
        remarks = sum(bool(row.remark) for row in feed.rows)
        return Preview(feed.rows[:PREVIEW_ROWS], len(feed.rows), refused, remarks)


def confirm_import(
    *, actor: User | None, run: ImportRun, mapping: Mapping[str, int], name: str, is_complete: bool = False
) -> ImportRun:
    """Have a worker import a draft with these columns, which are remembered for files with the same header.

    Raises FeedHeaderError for columns that do not do, ImportStateError for what is no draft any more.
    """
    require_permission(actor, run.seller, Permission.IMPORT_CATALOGUE)
    if run.header:
        check_mapping(mapping, len(run.header))
    catalogue = find_or_create_catalogue(actor=actor, seller=run.seller, name=name.strip() or run.name)
    with transaction.atomic():
        locked: ImportRun = ImportRun.objects.select_for_update().get(pk=run.pk)
        if locked.state != ImportState.DRAFT:
            raise ImportStateError(locked.state)
        locked.mapping, locked.name, locked.catalogue = dict(mapping), catalogue.name, catalogue
        locked.is_complete, locked.state = is_complete, ImportState.WAITING
        locked.job = enqueue_job(
            kind=KIND, args={"run_id": run.pk}, seller=run.seller, actor=actor, dedupe_key=run.number
        )
        locked.save()
        if run.header:
            values = {"mapping": dict(mapping), "name": catalogue.name, "used_at": timezone.now()}
            SourceMapping.objects.update_or_create(seller=run.seller, signature=signature(run.header), defaults=values)
    return locked


def discard_import(*, actor: User | None, run: ImportRun) -> None:
    """Throw a draft away, its file included."""
    require_permission(actor, run.seller, Permission.IMPORT_CATALOGUE)
    with transaction.atomic():
        draft = ImportRun.objects.select_for_update().filter(pk=run.pk, state=ImportState.DRAFT)
        if not draft.update(state=ImportState.CANCELLED, finished_at=timezone.now()):
            raise ImportStateError(run.state)
    _forget_file(run)


def retry_import(*, actor: User | None, run: ImportRun) -> None:
    """Go on with an import that failed or was stopped; one that is at work or done stays as it is."""
    require_permission(actor, run.seller, Permission.IMPORT_CATALOGUE)
    with transaction.atomic():
        locked: ImportRun = ImportRun.objects.select_for_update().get(pk=run.pk)
        job = locked.job
        is_stuck = job is not None and job.state not in UNFINISHED
        if locked.state in (ImportState.DRAFT, ImportState.DONE) or not is_stuck or locked.blob_id is None:
            return
        if job is not None and job.state in REQUEUABLE:
            locked.job = requeue_job(actor=actor, job=job)
        else:
            args = {"run_id": run.pk}
            locked.job = enqueue_job(kind=KIND, args=args, seller=run.seller, actor=actor, dedupe_key=run.number)
        locked.state, locked.error_code, locked.error_detail = ImportState.WAITING, "", ""
        locked.save(update_fields=["job", "state", "error_code", "error_detail"])


# The job ---------------------------------------------------------------------------------------------------------


def run_import(
    run_id: int,
    *,
    progress: Progress = lambda done, total, note: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> ImportRun:
    """Import the rows that no earlier attempt has written down. Running it again changes nothing."""
    run: ImportRun = ImportRun.objects.select_related("seller", "actor", "catalogue", "blob").get(pk=run_id)
    if run.state != ImportState.WAITING or run.catalogue is None:
        return run
    if run.started_at is None:
        run.started_at = timezone.now()
        ImportRun.objects.filter(pk=run.pk, started_at=None).update(started_at=run.started_at)
    try:
        with _feed(run, run.mapping) as (feed, read):
            if not _import_rest(run, feed, read, progress, cancelled):
                ImportRun.objects.filter(pk=run.pk).update(state=ImportState.CANCELLED)
                run.refresh_from_db()
                return run
    except _TakenError:
        run.refresh_from_db()
        return run  # another worker is at it: the end is its to write
    except (FeedError, FileRefused, BlobUnreadableError) as error:
        detail = str(error)[:300]
        ImportRun.objects.filter(pk=run.pk).update(
            state=ImportState.FAILED, error_code=error.code, error_detail=detail, finished_at=timezone.now()
        )
        raise JobError(error.code, detail) from error
    return _finish(run)


def _import_rest(
    run: ImportRun, feed: Feed, read: ReadPicture, progress: Progress, cancelled: Callable[[], bool]
) -> bool:
    """True when every row is written down, False when somebody stopped it between two batches."""
    assert run.catalogue is not None  # noqa: S101 - the caller looked
    place = _Place(run)
    rest = replace(feed, rows=feed.rows[run.taken :])
    outcomes = import_rows(
        actor=run.actor, catalogue=run.catalogue, feed=rest, read_picture=read, record=place.record, run=run
    )
    for _outcome in outcomes:
        progress(place.taken, len(feed.rows), run.file_name)
        if cancelled():
            return False
    return True


class _Place:
    """How far an import came, written inside the transaction of each batch."""

    def __init__(self, run: ImportRun) -> None:
        self.run = run
        self.taken = run.taken
        self.counts = dict(run.counts)

    def record(self, outcomes: Sequence[RowOutcome]) -> None:
        counts = dict(self.counts)
        for outcome in outcomes:
            counts[outcome.status] = counts.get(outcome.status, 0) + 1
        taken = self.taken + len(outcomes)
        mine = ImportRun.objects.filter(pk=self.run.pk, taken=self.taken, state=ImportState.WAITING)
        if not mine.update(taken=taken, counts=counts):
            raise _TakenError
        ImportProblem.objects.bulk_create(
            ImportProblem(
                seller=self.run.seller,
                run=self.run,
                row=outcome.row,
                product_id=outcome.product_id[:120],
                code=outcome.code,
                is_refused=outcome.status == REJECTED,
            )
            for outcome in outcomes
            if outcome.code
        )
        self.taken, self.counts = taken, counts


def _finish(run: ImportRun) -> ImportRun:
    assert run.catalogue is not None  # noqa: S101 - run_import looked
    assert run.started_at is not None  # noqa: S101 - run_import wrote it
    delisted = delist_missing(catalogue=run.catalogue, since=run.started_at) if run.is_complete else 0
    run.refresh_from_db(fields=["counts", "taken"])
    counts = run.counts | ({"delisted": run.counts.get("delisted", 0) + delisted} if delisted else {})
    done = ImportRun.objects.filter(pk=run.pk, state=ImportState.WAITING)
    done.update(state=ImportState.DONE, counts=counts, finished_at=timezone.now())
    _forget_file(run)
    run.refresh_from_db()
    return run


def _forget_file(run: ImportRun) -> None:
    """Destroy a file whose pictures have files of their own now."""
    if run.blob_id is None:
        return
    ImportRun.objects.filter(pk=run.pk).update(blob=None)
    rows = Blob.objects.of(run.seller).filter(pk=run.blob_id)
    destroy_keys([row.pk for row in rows])
    remove_files(rows)


# Reading ---------------------------------------------------------------------------------------------------------


@contextmanager
def _feed(run: ImportRun, mapping: Mapping[str, int]) -> Iterator[tuple[Feed, ReadPicture]]:
    """The rows of the stored file, and how their pictures are read, while the file is open."""
    if run.blob is None:
        raise ImportStateError(run.state)
    with open_blob(run.blob) as file:
        if run.kind in (WARC, WACZ):
            feed = feed_of_shots(read_shots(file, run.kind))
            yield feed, _reader(_in_order(read_shots(file, run.kind)))
        elif run.kind == ZIP:
            with open_directory(file, MAX_MEMBERS) as archive:
                yield _zipped(run, archive, mapping)
        else:
            yield _mapped(_table(file.read(), run.kind), mapping), _addresses_only


def _zipped(run: ImportRun, archive: zipfile.ZipFile, mapping: Mapping[str, int]) -> tuple[Feed, ReadPicture]:
    members = {member.path: member for member in pictures_in(archive)}
    found = _inner_table(archive, list(members.values())) if run.table_name else None
    feed = _mapped(found[1], mapping) if found else feed_of_names(list(members))
    folder = run.table_name.rpartition("/")[0]
    return feed, _reader(lambda name: _member(archive, members, folder, name))


def _in_order(shots: Iterator[Shot]) -> Callable[[str], bytes | None]:
    """Pictures of an archive that can only be read from its beginning, asked for in the order in which they lie in it."""
    return lambda name: next((shot.content for shot in shots if shot.name == name), None)


def _mapped(table: Table, mapping: Mapping[str, int]) -> Feed:
    check_mapping(mapping, len(table.header))
    return feed_of_table(table, mapping)


def _addresses_only(name: str) -> bytes:
    """A table alone: pictures are addresses, which are fetched later; there is no folder a name could lie in."""
    raise PictureNotFoundError(name)


def _reader(find: Callable[[str], bytes | None]) -> ReadPicture:
    def read(name: str) -> bytes:
        if name.lower().startswith(("http://", "https://", "//")):
            raise PictureIsAddressError(name)
        content = find(name)
        if content is None:
            raise PictureNotFoundError(name)
        return content

    return read


def _member(archive: zipfile.ZipFile, members: Mapping[str, Member], folder: str, name: str) -> bytes | None:
    """A picture by its path in the ZIP, from the top or from where the table lies."""
    name = name.removeprefix("./")
    member = members.get(f"{folder}/{name}" if folder else name) or members.get(name)
    return unpack(archive, member.info) if member else None


def mapping_of(values: Mapping[str, Any]) -> dict[str, int]:
    """Our columns out of a form's values: column name -> place or empty."""
    return {
        name: int(at) for name, at in values.items() if str(at).isascii() and str(at).isdecimal() and len(str(at)) < 4
    }
