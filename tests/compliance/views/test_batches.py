"""The pages of many pairs: sending, rows, filter, CSV, and what a wrong order gets."""

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from compliance.models import CheckBatch
from tests.compliance.batches import begin_batch, finish_batch, pair_files, uploads, zipped
from tests.compliance.check_pairs import HIDDEN, MAIN, PROFILE_ID

pytestmark = pytest.mark.usefixtures("log")
FORM = reverse("compliance:batches")


def page_of(batch, name="batch"):
    return reverse(f"compliance:{name}", args=[batch.number])


def words(response):
    return " ".join(response.content.decode().split())


def rows_of(response):
    return list(csv.DictReader(io.StringIO(response.content.decode("utf-8-sig"))))


def send(client, files, **values):
    return client.post(FORM, {"profile": PROFILE_ID, "files": files, **values})


def test_files_become_a_batch_that_shows_its_rows_at_once(client_of, alice):
    client = client_of(alice)
    answer = send(client, uploads(pair_files("A1") | {"lonely_main.jpg": MAIN}), category="shoes")
    batch = CheckBatch.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page_of(batch))
    waiting = words(client.get(page_of(batch)))
    assert "hx-trigger=" in waiting
    assert "The hidden image of this row is missing." in waiting
    assert "Not checked yet 1" in waiting


def test_the_polled_part_brings_the_rows_along_and_the_end_reloads_the_page(client_of, alice, seller):
    batch = begin_batch(seller, pair_files("A1"))
    client = client_of(alice)
    polled = client.get(page_of(batch), headers={"HX-Request": "true"})
    assert b'id="batch-rows" hx-swap-oob="true"' in polled.content
    assert b"<html" not in polled.content
    finish_batch(batch)
    assert client.get(page_of(batch), headers={"HX-Request": "true"})["HX-Refresh"] == "true"


def test_a_zip_is_one_of_the_files_and_so_is_a_csv(client_of, alice):
    client = client_of(alice)
    send(client, [zipped(pair_files("A1"))])
    table = SimpleUploadedFile("pairs.csv", b"id,main,hidden\nX,a.jpg,b.jpg\n")
    send(client, [*uploads({"a.jpg": MAIN, "b.jpg": HIDDEN}), table])
    assert [item.sku for batch in CheckBatch.objects.order_by("pk") for item in batch.items.all()] == ["A1", "X"]


def test_the_result_filters_links_and_says_why(client_of, alice, bob, seller):
    files = pair_files("good") | {"webp_main.jpg": MAIN, "lonely_main.jpg": MAIN}
    batch = finish_batch(begin_batch(seller, files))
    client = client_of(bob)
    page = words(client.get(page_of(batch)))
    run = batch.items.get(sku="good").run
    assert reverse("compliance:check", args=[run.number]) in page
    assert "1 of 3 passed" in page
    only = words(client.get(page_of(batch), {"state": "needs-you"}))
    assert "lonely" in only
    assert reverse("compliance:check", args=[run.number]) not in only
    assert "Check what is missing" not in page


def test_the_csv_has_every_row_and_runs_no_formula(client_of, bob, seller):
    files = {"=cmd_main.jpg": MAIN, "=cmd_hidden.jpg": HIDDEN, "lonely_main.jpg": MAIN}
    batch = finish_batch(begin_batch(seller, files))
    rows = rows_of(client_of(bob).get(page_of(batch, "batch_csv")))
    assert [row["id"] for row in rows] == ["'=cmd", "lonely"]
    assert rows[0]["main"] == "'=cmd_main.jpg"
    assert (rows[0]["verdict"], rows[1]["refused"]) == ("PASSED", "batch.no_hidden")
    assert rows[0]["url"].endswith(reverse("compliance:check", args=[batch.items.get(position=1).run.number]))
    assert rows[0]["entry"]
    assert len(rows_of(client_of(bob).get(page_of(batch, "batch_csv"), {"state": "passed"}))) == 1


@pytest.mark.parametrize(
    ("files", "code"),
    [([], "batch.no_pair"), ([("x.zip", b"PK\x03\x04 torn")], "corrupt_zip"), ([("x.csv", b"a,b")], "batch.malformed")],
)
def test_a_wrong_order_is_explained_and_nothing_kept(client_of, alice, files, code):
    answer = send(client_of(alice), [SimpleUploadedFile(name, data) for name, data in files])
    assert answer.status_code == 400
    assert f"<code>{code}</code>" in answer.content.decode()
    assert not CheckBatch.objects.exists()


def test_the_page_costs_the_same_for_one_row_and_for_many(client_of, bob, seller, django_assert_num_queries):
    client = client_of(bob)
    for skus in (("A",), ("B", "C", "D")):
        batch = finish_batch(begin_batch(seller, pair_files(*skus)))
        client.get(page_of(batch))
        with django_assert_num_queries(7):
            client.get(page_of(batch))


def test_the_template_opens_as_a_batch(client_of, bob, seller):
    template = client_of(bob).get(reverse("compliance:batch_template")).content
    batch = finish_batch(begin_batch(seller, pair_files("A1"), table=template))
    assert batch.items.get().run is not None


def test_the_hidden_image_page_leads_here_and_a_viewer_cannot_send(client_of, alice, bob):
    assert FORM in words(client_of(alice).get(reverse("compliance:checks")))
    assert send(client_of(bob), uploads(pair_files("A1"))).status_code == 403
    assert '<form method="post" enctype' not in client_of(bob).get(FORM).content.decode()
