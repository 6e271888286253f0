"""Deadlines of cases: computed by rule when something happens, moved by hand with a reason, and reminded of in time."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, tzinfo
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from compliance.cases.deadlines import CUSTOM, due_after, load_rules, rules_after, zone_named
from compliance.cases.errors import CaseError
from compliance.cases.steps import CLOSED
from compliance.models import Case, CaseDeadline
from compliance.services.bilingual import both_languages
from compliance.services.case_events import DEADLINE_ADDED, DEADLINE_DONE, DEADLINE_MOVED, REMINDED, record
from ledger.accounts.models import Membership, Role, Seller, User
from ledger.accounts.permissions import Permission, require_permission

logger = logging.getLogger(__name__)

EARLY, LATE = timedelta(hours=48), timedelta(hours=8)
SHOWN_BEFORE = timedelta(days=7)  # on the first page: what is due within a week, and what is over
MAX_REMINDERS = 100  # in one round


class ReasonMissingError(CaseError):
    """A deadline is not moved without saying why."""

    code = "case.reason_missing"


def zone_of_seller(seller: Seller) -> tzinfo:
    return zone_named(seller.time_zone)


def deadlines_after(case: Case, event: str, start: datetime, *, actor: User | None) -> list[CaseDeadline]:
    """Add every deadline whose clock an event starts; inside the caller's transaction. One that the case has already
    is computed anew when its clock is the notice, whose time somebody corrected, unless a person has moved it."""
    had = {row.rule: row for row in case.deadlines.all()}
    made = []
    for rule in rules_after(event, target=case.target, kind=case.kind, known=had.keys()):
        made.append(_add(case, rule.id, start, actor))
    for row in had.values():
        known = load_rules().get(row.rule)
        if event == "notice_received" and known and known.after == event and not row.moved_reason and not row.done_at:
            due = due_after(known, start, zone_of_seller(case.seller))
            if due.at != row.due_at:
                before = _shown(row.due_at)
                row.starts_at, row.due_at, row.is_estimated = start, due.at, due.is_estimated
                row.reminded_48h_at = row.reminded_8h_at = None
                row.save()
                record(case, DEADLINE_MOVED, actor=actor, before=before, after=_shown(row.due_at), note=row.rule)
    return made


def _add(case: Case, rule_id: str, start: datetime, actor: User | None) -> CaseDeadline:
    rule = load_rules()[rule_id]
    due = due_after(rule, start, zone_of_seller(case.seller))
    row = CaseDeadline.objects.create(
        seller_id=case.seller_id,
        case=case,
        rule=rule_id,
        starts_at=start,
        due_at=due.at,
        calendar=rule.calendar,
        is_estimated=due.is_estimated,
        source=rule.source.en[:300],
    )
    record(case, DEADLINE_ADDED, actor=actor, after=_shown(row.due_at), note=rule_id)
    return row


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def add_rule_deadline(*, actor: User | None, case: Case, rule: str, start: datetime) -> CaseDeadline:
    """Add a deadline by a rule. KeyError for an unknown rule."""
    require_permission(actor, case.seller, Permission.MANAGE_CASES)
    with transaction.atomic():
        return _add(case, load_rules()[rule].id, start, actor)


def add_own_deadline(*, actor: User | None, case: Case, label: str, due_at: datetime) -> CaseDeadline:
    """Add a deadline that no rule knows, such as one that a letter names."""
    require_permission(actor, case.seller, Permission.MANAGE_CASES)
    with transaction.atomic():
        row = CaseDeadline.objects.create(
            seller_id=case.seller_id,
            case=case,
            rule=CUSTOM,
            label=label[:200],
            starts_at=timezone.now(),
            due_at=due_at,
        )
        record(case, DEADLINE_ADDED, actor=actor, after=_shown(due_at), note=label)
    return row


def move_deadline(*, actor: User | None, deadline: CaseDeadline, due_at: datetime, reason: str) -> None:
    """Set another moment, with a reason that stays in the story. Raises ReasonMissingError. Reminders begin anew."""
    require_permission(actor, deadline.seller, Permission.MANAGE_CASES)
    if not reason.strip():
        raise ReasonMissingError
    with transaction.atomic():
        row = CaseDeadline.objects.select_for_update().get(pk=deadline.pk)
        record(
            row.case, DEADLINE_MOVED, actor=actor, before=_shown(row.due_at), after=_shown(due_at), note=reason.strip()
        )
        row.due_at, row.moved_reason, row.moved_by = due_at, reason.strip()[:300], actor
        row.is_estimated = False
        row.reminded_48h_at = row.reminded_8h_at = None
        row.save()


def finish_deadline(*, actor: User | None, deadline: CaseDeadline) -> None:
    """What was due is done; a second time changes nothing."""
    require_permission(actor, deadline.seller, Permission.MANAGE_CASES)
    with transaction.atomic():
        if CaseDeadline.objects.filter(pk=deadline.pk, done_at=None).update(done_at=timezone.now()):
            record(deadline.case, DEADLINE_DONE, actor=actor, note=deadline.label or deadline.rule)


def open_deadlines(seller: Seller) -> QuerySet[CaseDeadline]:
    """What is still due in open cases, the earliest first."""
    rows = CaseDeadline.objects.of(seller).filter(done_at=None).exclude(case__status=CLOSED)
    return rows.select_related("case").order_by("due_at", "pk")


def pressing_deadlines(seller: Seller, now: datetime) -> QuerySet[CaseDeadline]:
    """What the first page shows."""
    return open_deadlines(seller).filter(due_at__lte=now + SHOWN_BEFORE)


def deadline_words(deadline: CaseDeadline, language: str) -> str:
    """What is due, in a language of the interface."""
    rule = load_rules().get(deadline.rule)
    return rule.words.in_language(language) if rule else deadline.label


# Reminders ------------------------------------------------------------------------------------------------------


def remind(now: datetime | None = None) -> int:
    """Send what is due for a reminder, 48 and 8 hours ahead, to the seller's owners and IP managers; return how many
    went out.

    Each is marked in the transaction that sends it: a crash between the two sends it again, and none is lost. A mail
    server that refuses leaves it for the next round. Without a mail server the first page alone reminds.
    """
    moment = now or timezone.now()
    late = Q(due_at__lte=moment + LATE, reminded_8h_at=None)
    early = Q(due_at__lte=moment + EARLY, reminded_48h_at=None)
    rows = CaseDeadline.objects.filter(late | early, done_at=None, due_at__gt=moment).exclude(case__status=CLOSED)
    sent = 0
    for key in rows.order_by("due_at").values_list("pk", flat=True)[:MAX_REMINDERS]:
        try:
            sent += _remind_of(key, moment)
        except (SMTPException, OSError) as error:
            logger.warning("a reminder could not be sent: %s", error)
            break
    return sent


def _remind_of(key: int, now: datetime) -> int:
    with transaction.atomic():
        rows = CaseDeadline.objects.select_for_update(of=("self",)).select_related("case", "seller")
        row = rows.get(pk=key)
        is_late = row.due_at <= now + LATE
        if row.done_at or (row.reminded_8h_at if is_late else row.reminded_48h_at):
            return 0  # another process was first
        row.reminded_48h_at = row.reminded_48h_at or now  # eight hours ahead, the earlier reminder is of no use
        if is_late:
            row.reminded_8h_at = now
        row.save(update_fields=["reminded_48h_at", "reminded_8h_at"])
        to = _recipients(row.seller)
        record(row.case, REMINDED, actor=None, after="8 h" if is_late else "48 h", note=", ".join(to))
        if not to:
            return 0
        _mail(row, to)
    return 1


def _recipients(seller: Seller) -> list[str]:
    """Nobody without a mail server."""
    if not settings.EMAIL_URL and "locmem" not in settings.EMAIL_BACKEND:
        return []
    rows = Membership.objects.of(seller).filter(role__in=[Role.OWNER, Role.IP_MANAGER], user__is_active=True)
    return sorted(rows.values_list("user__email", flat=True))


def _mail(row: CaseDeadline, to: list[str]) -> None:
    """One mail in both languages. It names the case by number only: mail is read by others too."""
    url = (settings.PUBLIC_URL or "") + reverse("compliance:case_detail", args=[row.case.number])

    def body() -> tuple[str, str]:
        words = deadline_words(row, get_language() or "en")
        facts = {"what": words, "when": _shown(row.due_at), "case": row.case.number, "url": url}
        subject = _("Due %(when)s: case %(case)s") % facts
        text = _("Case %(case)s: %(what)s\nDue: %(when)s\n%(url)s") % facts
        return subject, text

    english, chinese = both_languages(body)
    subject = f"{settings.EMAIL_SUBJECT_PREFIX}{chinese[0]} / {english[0]}"
    EmailMessage(subject, f"{chinese[1]}\n\n{english[1]}\n", bcc=to).send()
