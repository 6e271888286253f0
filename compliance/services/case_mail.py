"""From a pasted mail to a proposal: which of the seller's open cases it is about, and what it would change. Writes
nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from compliance.cases.deadlines import DeadlineRule, Due, due_after, rules_after
from compliance.cases.mail import NOTICE, MailFacts, read_mail
from compliance.cases.platforms import targets_for
from compliance.cases.steps import CLOSED, STEPS
from compliance.cases.target import Target
from compliance.models import Case, CaseKind
from compliance.services.case_deadlines import zone_of_seller
from ledger.accounts.models import Seller, User
from ledger.accounts.permissions import Permission, require_permission

MAX_CASES = 5


@dataclass(frozen=True, slots=True)
class Proposal:
    """cases: open ones that the mail may be about, the likeliest first, each with whether it may take the step;
    targets: of a new defence; deadlines: what would be due, by rule, for the first case or the first target."""

    facts: MailFacts
    at: datetime
    cases: tuple[tuple[Case, bool], ...]
    targets: tuple[Target, ...]
    deadlines: tuple[tuple[DeadlineRule, Due], ...]

    @property
    def is_notice(self) -> bool:
        return self.facts.event == NOTICE


def propose(*, actor: User | None, seller: Seller, text: str) -> Proposal:
    """Read a mail and look for its case."""
    require_permission(actor, seller, Permission.MANAGE_CASES)
    facts = read_mail(text)
    at = min(facts.at or timezone.now(), timezone.now())
    found = tuple((case, facts.event in STEPS[case.status]) for case in _cases(seller, facts))
    targets = tuple(targets_for(facts.platform, CaseKind.DEFENCE)) if facts.event == NOTICE else ()
    target, kind = (
        (targets[0].id, CaseKind.DEFENCE) if targets else (found[0][0].target, found[0][0].kind) if found else ("", "")
    )
    had = list(found[0][0].deadlines.values_list("rule", flat=True)) if found and not targets else []
    rules = rules_after(facts.event, target=target, kind=kind, known=had) if facts.event else []
    due = tuple((rule, due_after(rule, at, zone_of_seller(seller))) for rule in rules)
    return Proposal(facts, at, found, targets, due)


def _cases(seller: Seller, facts: MailFacts) -> list[Case]:
    """By our number in it, by the platform's reference, by a listing."""
    words = [*facts.references, *facts.items]
    if not words and not facts.urls:
        return []
    known = Q(portal_ref__in=words) | Q(notice_ref__in=words) | Q(number__in=[word.upper() for word in words])
    about = Q(infringements__listing_ref__in=words) | Q(infringements__url__in=facts.urls)
    rows = Case.objects.of(seller).exclude(status=CLOSED)
    exact = list(rows.filter(known).order_by("-pk")[:MAX_CASES])
    others = rows.filter(pk__in=rows.filter(about).values("pk")).exclude(pk__in=[case.pk for case in exact])
    return [*exact, *others.order_by("-pk")][:MAX_CASES]
