"""The pages of cases: what people see at each step, and that a refusal names what is missing."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from compliance.cases import steps
from compliance.models import Candidate, Case
from compliance.services.case_parts import add_listing
from compliance.services.cases import move_case
from compliance.services.gallery import update_gallery
from compliance.services.search import Question, run_search, start_search
from ledger.services.originals import Upload
from tests.compliance.case_world import draft, listing, ready
from tests.compliance.matches import edited_match
from tests.factories import register_one
from tests.images import jpeg_bytes, product_photo

pytestmark = pytest.mark.usefixtures("log")


def url(name: str, case: Case | None = None, **kwargs: object) -> str:
    return reverse(
        f"compliance:case_{name.replace('-', '_')}", kwargs={**({"number": case.number} if case else {}), **kwargs}
    )


def test_a_seller_without_cases_is_told_what_to_do(client_of, ivan):
    page = client_of(ivan).get(url("list")).content.decode()
    assert "No case yet" in page
    assert f"{url('new')}?kind=defence" in page


def test_the_board_shows_each_case_in_its_column_and_filters_by_state(client_of, seller, ivan):
    made, other = ready(seller), draft(seller, seed=2)
    client = client_of(ivan)
    page = client.get(url("list")).content.decode()
    assert page.index("Preparing") < page.index(made.number) < page.index("With them")
    filtered = client.get(url("list"), {"status": "ready"}).content.decode()
    assert made.number in filtered
    assert other.number not in filtered
    assert made.number in client.get(url("list"), {"q": made.number}).content.decode()
    assert client.get(url("list"), {"q": "\0nothing", "status": "no such"}).status_code == 200


def test_the_board_costs_the_same_for_one_case_and_for_many(client_of, seller, ivan, django_assert_max_num_queries):
    ready(seller)
    client = client_of(ivan)
    client.get(url("list"))
    with django_assert_max_num_queries(24) as few:
        client.get(url("list"))
    for seed in range(2, 6):
        draft(seller, seed=seed)
    with django_assert_max_num_queries(len(few)):
        client.get(url("list"))


def found_by_search(seller, *, query: bytes) -> Candidate:
    run = start_search(actor=None, seller=seller, question=Question(), upload=Upload("theirs.jpg", query))
    return run_search(run.pk).candidates.get(rank=1)


def test_one_click_appeal_opens_a_defence_about_the_registered_original(client_of, seller, ivan):
    original = register_one(seller, seed=2, analyse=True)
    update_gallery(seller=seller, image_ids=[original.image_id])
    candidate = found_by_search(seller, query=jpeg_bytes(product_photo(2), quality=70))
    client = client_of(ivan)
    page = client.get(reverse("compliance:search_result", args=[candidate.run.number])).content.decode()
    assert "One-click appeal" in page
    form = client.get(url("new"), {"candidate": candidate.pk}).content.decode()
    assert original.number in form
    assert '<option value="defence" selected>' in form


def test_operators_and_strangers_are_offered_no_case(client_of, seller, olga, mallory):
    original = register_one(seller, seed=2, analyse=True)
    update_gallery(seller=seller, image_ids=[original.image_id])
    candidate = found_by_search(seller, query=jpeg_bytes(product_photo(2), quality=70))
    page = client_of(olga).get(reverse("compliance:search_result", args=[candidate.run.number])).content.decode()
    assert "One-click appeal" not in page
    assert url("list") not in page
    assert client_of(mallory).get(url("new"), {"candidate": candidate.pk}).status_code == 404


def test_a_match_of_the_watch_becomes_a_complaint_about_its_listing(client_of, seller, ivan, mallory):
    match = edited_match(seller, url="https://www.temu.com/goods-1.html", title="A shirt")
    client = client_of(ivan)
    address = f"{url('new')}?match={match.number}"
    assert address in client.get(reverse("compliance:match", args=[match.number])).content.decode()
    form = client.get(address).content.decode()
    assert match.original.number in form
    assert "https://www.temu.com/goods-1.html" in form
    data = {"kind": "complaint", "target": "temu_portal", "originals": match.original.number, "match": match.number}
    client.post(url("new"), data | {"addresses": "https://www.temu.com/goods-1.html"})
    (row,) = Case.objects.get().infringements.all()
    assert (row.match_number, row.listing, row.title) == (match.number, match.listing_image.listing, "A shirt")
    assert row.work.original == match.original
    assert client_of(mallory).get(address).status_code == 404
    assert client_of(mallory).post(url("new"), data).status_code == 404


@pytest.mark.parametrize("text", ["x", "-1", "9" * 40, "\0"])
def test_a_candidate_that_cannot_be_is_a_missing_page(client_of, ivan, text):
    assert client_of(ivan).get(url("new"), {"candidate": text}).status_code == 404
    assert client_of(ivan).post(url("new"), {"candidate": text, "kind": "complaint"}).status_code == 404


def test_a_new_case_by_hand(client_of, seller, ivan):
    original = register_one(seller)
    data = {
        "kind": "complaint",
        "target": "temu_portal",
        "originals": original.number,
        "addresses": "https://www.temu.com/a.html\nhttps://www.temu.com/b.html\n",
    }
    response = client_of(ivan).post(url("new"), data)
    made = Case.objects.get()
    assert response["Location"] == url("detail", made)
    assert [row.platform for row in made.infringements.all()] == ["temu", "temu"]
    assert {row.work.original for row in made.infringements.all()} == {original}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"originals": "nothing"}, "no proof number"),
        ({"originals": "0000-0000-0000-0000"}, "proof number"),
        ({"target": "cn_court"}, "no form for this kind"),
        ({"target": "x"}, "Select a valid choice"),
        ({"addresses": "https://a.example/\n" * 201}, "At most 200"),
    ],
)
def test_a_new_case_that_cannot_be_says_why(client_of, seller, ivan, changes, words):
    response = client_of(ivan).post(url("new"), {"kind": "complaint", "target": "ebay_vero"} | changes)
    assert response.status_code == 400
    assert words in response.content.decode()
    assert not Case.objects.exists()


def test_an_original_of_another_seller_is_an_unknown_number(client_of, other_seller, ivan):
    theirs = register_one(other_seller)
    data = {"kind": "complaint", "target": "ebay_vero", "originals": theirs.number}
    response = client_of(ivan).post(url("new"), data)
    assert response.status_code == 400
    assert "case.unknown_original" in response.content.decode()


def test_the_page_names_what_is_missing_and_what_to_do_next(client_of, seller, ivan):
    case = draft(seller)
    page = client_of(ivan).get(url("detail", case)).content.decode()
    assert "Do this next" in page
    for item in ("complainant.legal_name", "statement.good_faith", "right.ebay_catalogue", "message"):
        assert f'data-gate="{item}"' in page
    assert "It says nothing about the chance to win." in page
    assert "checked" not in page.split('id="statements"')[1].split("</section>")[0]


def test_a_step_that_is_refused_names_the_items(client_of, seller, ivan):
    case = draft(seller)
    client = client_of(ivan)
    client.post(url("move", case), {"to": "ready"})
    page = client.get(url("detail", case)).content.decode()
    assert "case.not_ready" in page
    assert "Legal name" in page


def test_a_section_that_is_wrong_keeps_what_was_typed(client_of, seller, ivan):
    case = draft(seller)
    data = {"complainant-legal_name": "Acme Ltd", "complainant-email": "no mail"}
    response = client_of(ivan).post(url("edit", case, section="complainant"), data)
    assert response.status_code == 400
    assert "Acme Ltd" in response.content.decode()
    case.refresh_from_db()
    assert case.legal_name == ""


def test_an_unknown_section_is_a_missing_page(client_of, seller, ivan):
    assert client_of(ivan).post(url("edit", draft(seller), section="x")).status_code == 404


def test_a_file_the_target_refuses_is_refused_beside_the_field(client_of, seller, ivan):
    case = draft(seller, target="aliexpress_seed")
    data = {"role": "other", "file": SimpleUploadedFile("shot.png", b"x")}
    response = client_of(ivan).post(url("files", case), data)
    assert response.status_code == 400
    assert "case.file_wrong_type" in response.content.decode()


def test_parts_of_another_case_are_missing(client_of, seller, ivan):
    case, other = draft(seller), draft(seller, seed=2)
    row = add_listing(actor=None, case=other, facts=listing())
    client = client_of(ivan)
    assert client.post(url("listing", case, key=row.pk), {"do": "remove"}).status_code == 404
    assert client.post(url("work", case, key=other.works.get().pk), {"do": "remove"}).status_code == 404
    assert client.post(url("listing", case, key=10**18), {"do": "remove"}).status_code == 404
    assert other.infringements.count() == 2


def test_what_was_submitted_offers_no_forms(client_of, seller, ivan):
    case = ready(seller)
    move_case(actor=ivan, case=case, to=steps.SUBMITTED)
    client = client_of(ivan)
    page = client.get(url("detail", case)).content.decode()
    assert "Attach a file" not in page
    client.post(url("edit", case, section="message"), {"message-message": "else"})
    assert "case.not_changeable" in client.get(url("detail", case)).content.decode()


def test_the_feed_address_is_shown_once_and_opens_without_a_sign_in(client_of, seller, ivan):
    client = client_of(ivan)
    client.post(url("feed"), {"do": "make"})
    page = client.get(url("deadlines")).content.decode()
    address = page.split('<code class="om-hash-whole">')[1].split("</code>")[0]
    assert ".ics" not in client.get(url("deadlines")).content.decode()
    response = client_of().get(address.partition("testserver")[2])
    assert response["Content-Type"].startswith("text/calendar")
    client.post(url("feed"), {"do": "revoke"})
    assert client_of().get(address.partition("testserver")[2]).status_code == 404


def test_a_pasted_mail_proposes_and_changes_nothing(client_of, seller, ivan):
    case = ready(seller)
    move_case(actor=ivan, case=case, to=steps.SUBMITTED, portal_ref="R77001")
    text = "Your complaint (complaint ID: R77001) was rejected."
    page = client_of(ivan).post(url("mail"), {"text": text}).content.decode()
    assert case.number in page
    assert "Record: Rejected" in page
    case.refresh_from_db()
    assert case.status == steps.SUBMITTED


def test_outcomes_show_share_n_and_interval(client_of, seller, ivan):
    client = client_of(ivan)
    assert "Nothing submitted yet" in client.get(url("outcomes")).content.decode()
    case = ready(seller)
    move_case(actor=ivan, case=case, to=steps.SUBMITTED)
    move_case(actor=ivan, case=case, to=steps.REMOVED)
    page = client.get(url("outcomes")).content.decode()
    assert "1/1" in page
    assert "21% – 100%" in page
    assert "one more breaks it" in page
