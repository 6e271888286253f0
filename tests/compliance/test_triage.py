"""Deciding about matches: one or many, with history, a way back, and only by those who may."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied

from compliance.models import MatchDecision, MatchState, WatchMatch
from compliance.services.triage import cluster_matches, clusters, decide, last_decision, undo
from tests.compliance.matches import edited_match, many_matches

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]


@pytest.fixture
def match(seller) -> WatchMatch:
    return edited_match(seller)


def rows(match: WatchMatch):
    return WatchMatch.objects.filter(pk=match.pk)


def test_a_decision_keeps_who_when_and_why(match, seller, ivan):
    done = decide(actor=ivan, seller=seller, matches=rows(match), state=MatchState.LICENSED, reason=" agency 2026 ")
    match.refresh_from_db()
    assert (done.count, match.state, match.reason, match.decided_by) == (1, "licensed", "agency 2026", ivan)
    assert match.decided_at is not None
    (decision,) = match.decisions.all()
    assert (decision.state_before, decision.state_after, decision.actor) == ("open", "licensed", ivan)


def test_the_same_decision_again_changes_nothing(match, seller, ivan):
    decide(actor=ivan, seller=seller, matches=rows(match), state=MatchState.COPY)
    assert decide(actor=ivan, seller=seller, matches=rows(match), state=MatchState.COPY).count == 0
    assert MatchDecision.objects.count() == 1


def test_undo_gives_back_what_was_before(match, seller, ivan, alice):
    decide(actor=alice, seller=seller, matches=rows(match), state=MatchState.COPY, reason="theirs")
    second = decide(actor=ivan, seller=seller, matches=rows(match), state=MatchState.OURS)
    assert undo(actor=ivan, seller=seller, batch=second.batch) == 1
    match.refresh_from_db()
    assert (match.state, match.reason, match.decided_by) == ("copy", "theirs", alice)
    assert match.decisions.get(batch=second.batch).undone_by == ivan


def test_undo_twice_does_nothing_more(match, seller, ivan):
    done = decide(actor=ivan, seller=seller, matches=rows(match), state=MatchState.COPY)
    assert [undo(actor=ivan, seller=seller, batch=done.batch) for _ in range(2)] == [1, 0]
    match.refresh_from_db()
    assert (match.state, match.decided_by, match.decided_at) == ("open", None, None)


def test_what_was_decided_anew_is_not_taken_back_by_an_earlier_undo(match, seller, ivan, alice):
    first = decide(actor=ivan, seller=seller, matches=rows(match), state=MatchState.COPY)
    decide(actor=alice, seller=seller, matches=rows(match), state=MatchState.OURS)
    assert undo(actor=ivan, seller=seller, batch=first.batch) == 0
    match.refresh_from_db()
    assert match.state == "ours"


def test_a_person_takes_back_their_own_last_decision(match, seller, ivan, alice):
    decide(actor=ivan, seller=seller, matches=rows(match), state=MatchState.COPY)
    assert last_decision(actor=alice, seller=seller) is None
    assert last_decision(actor=ivan, seller=seller).match == match


def test_a_cluster_is_decided_and_taken_back_as_one(seller, ivan):
    many_matches(seller, 25)
    found = {row["key"]: row["n"] for row in clusters(seller, "shop", MatchState.OPEN)}
    assert sum(found.values()) == 25
    done = decide(
        actor=ivan, seller=seller, matches=cluster_matches(seller, "shop", "id:s3"), state=MatchState.COPY, reason="all"
    )
    assert done.count == found["id:s3"] == 3
    assert WatchMatch.objects.filter(state=MatchState.COPY).count() == 3
    assert undo(actor=ivan, seller=seller, batch=done.batch) == 3
    assert not WatchMatch.objects.exclude(state=MatchState.OPEN).exists()


@pytest.mark.parametrize("by", ["original", "shop", "transform"])
def test_clusters_count_every_open_match_once(seller, by):
    many_matches(seller, 12)
    assert sum(row["n"] for row in clusters(seller, by, MatchState.OPEN)) == 12


@pytest.mark.parametrize("who", ["olga", "bob", "mallory"])
def test_only_owners_and_ip_managers_decide(match, seller, who, request):
    actor = request.getfixturevalue(who)
    with pytest.raises(PermissionDenied):
        decide(actor=actor, seller=seller, matches=rows(match), state=MatchState.COPY)
    with pytest.raises(PermissionDenied):
        undo(actor=actor, seller=seller, batch="x")


def test_a_match_of_another_seller_is_left_alone(match, other_seller, mallory):
    assert decide(actor=mallory, seller=other_seller, matches=rows(match), state=MatchState.COPY).count == 0
    match.refresh_from_db()
    assert match.state == "open"


@pytest.mark.parametrize("state", ["open", "theirs", ""])
def test_what_is_no_decision_is_refused(match, seller, ivan, state):
    with pytest.raises(ValueError, match="no such decision"):
        decide(actor=ivan, seller=seller, matches=rows(match), state=state)
