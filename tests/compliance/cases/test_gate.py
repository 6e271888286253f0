"""The gate: a complete case passes for every target, and one without a required item is refused by that item's name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from compliance.cases.case_file import Attachment, Infringement, Relationship
from compliance.cases.errors import UnknownTargetError
from compliance.cases.facts import FACTS
from compliance.cases.gate import EXPIRED, TOO_LARGE, TOO_LONG, TOO_MANY, WRONG_TYPE, judge
from compliance.cases.right_to_complain import has_earlier_proof
from compliance.cases.target import LETTER_LANGUAGES, STATEMENTS, find_target, load_targets
from tests.compliance.cases.complete import complete, every_kind, without

TWELVE = {
    *("alibaba_ipp", "aliexpress_seed", "amazon_report", "ebay_vero", "temu_portal", "shopee_portal"),
    *("tiktok_ippc", "mercadolibre_counter", "dmca_512c3", "dsa_art16", "cn_ecl42", "cn_court"),
}


def required_of(target_id: str, kind: str) -> list[str]:
    """The ids of all items that a target requires in that kind of case, read from its data."""
    target = find_target(target_id, kind)
    facts = [rule.fact for rule in target.fields if rule.required and kind in rule.kinds]
    statements = [f"statement.{rule.which}" for rule in target.statements if kind in rule.kinds]
    return [*facts, *statements]


SINGLE = [(*pair, item) for pair in every_kind() for item in required_of(*pair)]
GROUPS = [(*pair, group) for pair in every_kind() for group in find_target(pair[0]).any_of if pair[1] in group.kinds]


def problems(case) -> dict[str, str]:
    return {item.id: item.problem for item in judge(case).missing}


def test_the_twelve_targets_are_there():
    assert load_targets().keys() == TWELVE


@pytest.mark.parametrize("target_id", sorted(TWELVE))
def test_data_names_only_what_the_gate_knows(target_id):
    target = find_target(target_id)
    named = [rule.fact for rule in target.fields]
    named += [fact for group in target.any_of for option in group.options for fact in option]
    assert set(named) <= FACTS.keys()
    assert {rule.which for rule in target.statements} <= set(STATEMENTS)
    assert set(target.languages) <= set(LETTER_LANGUAGES)
    assert target.source.text.en
    assert target.source.text.zh
    assert target.source.status in ("published", "reported", "unverified")


@pytest.mark.parametrize(("target_id", "kind"), every_kind())
def test_a_complete_case_passes(target_id, kind):
    gate = judge(complete(find_target(target_id, kind), kind))
    assert gate.missing == ()
    assert gate.score == (gate.score[1], gate.score[1])
    assert gate.is_open


@pytest.mark.parametrize(("target_id", "kind", "item"), SINGLE)
def test_a_missing_item_is_refused_by_name(target_id, kind, item):
    case = complete(find_target(target_id, kind), kind)
    gate = judge(without(case, item))
    assert not gate.is_open
    assert item in {each.id for each in gate.missing}
    met, required = gate.score
    assert required - met == len(gate.missing)


@pytest.mark.parametrize(("target_id", "kind", "group"), GROUPS, ids=lambda value: getattr(value, "id", value))
def test_a_group_without_any_complete_option_is_refused_by_name(target_id, kind, group):
    case = complete(find_target(target_id, kind), kind)
    for option in group.options:
        case = without(case, option[0])
    assert group.id in problems(case)


@pytest.mark.parametrize(("target_id", "kind", "group"), GROUPS, ids=lambda value: getattr(value, "id", value))
def test_each_option_of_a_group_is_enough(target_id, kind, group):
    whole = complete(find_target(target_id, kind), kind)
    for kept in group.options:
        case = whole
        for option in group.options:
            for fact in option:
                case = case if fact in kept else without(case, fact)
        assert group.id not in problems(_with_files_of(whole, case, kept)), kept


def _with_files_of(whole, case, kept):
    """The attachments that are left, with those of the kept option given back."""
    wanted = {fact.partition(".")[2] for fact in kept if fact.startswith("attachment.")}
    left = {each.role for each in case.attachments} | wanted
    return replace(case, attachments=tuple(each for each in whole.attachments if each.role in left))


def test_a_target_refuses_a_kind_it_has_no_form_for():
    with pytest.raises(UnknownTargetError):
        judge(replace(complete(find_target("cn_court"), "court_bundle"), kind="complaint"))


# The right to complain -----------------------------------------------------------------------------------------


def ebay():
    return complete(find_target("ebay_vero"), "complaint")


def amazon():
    return complete(find_target("amazon_report"), "complaint")


def asked(case, **answers: str):
    return problems(replace(case, relationship=replace(case.relationship, **answers)))


def test_nobody_is_asked_to_guess():
    case = replace(ebay(), relationship=Relationship())
    assert set(problems(case)) == {
        *("right.ebay_catalogue", "right.authorised_reseller", "right.image_source", "right.photographer")
    }


@pytest.mark.parametrize(
    ("make", "answers", "item"),
    [
        (ebay, {"in_ebay_catalogue": "yes"}, "right.ebay_catalogue"),
        (amazon, {"on_shared_asin": "yes"}, "right.shared_asin"),
        (ebay, {"is_authorised_reseller": "yes"}, "right.authorised_reseller"),
        (ebay, {"image_source": "supplier"}, "right.image_source"),
        (ebay, {"image_source": "ai_generated"}, "right.image_source"),
        (ebay, {"photographer": "none"}, "right.photographer"),
        (ebay, {"photographer": "assignment"}, "right.photographer"),
    ],
)
def test_a_wrong_answer_blocks(make, answers, item):
    assert asked(make(), **answers) == {item: "missing"}


def test_ebay_question_is_asked_of_ebay_only():
    assert asked(amazon(), in_ebay_catalogue="yes") == {}


def test_a_supplier_photo_with_an_assignment_passes():
    case = ebay()
    case = replace(case, right=replace(case.right, ownership_basis="assignment"))
    assert asked(case, image_source="supplier", photographer="assignment") == {}


def test_a_machine_made_picture_is_advice_outside_the_law_of_the_us():
    case = complete(find_target("cn_ecl42"), "complaint")
    gate = judge(replace(case, relationship=replace(case.relationship, image_source="ai_generated")))
    assert gate.is_open
    assert "right.image_source" in {item.id for item in gate.advice}


def bare(case, seen: datetime | None):
    """Nothing but our entry says when the work existed."""
    work = replace(case.works[0], roles=frozenset({"original"}))
    right = replace(case.right, published_on=None, registered_on=None)
    kept = tuple(each for each in case.attachments if each.role != "outtake")
    listing = replace(case.infringements[0], first_seen=seen)
    return replace(case, works=(work,), right=right, attachments=kept, infringements=(listing,))


def test_a_proof_younger_than_their_first_sighting_blocks():
    case = bare(ebay(), datetime(2026, 1, 4, tzinfo=UTC))
    assert problems(case) == {"right.earlier_proof": "missing"}
    assert has_earlier_proof(case) is False


def test_an_older_proof_passes():
    case = bare(ebay(), datetime(2026, 1, 6, tzinfo=UTC))
    assert problems(case) == {}
    assert has_earlier_proof(case) is True


@pytest.mark.parametrize("change", [{"published_on": date(2026, 1, 2)}, {"registered_on": date(2025, 5, 1)}])
def test_an_earlier_publication_or_registration_answers_for_a_younger_proof(change):
    case = bare(ebay(), datetime(2026, 1, 4, tzinfo=UTC))
    assert problems(replace(case, right=replace(case.right, **change))) == {}


def test_an_unknown_sighting_is_advice():
    case = bare(ebay(), None)
    assert problems(case) == {}
    assert "right.earlier_proof" in {item.id for item in judge(case).advice}
    assert has_earlier_proof(case) is None


# Limits and expiry ----------------------------------------------------------------------------------------------


def test_an_agent_needs_a_letter_that_has_not_expired():
    case = ebay()
    case = replace(case, complainant=replace(case.complainant, role="agent"))
    others = tuple(each for each in case.attachments if each.role != "authorisation")
    letter = Attachment("authorisation", "loa.pdf", "application/pdf", 10, expires_on=date(2026, 11, 29))
    assert problems(case) == {}
    assert problems(replace(case, attachments=others)) == {"attachment.authorisation": "missing"}
    assert problems(replace(case, attachments=(*others, letter))) == {"attachment.authorisation": EXPIRED}
    valid = replace(letter, expires_on=date(2026, 11, 30))
    assert problems(replace(case, attachments=(*others, valid))) == {}


def listings(case, number: int):
    first: Infringement = case.infringements[0]
    return replace(case, infringements=tuple(replace(first, url=f"{first.url}?{n}") for n in range(number)))


def test_temu_takes_200_listings_and_no_more():
    case = complete(find_target("temu_portal"), "complaint")
    assert problems(listings(case, 200)) == {}
    assert problems(listings(case, 201)) == {"limit.links": TOO_MANY}


def test_alibaba_takes_ten_links_without_an_account():
    case = replace(complete(find_target("alibaba_ipp"), "complaint"), has_account="no")
    assert problems(listings(case, 10)) == {}
    assert problems(listings(case, 11)) == {"limit.links_without_account": TOO_MANY}
    assert problems(replace(listings(case, 11), has_account="yes")) == {}


def test_ebay_takes_a_message_of_1000_characters():
    assert problems(replace(ebay(), message="x" * 1000)) == {}
    assert problems(replace(ebay(), message="x" * 1001)) == {"limit.message": TOO_LONG}


def test_ebay_takes_a_patent_number_of_15_characters():
    case = ebay()
    assert problems(replace(case, right=replace(case.right, registration_no="1" * 16))) == {
        "limit.right.registration_no": TOO_LONG
    }


def test_the_seed_portal_takes_pdf_under_10_mb_only():
    case = complete(find_target("aliexpress_seed"), "complaint")
    for size, found in ((9_999_999, {}), (10_000_000, {"limit.attachment": TOO_LARGE})):
        large = Attachment("first_publication", "proof.pdf", "application/pdf", size)
        assert problems(replace(case, attachments=(*case.attachments, large))) == found
    picture = Attachment("other", "shot.png", "image/png", 10)
    assert problems(replace(case, attachments=(*case.attachments, picture))) == {"limit.attachment": WRONG_TYPE}


def test_alibaba_takes_no_word_file():
    case = complete(find_target("alibaba_ipp"), "complaint")
    statement = Attachment("claim_statement", "claim.doc", "application/msword", 10)
    assert problems(replace(case, attachments=(*case.attachments, statement))) == {"limit.attachment": WRONG_TYPE}


def test_amazon_takes_pictures_only_when_one_appeals():
    pdf = Attachment("invoice", "invoice.pdf", "application/pdf", 10)
    appeal = complete(find_target("amazon_report"), "counter_notice")
    assert problems(replace(appeal, attachments=(*appeal.attachments, pdf))) == {"limit.attachment": WRONG_TYPE}
    assert problems(replace(amazon(), attachments=(*amazon().attachments, pdf))) == {}
