"""Buttons of the result page: repairs, answers, another check, and what error codes mean."""

import pytest
from django.urls import reverse

from compliance.models import CheckRun, Repair
from compliance.services.answers import answer_questions
from compliance.services.checks import run_check
from compliance.services.repairs import run_repair, start_repair
from ledger.models import Blob, Job, JobState
from ledger.services.blobs import read_blob
from ledger.services.jobs import run_job
from tests.compliance.check_pairs import WEBP, checked
from tests.compliance.test_answers import asked
from tests.compliance.test_repairs import checked_with_original, marked
from tests.images import exif_bytes, jpeg_bytes, product_photo

pytestmark = pytest.mark.usefixtures("log")


def page_of(run: CheckRun | Repair, name: str = "check") -> str:
    return reverse(f"compliance:{name}", args=[run.number])


def words(response) -> str:
    return " ".join(response.content.decode().split())


def repaired(run: CheckRun) -> Repair:
    repair = run_repair(start_repair(actor=None, run=run, fix="all").pk)
    assert repair.check_run is not None
    run_check(repair.check_run.pk)
    return Repair.objects.select_related("check_run", "image__blob").get(pk=repair.pk)


def test_every_finding_that_can_be_mended_has_its_button(client_of, olga, seller):
    run = checked_with_original(seller, jpeg_bytes(marked(product_photo(3)), quality=70, exif=exif_bytes()))
    page = words(client_of(olga).get(page_of(run)))
    for fix, label in (
        ("from_original", "Replace the place from your original"),
        ("reencode", "Save like the main image"),
        ("strip", "Strip metadata"),
    ):
        assert f'name="fix" value="{fix}"' in page
        assert label in page
    assert "Nothing is painted over or invented." in page
    assert "Fix all that can be fixed (" in page


def test_what_cannot_be_mended_has_no_button(client_of, olga, seller):
    page = words(client_of(olga).get(page_of(asked(seller))))
    assert "compliance:check_repair" not in page
    assert 'name="fix"' not in page


def test_one_click_makes_the_file_and_its_check(client_of, olga, seller):
    run, client = checked(seller, hidden=WEBP), client_of(olga)
    answer = client.post(page_of(run, "check_repair"), {"fix": "all"})
    repair = Repair.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page_of(repair, "repair"))
    assert b'hx-trigger="every' in client.get(page_of(repair, "repair")).content
    run_job(repair.job_id)
    repair = Repair.objects.select_related("check_run", "image__blob").get()
    assert client.get(page_of(repair, "repair"), headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert client.get(page_of(repair, "repair"))["Location"] == page_of(repair.check_run)
    run_job(repair.check_run.job_id)
    page = words(client.get(page_of(repair.check_run)))
    assert "This is the repaired file, checked again." in page
    assert page_of(run) in page
    file = client.get(page_of(repair, "repair_file"))
    assert (file.content, file["Content-Type"]) == (read_blob(repair.image.blob), "image/jpeg")
    assert "Repaired from this file:" in words(client.get(page_of(run)))


def test_a_repair_that_does_not_help_is_told_so(client_of, olga, seller):
    run = checked(seller, hidden=WEBP)
    answer = client_of(olga).post(page_of(run, "check_repair"), {"fix": "background"}, follow=True)
    assert "no finding that this repair could mend" in words(answer)
    assert not Repair.objects.exists()


def test_a_repair_that_failed_says_why_and_can_be_tried_again(client_of, olga, seller):
    run, client = checked(seller, hidden=WEBP), client_of(olga)
    repair = start_repair(actor=olga, run=run, fix="all")
    Blob.objects.filter(pk=run.hidden_image.blob_id).update(wrapped_key=b"")
    run_job(repair.job_id)
    page = words(client.get(page_of(repair, "repair")))
    assert "<code>check.blob_unreadable</code>" in page
    assert "The file was not changed" in page
    assert client.post(page_of(repair, "repair_retry")).status_code == 302
    assert Job.objects.get(pk=repair.job_id).state == JobState.QUEUED


def test_another_sellers_repair_is_not_found(client_of, mallory, seller):
    repair = repaired(checked(seller, hidden=WEBP))
    for name in ("repair", "repair_file"):
        assert client_of(mallory).get(page_of(repair, name)).status_code == 404
    assert client_of(mallory).post(page_of(repair, "repair_retry")).status_code == 404


def test_viewer_sees_neither_repairs_nor_answers_to_press(client_of, bob, seller):
    page = words(client_of(bob).get(page_of(asked(seller))))
    assert "Does this belong to the product itself" in page
    assert 'name="answer"' not in page
    assert 'name="fix"' not in words(client_of(bob).get(page_of(checked(seller, hidden=WEBP))))


def test_a_question_is_answered_on_the_page(client_of, olga, seller):
    run, client = asked(seller), client_of(olga)
    assert "1 question is open." in words(client.get(page_of(run)))
    answer = client.post(page_of(run, "check_answer"), {"finding": "1", "answer": "product"})
    assert answer["Location"] == page_of(run) + "#finding-1"
    page = words(client.get(page_of(run)))
    assert "You said: it belongs to the product." in page
    assert str(olga) in page
    assert "After an answer" in page
    chinese = words(client.get(page_of(run), headers={"accept-language": "zh-CN"}))
    assert "您的回答：是商品本身的图案。" in chinese
    client.post(page_of(run, "check_answer"), {"finding": "1", "answer": "withdraw"})
    assert "1 question is open." in words(client.get(page_of(run)))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"finding": "1", "answer": "maybe"},
        {"finding": "9", "answer": "product"},
        {"finding": "²", "answer": "added"},
    ],
)
def test_an_answer_to_nothing_is_told_so(client_of, olga, seller, data):
    run = asked(seller)
    page = words(client_of(olga).post(page_of(run, "check_answer"), data, follow=True))
    assert "The check asks nothing there." in page
    assert CheckRun.objects.get().answers == []


