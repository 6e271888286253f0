"""The jobs table as a queue: what waits is handed out once, and again when it is due again."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django_q.conf import Conf
from django_q.signing import SignedPackage

from config import job_broker
from config.job_broker import HANDED_OUT_S, JobBroker
from ledger.models import Job, JobState
from ledger.services.jobs import enqueue_job

KIND = "pictures.analyse"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def broker(monkeypatch) -> JobBroker:
    monkeypatch.setattr(Conf, "BULK", 2)
    return JobBroker("heavy")


@pytest.fixture
def add(seller):
    return lambda **options: enqueue_job(kind=KIND, args={"image_ids": []}, seller=seller, actor=None, **options)


def test_a_message_names_the_job_and_its_time(broker, add):
    row = add()
    ((acknowledgement, message),) = broker.dequeue()
    task = SignedPackage.loads(message)
    assert (acknowledgement, task["func"], task["args"]) == (str(row.pk), "ledger.tasks.run", (row.pk,))
    assert task["timeout"] == 300


def test_a_kind_that_is_not_known_here_is_handed_out_to_fail_by_name(broker, add):
    row = add()
    Job.objects.filter(pk=row.pk).update(kind="test.gone")
    assert SignedPackage.loads(broker.dequeue()[0][1])["timeout"] == Conf.TIMEOUT


def test_each_job_is_handed_out_once_oldest_first(broker, add):
    rows = [add() for _ in range(5)]
    fetched = [broker.fetch(0.0) for _ in range(4)]
    assert fetched == [rows[:2], rows[2:4], rows[4:], []]


def test_another_queue_is_not_served(broker, add):
    add(queue="fast")
    assert broker.fetch(0.0) == []


def test_a_job_nobody_claimed_is_handed_out_again_after_a_while(broker, add):
    row = add()
    assert broker.fetch(0.0) == [row]
    assert broker.fetch(HANDED_OUT_S - 1) == []
    assert broker.fetch(HANDED_OUT_S) == [row]


def test_a_job_that_came_back_is_handed_out_at_once(broker, add):
    row = add()
    broker.fetch(0.0)
    Job.objects.filter(pk=row.pk).update(attempts=1)
    assert broker.fetch(0.1) == [row]


def test_what_was_claimed_is_forgotten(broker, add):
    """Otherwise every look would read as many rows as were handed out in the last half minute."""
    for number in range(20):
        row = add()
        assert broker.fetch(number / 100) == [row]
        Job.objects.filter(pk=row.pk).update(state=JobState.DONE)
    broker.fetch(1.0)
    assert broker.handed_out == {}


def test_looking_takes_one_query(broker, add, django_assert_num_queries):
    add()
    with django_assert_num_queries(1):
        broker.fetch(0.0)


def test_a_database_that_is_away_ends_no_process(broker, monkeypatch):
    monkeypatch.setattr(job_broker, "AWAY_S", 0.0)

    def away(**_: object) -> list[Job]:
        raise OperationalError("connection refused")

    monkeypatch.setattr(job_broker, "find_waiting_jobs", away)
    assert broker.dequeue() == []
