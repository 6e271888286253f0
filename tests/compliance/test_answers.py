"""Answers to a check's questions: they decide the verdict, hold for the SKU, can be taken back, and are all on record."""

import json

import pytest
from django.core.exceptions import PermissionDenied
from PIL import Image, ImageDraw, ImageFont

from compliance.models import CheckRun, CheckVerdict, FindingAnswer
from compliance.services.answers import (
    NoQuestionError,
    answer_questions,
    by_number,
    subject_of,
    withdraw_answers,
)
from compliance.services.check_receipt import receipt_of
from ledger.models import Statement
from ledger.services.blobs import read_blob
from ledger.services.evidence import evidence_zip
from ledger.services.log import own_policy
from ledger.tlog.verify import verify_bundle
from tests.compliance.check_pairs import checked
from tests.compliance.checks.pictures import with_promotion
from tests.compliance.test_checks_service import text_of
from tests.images import jpeg_bytes, product_photo

pytestmark = pytest.mark.usefixtures("log")


def printed(seed: int = 1, at=(240, 350), words: str = "SUMMIT 12") -> Image.Image:
    """A product with a name printed on it."""
    image = product_photo(seed)
    ImageDraw.Draw(image).text(at, words, font=ImageFont.load_default(40), fill=(250, 250, 250))
    return image


def asked(seller, image: Image.Image | None = None, quality: int = 90, **changes) -> CheckRun:
    """A check whose one question is about the print."""
    image = image or printed()
    main, hidden = (jpeg_bytes(each, quality=quality) for each in (with_promotion(image), image))
    return checked(seller, main=main, hidden=hidden, **changes)


def questions(run: CheckRun) -> list[int]:
    return [n for n, each in enumerate(run.report["findings"], start=1) if each["level"] == "CONFIRM"]


def claims(run: CheckRun) -> list[dict]:
    rows = Statement.objects.filter(kind="check.recorded", request_id__startswith=f"check-{run.number}")
    return [json.loads(bytes(row.claim)) for row in rows.order_by("entry")]


@pytest.mark.parametrize(
    ("answer", "verdict", "level"), [("product", "PASSED", "ANSWERED"), ("added", "FAILED", "ERROR")]
)
def test_an_answer_decides_and_is_an_entry_of_its_own(seller, olga, assert_log_valid, answer, verdict, level):
    run = asked(seller)
    assert (run.verdict, questions(run)) == ("INDETERMINATE", [1])
    answer_questions(actor=olga, run=run, numbers=[1], answer=answer)
    run = CheckRun.objects.get()
    assert run.verdict == verdict
    assert by_number(run.answers) == {1: answer}
    assert run.answers[0]["by"] == str(olga)
    assert run.report["verdict"] == "INDETERMINATE"  # what the check itself said stays
    assert [(each["verdict"], each["findings"][0]["level"]) for each in claims(run)] == [
        ("INDETERMINATE", "CONFIRM"),
        (verdict, level),
    ]
    assert assert_log_valid() == 2


def test_an_answer_can_be_taken_back(seller, olga, assert_log_valid):
    run = asked(seller)
    answer_questions(actor=olga, run=run, numbers=[1], answer="product")
    withdraw_answers(actor=olga, run=run, numbers=[1])
    run = CheckRun.objects.get()
    assert (run.verdict, run.answers) == ("INDETERMINATE", [])
    gone = FindingAnswer.objects.get()
    assert (gone.withdrawn_by, gone.withdrawn_at is not None) == (olga, True)
    assert assert_log_valid() == 3


def test_the_same_answer_again_makes_no_entry(seller, olga):
    run = asked(seller)
    answer_questions(actor=olga, run=run, numbers=[1], answer="product")
    withdraw_answers(actor=olga, run=run, numbers=[1])
    withdraw_answers(actor=olga, run=run, numbers=[1])
    assert CheckVerdict.objects.count() == 2


