"""Cases end to end in the services: opening, the gate, ticks, steps, holds, files, and who may do it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from compliance.cases import steps
from compliance.cases.errors import (
    ClosedError,
    FileRefusedError,
    NoteMissingError,
    NotReadyError,
    StepError,
    UnknownTargetError,
)
from compliance.models import Case, CaseEvent
from compliance.services.case_files import gate_of
from compliance.services.case_parts import (
    NameMissingError,
    NothingTickedError,
    add_listing,
    add_work,
    attached_bytes,
    edit_listing,
    remove_file,
    remove_work,
    tick_statements,
)
from compliance.services.cases import NotChangeableError, edit_case, move_case, note_costs, open_case
from ledger.accounts.numbers import new_number
from ledger.models import Hold
from ledger.services.blobs import BlobUnreadableError, read_blob
from ledger.services.erasure import OnHoldError, erase_original
from ledger.services.evidence_sets import add_files, open_draft, register_set
from ledger.services.originals import Upload
from tests.compliance.case_world import ANSWERS, attach, draft, listing, ready, tick_all
from tests.factories import register_one

pytestmark = pytest.mark.usefixtures("log")


def fresh(case: Case) -> Case:
    return Case.objects.get(pk=case.pk)


def story(case: Case) -> list[tuple[str, str, str]]:
    return list(case.events.values_list("what", "before", "after"))


def test_a_new_case_knows_its_original_and_listing(seller, ivan):
    case = draft(seller, actor=ivan)
    row = case.infringements.get()
    assert (row.platform, row.listing_ref, row.work.original.seller) == ("ebay", "4000123456", seller)
    assert case.status == steps.DRAFT
    assert case.created_by == ivan
    assert story(case) == [("opened", "", "ebay_vero")]


def test_who_we_are_is_remembered_but_neither_signature_nor_ticks(seller):
    ready(seller)
    second = open_case(actor=None, seller=seller, kind="complaint", target="temu_portal")
    assert second.legal_name == "Acme Trading"
    assert second.signature == ""
    assert not second.statements.exists()


def test_what_is_known_of_an_original_is_remembered_but_not_who_the_other_side_is(seller):
    first = ready(seller)
    edit_case(
        actor=None,
        case=first,
        values={"image_source": "self", "photographer": "employee", "author": "Mei", "is_authorised_reseller": "no"},
    )
    original = first.works.get().original
    again = open_case(actor=None, seller=seller, kind="complaint", target="temu_portal", works=[original])
    assert (again.image_source, again.photographer, again.author) == ("self", "employee", "Mei")
    assert (again.is_authorised_reseller, again.message) == ("", "")
    other = register_one(seller, 77)
    for works in ([other], [original, other], []):
        fresh_case = open_case(actor=None, seller=seller, kind="complaint", target="temu_portal", works=works)
        assert fresh_case.author == "", works


def test_the_gate_moves_a_case_to_gap_and_to_ready(seller):
    case = draft(seller)
    edit_case(actor=None, case=case, values={"legal_name": "Acme"})
    assert fresh(case).status == steps.GAP
    edit_case(actor=None, case=case, values=ANSWERS)
    assert fresh(case).status == steps.GAP  # the statements are missing
    tick_all(case)
    assert fresh(case).status == steps.READY
    assert gate_of(fresh(case)).is_open


def test_a_change_withdraws_what_was_sworn(seller):
    case = ready(seller)
    edit_case(actor=None, case=case, values={"title": "Another name"})
    assert fresh(case).status == steps.READY
    edit_case(actor=None, case=case, values={"message": "Something else."})
    changed = fresh(case)
    assert changed.status == steps.GAP
    assert changed.signature == ""
    assert not changed.statements.exists()
    assert {item.id for item in gate_of(changed).missing} == {
        *("statement.good_faith", "statement.accuracy", "statement.authority_under_perjury", "signature")
    }


def test_the_same_values_again_change_nothing(seller):
    case = ready(seller)
    edit_case(actor=None, case=case, values=ANSWERS)
    assert fresh(case).status == steps.READY


def test_ready_and_submitted_are_refused_by_the_name_of_what_is_missing(seller):
    case = draft(seller)
    for to in (steps.READY, steps.SUBMITTED):
        if to == steps.SUBMITTED:
            with pytest.raises(StepError):
                move_case(actor=None, case=case, to=to)
            continue
        with pytest.raises(NotReadyError) as refused:
            move_case(actor=None, case=case, to=to)
        assert "complainant.legal_name" in refused.value.items
        assert "statement.good_faith" in refused.value.items


def test_what_expired_since_keeps_a_ready_case_from_being_submitted(seller, monkeypatch):
    case = ready(seller)
    attach(case, role="authorisation", expires_on=timezone.localdate())
    edit_case(actor=None, case=case, values={"complainant_role": "agent"})
    tick_all(case)
    assert fresh(case).status == steps.READY
    later = timezone.localdate() + timedelta(days=1)
    monkeypatch.setattr("django.utils.timezone.localdate", lambda *args: later)
    with pytest.raises(NotReadyError) as refused:
        move_case(actor=None, case=case, to=steps.SUBMITTED)
    assert refused.value.items == ("attachment.authorisation",)


def test_a_whole_story(seller, ivan):
    case = ready(seller, actor=ivan)
    for to, note in (
        (steps.SUBMITTED, ""),
        (steps.CLARIFICATION, "They want the invoice"),
        (steps.SUBMITTED, ""),
        (steps.REMOVED, ""),
        (steps.COUNTERED, "They say it is theirs"),
        (steps.ACCEPTED, ""),
        (steps.CLOSED, ""),
    ):
        if to == steps.SUBMITTED:
            tick_all(case, actor=ivan)
        move_case(actor=ivan, case=case, to=to, note=note, portal_ref="R-1" if to == steps.SUBMITTED else "")
    done = fresh(case)
    assert (done.status, done.outcome, done.was_countered, done.portal_ref) == ("closed", "accepted", True, "R-1")
    assert done.submitted_by == ivan
    assert done.closed_at
    assert "works" in done.items_at_submission
    moves = [(event.before, event.after, event.actor) for event in done.events.filter(what="moved")]
    assert moves[-1] == ("accepted", "closed", ivan)
    assert all(event.at.tzinfo for event in done.events.all())


def test_steps_that_are_not_there_are_refused(seller):
    case = ready(seller)
    with pytest.raises(StepError):
        move_case(actor=None, case=case, to=steps.REMOVED)
    with pytest.raises(NoteMissingError):
        move_case(actor=None, case=case, to=steps.WITHDRAWN)
    move_case(actor=None, case=case, to=steps.WITHDRAWN, note="sold the brand")
    move_case(actor=None, case=case, to=steps.CLOSED)
    with pytest.raises(ClosedError):
        move_case(actor=None, case=case, to=steps.SUBMITTED)
    with pytest.raises(ClosedError):
        edit_case(actor=None, case=case, values={"message": "x"})
    with pytest.raises(ClosedError):
        attach(case)


def test_what_was_submitted_is_changed_only_when_asked(seller):
    case = ready(seller)
    move_case(actor=None, case=case, to=steps.SUBMITTED)
    with pytest.raises(NotChangeableError):
        edit_case(actor=None, case=case, values={"message": "x"})
    move_case(actor=None, case=case, to=steps.CLARIFICATION, note="more")
    edit_case(actor=None, case=case, values={"message": "x"})
    with pytest.raises(NotReadyError):
        move_case(actor=None, case=case, to=steps.SUBMITTED)


def test_every_step_leads_to_a_state_and_only_closed_ends():
    assert set(steps.STEPS) == set(steps.STATES)
    assert {to for after in steps.STEPS.values() for to in after} <= set(steps.STATES)
    assert [state for state, after in steps.STEPS.items() if not after] == [steps.CLOSED]


# Holds ----------------------------------------------------------------------------------------------------------


def test_an_original_in_an_open_case_cannot_be_erased(seller, alice):
    case = draft(seller, actor=alice)
    original = case.works.get().original
    with pytest.raises(OnHoldError) as refused:
        erase_original(actor=alice, original=original, reason="request")
    assert case.number in str(refused.value)
    move_case(actor=alice, case=case, to=steps.WITHDRAWN, note="mistake")
    assert Hold.objects.filter(original=original, released_at=None).exists()
    move_case(actor=alice, case=case, to=steps.CLOSED)
    erase_original(actor=alice, original=original, reason="request")


def test_two_cases_hold_an_original_until_both_are_closed(seller):
    first = draft(seller)
    original = first.works.get().original
    second = open_case(actor=None, seller=seller, kind="complaint", target="temu_portal", works=[original])
    move_case(actor=None, case=first, to=steps.WITHDRAWN, note="x")
    move_case(actor=None, case=first, to=steps.CLOSED)
    assert Hold.objects.filter(original=original, released_at=None).count() == 1
    remove_work(actor=None, work=second.works.get())
    assert not Hold.objects.filter(original=original, released_at=None).exists()


# Files and parts ------------------------------------------------------------------------------------------------


def test_an_attached_file_is_sealed_and_never_opened(seller):
    case = draft(seller)
    content = b"this is no PDF at all"
    row = attach(case, content=content)
    assert row.mime == "application/pdf"
    assert attached_bytes(actor=None, attachment=row) == content
    assert row.blob.seller == seller
    blob = row.blob
    remove_file(actor=None, attachment=row)
    blob.refresh_from_db()
    with pytest.raises(BlobUnreadableError):
        read_blob(blob)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.pdf", b"", "case.file_empty"),
        ("a.png", b"x", "case.file_wrong_type"),
        ("a.pdf", b"x" * 10_000_000, "case.file_too_large"),
    ],
)
def test_the_seed_portal_refuses_files_by_name(seller, name, content, code):
    case = draft(seller, target="aliexpress_seed")
    with pytest.raises(FileRefusedError) as refused:
        attach(case, name=name, content=content)
    assert refused.value.code == code
    assert not case.attachments.exists()


def test_a_pdf_just_under_10_mb_is_taken(seller):
    case = draft(seller, target="aliexpress_seed")
    assert attach(case, content=b"x" * 9_999_999).size_bytes == 9_999_999


def test_files_of_a_shoot_serve_as_proof(seller):
    case = draft(seller, target="alibaba_ipp")
    assert "proof_of_right" in {item.id for item in gate_of(case).missing}
    draft_set = open_draft(actor=None, seller=seller, number=new_number())
    add_files(actor=None, draft=draft_set, uploads=[Upload("shoot/outtake-1.mp4", b"film")])
    files = list(register_set(actor=None, draft=draft_set).files.all())
    add_work(actor=None, case=case, original=case.works.get().original, files=files)
    assert "proof_of_right" not in {item.id for item in gate_of(case).missing}


def test_a_listing_can_be_added_and_told_which_picture_it_uses(seller):
    case = draft(seller)
    other = register_one(seller, seed=7)
    work = add_work(actor=None, case=case, original=other)
    row = add_listing(actor=None, case=case, facts=listing(url="https://www.ebay.co.uk/itm/12345678"))
    assert (row.market, row.work) == ("US", None)
    assert "infringement.work" in {item.id for item in gate_of(case).missing}
    edit_listing(actor=None, listing=row, values={"work": work})
    assert "infringement.work" not in {item.id for item in gate_of(case).missing}


def test_an_address_that_is_no_web_address_is_not_kept(seller):
    case = draft(seller)
    row = add_listing(actor=None, case=case, facts=listing(url="javascript:alert(1)"))
    assert row.url == ""


def test_statements_need_a_name_and_are_stored_with_it(seller, ivan):
    case = draft(seller, actor=ivan)
    with pytest.raises(NameMissingError):
        tick_statements(actor=ivan, case=case, which=["accuracy"], name="  ")
    with pytest.raises(NothingTickedError):
        tick_statements(actor=ivan, case=case, which=[], name="Qiang")
    with pytest.raises(ValueError, match="not asked for"):
        tick_statements(actor=ivan, case=case, which=["truth_guarantee_cn"], name="Qiang")
    before = timezone.now()
    tick_statements(actor=ivan, case=case, which=["accuracy"], name="Qiang Li")
    row = case.statements.get()
    assert (row.which, row.name, row.ticked_by) == ("accuracy", "Qiang Li", ivan)
    assert before <= row.at <= timezone.now()


def test_costs_can_be_noted_after_closing(seller):
    case = draft(seller)
    move_case(actor=None, case=case, to=steps.WITHDRAWN, note="x")
    move_case(actor=None, case=case, to=steps.CLOSED)
    note_costs(actor=None, case=case, costs=Decimal(12), currency="cny")
    assert fresh(case).costs_currency == "CNY"


# Who may --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["bob", "olga", "mallory"])
def test_viewers_operators_and_strangers_can_do_nothing(request, seller, who):
    user = request.getfixturevalue(who)
    case = ready(seller)
    row = attach(draft(seller, seed=2))
    for act in (
        lambda: open_case(actor=user, seller=seller, kind="complaint", target="ebay_vero"),
        lambda: edit_case(actor=user, case=case, values={"message": "x"}),
        lambda: move_case(actor=user, case=case, to=steps.SUBMITTED),
        lambda: tick_statements(actor=user, case=case, which=["accuracy"], name="x"),
        lambda: attached_bytes(actor=user, attachment=row),
        lambda: note_costs(actor=user, case=case, costs=Decimal(1), currency="CNY"),
    ):
        with pytest.raises(PermissionDenied):
            act()


def test_an_original_of_another_seller_cannot_be_used(seller, other_seller):
    theirs = register_one(other_seller)
    with pytest.raises(ValueError, match="another seller"):
        open_case(actor=None, seller=seller, kind="complaint", target="ebay_vero", works=[theirs])
    with pytest.raises(ValueError, match="another seller"):
        add_work(actor=None, case=draft(seller), original=theirs)


def test_a_target_that_has_no_form_for_the_kind_is_refused(seller):
    with pytest.raises(UnknownTargetError):
        open_case(actor=None, seller=seller, kind="defence", target="aliexpress_seed")


def test_a_notice_computes_its_deadline_at_once(seller):
    received = datetime(2026, 9, 30, 1, 0, tzinfo=UTC)
    case = open_case(
        actor=None,
        seller=seller,
        kind="defence",
        target="alibaba_ipp",
        values={"notice_received_at": received, "notice_ref": "N-1"},
    )
    due = case.deadlines.get()
    assert (due.rule, due.due_at) == ("alibaba.counter1", datetime(2026, 10, 10, 1, 0, tzinfo=UTC))
    edit_case(actor=None, case=case, values={"notice_received_at": datetime(2026, 9, 29, 1, 0, tzinfo=UTC)})
    due.refresh_from_db()
    assert due.due_at == datetime(2026, 10, 9, 1, 0, tzinfo=UTC)
    assert case.deadlines.count() == 1


def test_events_are_never_changed_by_later_ones(seller):
    case = ready(seller)
    before = list(CaseEvent.objects.filter(case=case).values())
    move_case(actor=None, case=case, to=steps.SUBMITTED)
    assert list(CaseEvent.objects.filter(case=case).values())[: len(before)] == before
