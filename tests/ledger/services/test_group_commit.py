"""Writers that come together share a transaction; each gets its own receipt or its own error, never one before COMMIT."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, connections, transaction

from ledger.models import Entry, Original, Statement
from ledger.services import group_commit
from ledger.services.audit import audit_log
from ledger.services.group_commit import in_batch, in_group
from ledger.services.log import Batch, append_batches, append_statements
from ledger.services.originals import Upload, register_originals
from ledger.services.setup import create_log
from ledger.tlog.report import Verdict
from tests.factories import make_seller
from tests.images import jpeg_bytes, product_photo
from tests.ledger.services.test_log import draft

pytestmark = pytest.mark.django_db(transaction=True)
WRITERS = 12


@pytest.fixture
def seller():
    create_log()
    return make_seller("acme")


def together(work: Callable[[int], object], count: int = WRITERS) -> list[Any]:
    """Run work(0), work(1), ... in threads that start at once; what each returned or raised."""
    found: list[Any] = [None] * count
    gate = threading.Barrier(count)

    def run(number: int) -> None:
        gate.wait()
        try:
            found[number] = work(number)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            found[number] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return found


def append_one(seller) -> int:
    def work(head) -> int:
        (statement,) = append_statements(seller=seller, actor=None, drafts=[draft(seller)], head=head)
        return statement.entry_id

    return in_group(work)


class RefusedError(Exception):
    pass


def test_everybody_gets_an_entry_of_their_own(seller):
    assert sorted(together(lambda number: append_one(seller))) == list(range(WRITERS))
    assert audit_log().verdict is Verdict.PASSED


def test_a_receipt_is_durable_when_it_is_handed_out(seller):
    def work(number: int) -> bool:
        seq = append_one(seller)
        assert not connection.in_atomic_block
        return Entry.objects.filter(seq=seq).exists()

    assert together(work) == [True] * WRITERS


def test_rounds_are_shared(seller, monkeypatch):
    rounds: list[int] = []
    real = group_commit._commit

    def counted(members: list[Any]) -> None:
        rounds.append(len(members))
        real(members)

    monkeypatch.setattr(group_commit, "_commit", counted)
    together(lambda number: append_one(seller))
    assert sum(rounds) == WRITERS
    assert len(rounds) < WRITERS


def test_one_writers_failure_is_its_own(seller):
    def work(number: int) -> int:
        if number % 3:
            return append_one(seller)

        def fail(head) -> int:
            append_statements(seller=seller, actor=None, drafts=[draft(seller)], head=head)
            raise RefusedError

        return in_group(fail)

    found = together(work)
    assert [isinstance(answer, RefusedError) for answer in found] == [number % 3 == 0 for number in range(WRITERS)]
    assert Entry.objects.count() == Statement.objects.count() == WRITERS - 4
    assert audit_log().verdict is Verdict.PASSED


def _append_all(head, sellers) -> list[int]:
    if len(sellers) > 1 and None in sellers:
        raise RefusedError
    if sellers[0] is None:
        raise RefusedError
    made = append_batches(head, [Batch(one, None, [draft(one)]) for one in sellers])
    return [statement.entry_id for (statement,) in made]


def test_writers_that_do_the_same_are_done_by_one_call(seller):
    calls: list[int] = []

    def work(head, items) -> list[int]:
        calls.append(len(items))
        return _append_all(head, items)

    assert sorted(together(lambda number: in_batch(work, seller))) == list(range(WRITERS))
    assert sum(calls) == WRITERS
    assert len(calls) < WRITERS
    assert audit_log().verdict is Verdict.PASSED


def test_a_bad_item_among_others_is_refused_alone(seller):
    found = together(lambda number: in_batch(_append_all, seller if number % 4 else None))
    assert [isinstance(answer, RefusedError) for answer in found] == [number % 4 == 0 for number in range(WRITERS)]
    assert sorted(answer for answer in found if isinstance(answer, int)) == list(range(WRITERS - WRITERS // 4))
    assert audit_log().verdict is Verdict.PASSED


def test_a_request_id_used_twice_in_one_round_refuses_the_second_only(seller):
    one = draft(seller)

    def work(head, drafts) -> list[int]:
        made = append_batches(head, [Batch(seller, None, [each]) for each in drafts])
        return [statement.entry_id for (statement,) in made]

    found = together(lambda number: in_batch(work, one if number < 2 else draft(seller)))
    assert sum(isinstance(answer, IntegrityError) for answer in found[:2]) == 1
    assert Entry.objects.count() == Statement.objects.count() == WRITERS - 1
    assert audit_log().verdict is Verdict.PASSED


def test_a_failing_database_refuses_the_whole_round(seller):
    def work(number: int) -> int:
        def full(head) -> int:
            append_statements(seller=seller, actor=None, drafts=[draft(seller)], head=head)
            raise OperationalError("database or disk is full")

        return in_group(full if number == 0 else lambda head: _append(seller, head))

    found = together(work)
    kept = [answer for answer in found if isinstance(answer, int)]
    assert isinstance(found[0], OperationalError)
    assert Entry.objects.count() == len(kept)  # whoever got no receipt left nothing, whoever got one is there
    assert audit_log().verdict is Verdict.PASSED


def _append(seller, head) -> int:
    return append_statements(seller=seller, actor=None, drafts=[draft(seller)], head=head)[0].entry_id


def test_a_commit_that_fails_is_a_receipt_for_nobody(seller, monkeypatch):
    def broken() -> None:
        raise OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(connection, "commit", broken, raising=False)
        assert isinstance(_outcome(lambda: append_one(seller)), OperationalError)
    assert Entry.objects.count() == 0
    assert append_one(seller) == 0


@transaction.atomic
def _append_and_fail(seller) -> None:
    append_one(seller)
    raise RefusedError


def _outcome(work: Callable[[], object]) -> object:
    try:
        return work()
    except OperationalError as error:
        return error


def test_inside_a_transaction_the_caller_commits(seller):
    with pytest.raises(RefusedError):
        _append_and_fail(seller)
    assert Entry.objects.count() == 0


def test_registrations_at_once_are_all_kept_once(seller):
    photo = jpeg_bytes(product_photo(1))
    other = [jpeg_bytes(product_photo(2 + number)) for number in range(4)]

    def work(number: int) -> str:
        content = photo if number % 2 else other[number // 2 % 4]
        upload = Upload("a.jpg", content, f"request-{number}")
        return register_originals(actor=None, seller=seller, uploads=[upload])[0].status

    found = together(work, 8)
    assert sorted(found) == ["existing"] * 3 + ["registered"] * 5
    assert Original.objects.count() == Entry.objects.count() == 5
    assert audit_log().verdict is Verdict.PASSED


def test_a_writer_that_is_stopped_while_it_waits_holds_up_nobody(seller):
    class StoppedEvent(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            super().wait(timeout)  # until it is appointed to lead
            raise KeyboardInterrupt

    line = group_commit._Line()
    line._has_leader = True
    stopped, behind = (group_commit._Ticket(lambda head, items: items, n) for n in (1, 2))
    stopped.turn = StoppedEvent()
    line._waiting = [stopped, behind]
    line._appoint()
    with pytest.raises(KeyboardInterrupt):
        line._await_turn(stopped)
    assert behind.turn.is_set()
    assert line._waiting == [behind]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL keeps the line itself")
def test_on_sqlite_a_writer_waits_for_that_of_another_process_and_is_not_told_of_a_lock(seller, settings):
    """A file lock held elsewhere stands for the other process."""
    register_originals(actor=None, seller=seller, uploads=[Upload("0.jpg", jpeg_bytes(product_photo(0)))])
    line = (Path(settings.DATA_DIR) / group_commit.LINE_FILE).open("rb")
    fcntl.flock(line, fcntl.LOCK_EX)
    done = threading.Event()

    def write() -> None:
        register_originals(actor=None, seller=seller, uploads=[Upload("1.jpg", jpeg_bytes(product_photo(1)))])
        connections.close_all()
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert not done.wait(0.3)
    line.close()
    writer.join(30)
    assert done.is_set()
    assert Original.objects.count() == 2