def test_an_entry_after_an_answer_leads_to_its_check(client_of, olga, seller):
    run, client = asked(seller), client_of(olga)
    answer_questions(actor=olga, run=run, numbers=[1], answer="added")
    later = run.verdicts.get().statement
    assert words(client.get(reverse("compliance:check", args=[later.number]))).count("After an answer") == 1
    assert client.get(reverse("compliance:check_receipt", args=[later.number])).content.startswith(b"%PDF-")
    assert client.get(reverse("compliance:find"), {"q": later.number})["Location"] == page_of(run)
    assert later.number in words(client.get(reverse("ledger:history")))


def test_the_same_pair_is_checked_again_in_one_click(client_of, olga, seller):
    run, client = checked(seller, sku="A-1", category="shoes"), client_of(olga)
    sent = [client.post(page_of(run, "check_again"), {"request_id": "r"})["Location"] for _ in range(2)]
    again = CheckRun.objects.latest("pk")
    assert sent == [page_of(again)] * 2
    assert (again.main_image, again.hidden_image) == (run.main_image, run.hidden_image)
    assert (again.sku, again.category, again.actor) == ("A-1", "shoes", olga)


def test_a_mark_that_two_rules_found_counts_once(client_of, alice, seller):
    """List, heading, table: the rule about residues is silent where another one names the mark."""
    run = checked_with_original(seller, jpeg_bytes(marked(product_photo(3))))
    page = client_of(alice).get(page_of(run))
    sheet = page.context["sheet"]
    shown = [number for line in sheet.loud_rules for number in line.numbers]
    assert sorted(shown) == [line.number for line in sheet.findings]
    assert sheet.errors == sum(len(line.numbers) for line in sheet.rules if line.verdict == "FAILED")
    assert not [line.rule for line in sheet.rules if line.verdict == "FAILED" and not line.numbers]


def test_rules_without_news_are_one_line(client_of, alice, seller):
    page = words(client_of(alice).get(page_of(checked(seller))))
    assert "23 rules passed or had nothing to measure" in page
    assert "No rule has anything against this pair." in page


@pytest.mark.parametrize("typed", ["ERR_IMG_HID_MISMATCH", "mismatch", "hid mism", "HID-MISMATCH"])
def test_a_code_or_a_part_of_it_is_explained(client_of, bob, typed):
    page = words(client_of(bob).get(reverse("compliance:codes"), {"q": typed}))
    assert 'id="ERR_IMG_HID_MISMATCH"' in page
    assert "≥ 0.92" in page
    assert "Seller document on hidden images (S1)" in page
    assert page.count("<section") == 1


@pytest.mark.parametrize("typed", ["", "xy", "ERR_IMG_NOTHING", "\x00", "%s", "<b>"])
def test_what_is_no_code_says_what_to_type(client_of, bob, typed):
    page = client_of(bob).get(reverse("compliance:codes"), {"q": typed})
    assert page.status_code == 200
    assert "at least three letters" in words(page)


def test_the_box_in_the_top_bar_knows_codes_in_both_languages(client_of, bob):
    client = client_of(bob)
    assert "The background differs from the main image" in words(client.get("/find/", {"q": "ERR_IMG_HID_BG"}))
    chinese = words(client.get("/find/", {"q": "hid_bg"}, headers={"accept-language": "zh-CN"}))
    assert 'id="ERR_IMG_HID_BG"' in chinese
    assert "校正背景颜色" in chinese
