"""Deadlines in the database: started by steps, moved by hand, reminded of once at 48 and once at 8 hours; the feed."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from compliance.cases import steps
from compliance.models import CalendarFeed, CaseDeadline
from compliance.services.case_deadlines import (
    ReasonMissingError,
    add_own_deadline,
    add_rule_deadline,
    finish_deadline,
    move_deadline,
    open_deadlines,
    remind,
)
from compliance.services.case_feed import make_feed, read_feed, revoke_feed
from compliance.services.case_mail import propose
from compliance.services.case_outcomes import outcomes_of
from compliance.services.cases import move_case, open_case
from ledger.accounts.models import Membership, Role
from tests.compliance.case_world import draft, ready
from tests.compliance.cases.test_mail import COUNTERED, NOTICE

pytestmark = pytest.mark.usefixtures("log")
DUE = datetime(2026, 12, 10, 12, 0, tzinfo=UTC)


def due_case(seller) -> CaseDeadline:
    case = open_case(actor=None, seller=seller, kind="defence", target="alibaba_ipp")
    return add_own_deadline(actor=None, case=case, label="Answer the letter", due_at=DUE)


def test_reminders_go_out_once_at_48_and_once_at_8_hours(seller, alice, ivan, bob, olga):
    due_case(seller)
    clock = [(49, 0), (48, 1), (47, 1), (9, 1), (8, 2), (1, 2), (-1, 2)]
    for hours, sent in clock:
        remind(DUE - timedelta(hours=hours))
        remind(DUE - timedelta(hours=hours))  # two rounds, or two processes
        assert len(mail.outbox) == sent, hours
    assert mail.outbox[0].bcc == ["alice@example.org", "ivan@example.org"]
    assert "Answer the letter" in mail.outbox[0].body
    assert "截止" in mail.outbox[0].body


def test_a_mail_names_the_case_by_number_only(seller, ivan):
    row = due_case(seller)
    row.case.title = "Secret mug"
    row.case.save()
    remind(DUE - timedelta(hours=8))
    assert "Secret mug" not in f"{mail.outbox[0].body}{mail.outbox[0].subject}"
    assert row.case.number in mail.outbox[0].body


def test_a_late_deadline_is_reminded_of_once(seller, ivan):
    due_case(seller)
    remind(DUE - timedelta(hours=3))
    remind(DUE - timedelta(hours=2))
    assert len(mail.outbox) == 1


def test_a_mail_server_that_refuses_loses_no_reminder(seller, ivan, monkeypatch):
    row = due_case(seller)

    def refuse(self, messages):
        raise smtplib.SMTPServerDisconnected("gone")

    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
        assert remind(DUE - timedelta(hours=40)) == 0
    row.refresh_from_db()
    assert row.reminded_48h_at is None
    assert not row.case.events.filter(what="reminded").exists()
    assert remind(DUE - timedelta(hours=39)) == 1


@pytest.mark.parametrize("end", ["done", "closed"])
def test_nobody_is_reminded_of_what_is_over(seller, ivan, end):
    row = due_case(seller)
    if end == "done":
        finish_deadline(actor=ivan, deadline=row)
    else:
        move_case(actor=ivan, case=row.case, to=steps.WITHDRAWN, note="x")
        move_case(actor=ivan, case=row.case, to=steps.CLOSED)
    remind(DUE - timedelta(hours=8))
    assert mail.outbox == []
    assert not open_deadlines(seller).exists()


def test_a_moved_deadline_keeps_its_reason_and_reminds_anew(seller, ivan):
    row = due_case(seller)
    remind(DUE - timedelta(hours=40))
    with pytest.raises(ReasonMissingError):
        move_deadline(actor=ivan, deadline=row, due_at=DUE + timedelta(days=7), reason=" ")
    move_deadline(actor=ivan, deadline=row, due_at=DUE + timedelta(days=7), reason="They gave a week more")
    row.refresh_from_db()
    assert (row.due_at, row.moved_reason, row.moved_by) == (DUE + timedelta(days=7), "They gave a week more", ivan)
    event = row.case.events.get(what="deadline_moved")
    assert (event.before, event.after) == ("2026-12-10 12:00 UTC", "2026-12-17 12:00 UTC")
    remind(DUE + timedelta(days=6))
    assert len(mail.outbox) == 2


def test_a_counter_notice_starts_the_us_clock_over_thanksgiving(seller, monkeypatch):
    case = ready(seller)
    came = datetime(2026, 11, 10, 17, 0, tzinfo=UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: came + timedelta(hours=1))
    move_case(actor=None, case=case, to=steps.SUBMITTED, at=came - timedelta(days=1))
    move_case(actor=None, case=case, to=steps.COUNTERED, note="theirs, they say", at=came)
    due = dict(case.deadlines.values_list("rule", "due_at"))
    assert due == {
        "dmca.putback_min": datetime(2026, 11, 25, 17, 0, tzinfo=UTC),
        "dmca.putback_max": datetime(2026, 12, 2, 17, 0, tzinfo=UTC),
    }


def test_a_year_whose_holidays_are_not_announced_is_marked(seller):
    case = draft(seller, target="alibaba_ipp")
    row = add_rule_deadline(actor=None, case=case, rule="alibaba.rights_review", start=datetime(2027, 2, 3, tzinfo=UTC))
    assert row.is_estimated


# The feed -------------------------------------------------------------------------------------------------------


def test_the_feed_holds_what_is_due_and_nothing_else(seller, other_seller, ivan):
    row, done = due_case(seller), due_case(seller)
    finish_deadline(actor=ivan, deadline=done)
    foreign = due_case(other_seller)
    text = read_feed(make_feed(actor=ivan, seller=seller)).decode()
    assert text.startswith("BEGIN:VCALENDAR\r\n")
    assert text.endswith("END:VCALENDAR\r\n")
    assert f"UID:{row.number}@originmark" in text
    assert "DTSTART:20261210T120000Z" in text
    assert text.count("TRIGGER:-PT48H") == text.count("TRIGGER:-PT8H") == 1
    assert done.number not in text
    assert foreign.number not in text
    assert all(len(line) <= 75 for line in text.encode().split(b"\r\n"))


def test_an_address_ends_when_it_is_revoked_replaced_or_the_role_is_lost(seller, ivan):
    first = make_feed(actor=ivan, seller=seller)
    second = make_feed(actor=ivan, seller=seller)
    assert read_feed(first) is None
    assert read_feed(second)
    Membership.objects.filter(user=ivan).update(role=Role.OPERATOR)
    assert read_feed(second) is None
    Membership.objects.filter(user=ivan).update(role=Role.IP_MANAGER)
    revoke_feed(actor=ivan, seller=seller)
    assert read_feed(second) is None


def test_only_the_digest_of_a_token_is_stored(seller, ivan):
    token = make_feed(actor=ivan, seller=seller)
    row = CalendarFeed.objects.get()
    assert token.encode() not in bytes(row.token_sha256)
    assert len(token) >= 40


@pytest.mark.parametrize("who", ["bob", "olga", "mallory"])
def test_who_sees_no_cases_gets_no_feed(request, seller, who):
    with pytest.raises(PermissionDenied):
        make_feed(actor=request.getfixturevalue(who), seller=seller)


# E-mails --------------------------------------------------------------------------------------------------------


def test_a_notice_proposes_a_defence_with_its_deadline_and_writes_nothing(seller, ivan, monkeypatch):
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 9, 30, 2, 0, tzinfo=UTC))
    found = propose(actor=ivan, seller=seller, text=NOTICE)
    assert found.is_notice
    assert found.targets[0].id == "alibaba_ipp"
    ((rule, due),) = found.deadlines
    assert (rule.id, due.at) == ("alibaba.counter1", datetime(2026, 10, 10, 1, 0, tzinfo=UTC))
    assert not CaseDeadline.objects.exists()


def test_a_mail_finds_its_case_by_number_or_listing(seller, other_seller, ivan):
    case = ready(seller)
    ready(other_seller)
    move_case(actor=ivan, case=case, to=steps.SUBMITTED, portal_ref="5123456789")
    found = propose(actor=ivan, seller=seller, text=COUNTERED)
    assert [(each.pk, may) for each, may in found.cases] == [(case.pk, True)]
    assert [rule.id for rule, _due in found.deadlines] == ["dmca.putback_min", "dmca.putback_max"]
    case.refresh_from_db()
    assert case.status == steps.SUBMITTED  # nothing happens by itself
    assert propose(actor=ivan, seller=seller, text="item 4000123456").cases[0][0].pk == case.pk


def test_a_mail_about_nothing_of_ours_finds_nothing(seller, ivan):
    draft(seller)
    assert propose(actor=ivan, seller=seller, text="Good morning").cases == ()


# Outcomes -------------------------------------------------------------------------------------------------------


def test_outcomes_are_counted_from_what_was_submitted(seller, other_seller, ivan):
    for seed, to in enumerate((steps.REMOVED, steps.REMOVED, steps.REJECTED), start=1):
        case = ready(seller, seed=seed)
        move_case(actor=ivan, case=case, to=steps.SUBMITTED)
        move_case(actor=ivan, case=case, to=to, note="so")
    foreign = ready(other_seller)
    move_case(actor=None, case=foreign, to=steps.SUBMITTED)
    found = outcomes_of(actor=ivan, seller=seller, now=timezone.now())
    assert (found.total.k, found.total.n) == (2, 3)
    assert {name: (rate.k, rate.n) for name, rate in found.by_reason.items()} == {"listing_content": (2, 3)}
    assert (found.by_item["right.earlier_proof"].k, found.by_item["right.earlier_proof"].n) == (2, 3)
    assert (found.without_proof.k, found.without_proof.n) == (2, 3)  # no outside time in this world
    assert found.with_proof.n == 0
    assert found.times.n == 3
    month = found.months[-1]
    assert (month.accepted, month.rejected, month.other) == (2, 1, 0)


@pytest.mark.parametrize("who", ["bob", "olga", "mallory"])
def test_who_sees_no_cases_sees_no_outcomes(request, seller, who):
    with pytest.raises(PermissionDenied):
        outcomes_of(actor=request.getfixturevalue(who), seller=seller, now=timezone.now())
