"""The pack pages: choosing, ordering, watching, taking away; what is refused stands on the form."""

import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from compliance.models import PackRun
from tests.compliance.check_pairs import PROFILE_ID
from tests.compliance.pack_orders import OVERLAY, order, packed, registered

pytestmark = pytest.mark.usefixtures("log")
FORM = reverse("compliance:packs")


def upload(name="overlay.png", content=OVERLAY.content):
    return SimpleUploadedFile(name, content)


def post(client, **values):
    return client.post(FORM, {"profile": PROFILE_ID, "kind": "overlay", **values})


def test_the_original_s_page_leads_to_the_form_with_it_chosen(client_of, alice, seller):
    original = registered(seller)
    page = client_of(alice).get(FORM, {"original": original.number}).content.decode()
    assert f'value="{original.number}" checked' in page


def test_the_checks_page_leads_to_the_form(client_of, alice):
    assert FORM in client_of(alice).get(reverse("compliance:checks")).content.decode()


def test_a_choice_becomes_an_order(client_of, alice, seller):
    numbers = [registered(seller, seed).number for seed in (5, 6)]
    answer = post(client_of(alice), originals=numbers, promotion=upload(), category="shoes")
    run = PackRun.objects.get()
    assert answer.url == reverse("compliance:pack", args=[run.number])
    assert [(item.promotion_kind, item.category) for item in run.items.all()] == [("overlay", "shoes")] * 2
    assert run.items.first().sku == "photo-0"


def test_a_batch_becomes_an_order(client_of, alice, seller):
    number = registered(seller).number
    batch = f"sku,original,overlay\nS1,{number},overlay.png\nS2,{number},\n".encode()
    post(client_of(alice), batch=upload("packs.csv", batch), files=[upload()])
    assert [(item.sku, item.promotion_kind) for item in PackRun.objects.get().items.all()] == [
        ("S1", "overlay"),
        ("S2", ""),
    ]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({}, "pack.no_original"),
        ({"originals": ["0" * 16]}, "pack.original_unknown"),
        ({"batch": lambda: upload("x.csv", b"sku\n")}, "pack.batch_malformed"),
        ({"batch": lambda: upload("x.csv", b"sku,original\na,nobody\n")}, "pack.original_unknown"),
    ],
)
def test_what_is_refused_stands_on_the_form(client_of, alice, values, code):
    answer = post(client_of(alice), **{name: value() if callable(value) else value for name, value in values.items()})
    assert answer.status_code == 400
    assert code in answer.content.decode()
    assert not PackRun.objects.exists()


def test_a_waiting_order_shows_progress_and_htmx_asks_for_it_alone(client_of, bob, seller):
    url = reverse("compliance:pack", args=[order(seller).number])
    page = client_of(bob).get(url).content.decode()
    part = client_of(bob).get(url, headers={"HX-Request": "true"}).content.decode()
    assert 'hx-get="' in page
    assert "<html" not in part
    assert 'hx-get="' in part


def test_a_finished_order_shows_its_pictures_and_verdicts(client_of, bob, seller):
    run = packed(seller)
    page = client_of(bob).get(reverse("compliance:pack", args=[run.number])).content.decode()
    for _, made in run.items.get().files:
        assert reverse("ledger:picture", args=[made.image_id, 320]) in page
        assert f"{made.statement.entry_id}" in page
    assert "0 pixels differ outside the promotion" in page
    assert reverse("compliance:pack_archive", args=[run.number]) in page
    assert client_of(bob).get(reverse("ledger:picture", args=[made.image_id, 320])).status_code == 200


def test_the_original_s_page_lists_what_was_made_from_it(client_of, bob, seller):
    (item,) = packed(seller).items.all()
    page = client_of(bob).get(reverse("ledger:original", args=[item.original.number])).content.decode()
    assert "Made from this original" in page
    assert page.count("A-1-") == 3


def test_the_zip_is_a_zip(client_of, bob, seller):
    answer = client_of(bob).get(reverse("compliance:pack_archive", args=[packed(seller).number]))
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert len(archive.namelist()) == 4
    assert client_of(bob).get(reverse("compliance:pack_archive", args=[order(seller).number])).status_code == 404


def test_a_viewer_sees_no_form(client_of, bob):
    page = client_of(bob).get(FORM).content.decode()
    assert 'name="promotion"' not in page
    assert "Ask an owner" in page


def test_pages_ask_a_fixed_number_of_questions(client_of, alice, seller, django_assert_max_num_queries):
    run = packed(seller)
    client = client_of(alice)
    client.get(FORM)
    with django_assert_max_num_queries(14):
        client.get(FORM)
    with django_assert_max_num_queries(14):
        client.get(reverse("compliance:pack", args=[run.number]))