def test_another_answer_replaces_the_first(seller, olga):
    run = asked(seller)
    answer_questions(actor=olga, run=run, numbers=[1], answer="product")
    answer_questions(actor=olga, run=run, numbers=[1], answer="added")
    assert CheckRun.objects.get().verdict == "FAILED"
    assert FindingAnswer.objects.filter(withdrawn_at=None).count() == 1


def test_the_next_check_of_the_sku_knows_the_answer(seller, olga):
    """Another export of the photo, with other bytes and another compression."""
    answer_questions(actor=olga, run=asked(seller, sku="SKU-7"), numbers=[1], answer="product")
    again = asked(seller, quality=84, sku="SKU-7")
    assert (again.verdict, by_number(again.answers)) == ("PASSED", {1: "product"})
    assert claims(again)[0]["findings"][0]["level"] == "ANSWERED"
    assert not again.verdicts.exists()


def test_without_a_sku_the_main_image_is_remembered(seller, olga):
    first = asked(seller)
    assert subject_of(first).startswith("main:")
    answer_questions(actor=olga, run=first, numbers=[1], answer="product")
    again = checked(seller, main=first.main_image, hidden=first.hidden_image)
    assert again.verdict == "PASSED"


@pytest.mark.parametrize(
    "other",
    [{"sku": "SKU-8", "image": printed(2)}, {"sku": "SKU-7", "image": printed(at=(240, 500), words="SUMMIT 1234")}],
    ids=["another SKU", "another place"],
)
def test_an_answer_reaches_no_further(seller, olga, other):
    answer_questions(actor=olga, run=asked(seller, sku="SKU-7"), numbers=[1], answer="product")
    run = asked(seller, **other)
    assert questions(run)
    assert (run.verdict, run.answers) == ("INDETERMINATE", [])


def test_what_was_taken_back_is_asked_again(seller, olga):
    run = asked(seller, sku="SKU-7")
    answer_questions(actor=olga, run=run, numbers=[1], answer="product")
    withdraw_answers(actor=olga, run=run, numbers=[1])
    assert asked(seller, sku="SKU-7").verdict == "INDETERMINATE"


def test_another_sellers_answer_is_not_known(seller, other_seller, olga):
    answer_questions(actor=olga, run=asked(seller, sku="SKU-7"), numbers=[1], answer="product")
    assert asked(other_seller, sku="SKU-7").verdict == "INDETERMINATE"


def test_viewer_and_strangers_cannot_answer(seller, bob, mallory):
    run = asked(seller)
    for person in (bob, mallory):
        with pytest.raises(PermissionDenied):
            answer_questions(actor=person, run=run, numbers=[1], answer="product")
        with pytest.raises(PermissionDenied):
            withdraw_answers(actor=person, run=run, numbers=[1])


@pytest.mark.parametrize("numbers", [[], [2], [1, 2], [0]])
def test_only_a_question_can_be_answered(seller, olga, numbers):
    with pytest.raises(NoQuestionError):
        answer_questions(actor=olga, run=asked(seller), numbers=numbers, answer="product")
    assert not FindingAnswer.objects.exists()


def test_the_receipt_says_who_answered_what_and_when(seller, olga):
    run = asked(seller)
    before = receipt_of(actor=olga, run=run)
    answer_questions(actor=olga, run=run, numbers=[1], answer="product")
    after = receipt_of(actor=olga, run=run)
    assert before != after
    text = text_of(read_blob(after.blob))
    assert "thesellersaysthatitbelongstotheproduct" in text
    assert str(olga).replace(" ", "") in text
    assert run.answers[0]["at"] in text
    assert "PASSED" in text
    assert "thesellersays" not in text_of(read_blob(before.blob))


def test_a_stranger_verifies_the_evidence_of_an_answered_check(seller, olga):
    run = asked(seller)
    answer_questions(actor=olga, run=run, numbers=[1], answer="added")
    archive = evidence_zip(actor=olga, certificate=receipt_of(actor=olga, run=run))
    assert verify_bundle(archive, own_policy()).verdict == "PASSED"
