"""Importing files from the page: every kind of file, columns remembered, crashes, two at once, and history."""

from __future__ import annotations

import gzip
import io
import json
import random
import tracemalloc
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from compliance.catalogues.errors import FeedError
from compliance.models import (
    ImportProblem,
    ImportRun,
    ImportState,
    Listing,
    ListingChange,
    ListingImage,
    MatchState,
    RemotePicture,
    WatchMatch,
)
from compliance.services import catalogues, imports
from compliance.services.imports import confirm_import, discard_import, retry_import, run_import, start_import
from compliance.services.remote_pictures import fetch_remote
from compliance.services.triage import decide
from ledger.anchors.fetch import fetch_url
from ledger.models import Job, JobState
from tests.compliance.listings import copy_of, feed_bytes, photo, work
from tests.compliance.matches import NORTH, edited_match
from tests.ledger.anchors.names import resolve
from tests.ledger.anchors.test_fetch import Server, respond

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("log")]
PICTURES = {f"{n}.jpg": photo(n) for n in range(1, 4)}
ROWS = [{"product_id": f"P{n}", "image": f"{n}.jpg", "price": "9.90", **NORTH} for n in range(1, 4)]


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def feed_zip(*rows, pictures=PICTURES) -> bytes:
    return zipped({"shop/feed.csv": feed_bytes(*rows), **{f"shop/{name}": data for name, data in pictures.items()}})


def imported(seller, file_name: str, content: bytes, **options) -> ImportRun:
    run = start_import(actor=None, seller=seller, file_name=file_name, file=io.BytesIO(content))
    confirm_import(actor=None, run=run, mapping=run.mapping, name=options.pop("name", "feed"), **options)
    return run_import(run.pk)


def sheet(rows: list[list[str]]) -> bytes:
    """A workbook as spreadsheets write it: shared texts, a number, a date."""
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    texts = [cell for row in rows for cell in row]
    shared = "".join(f"<si><t>{text}</t></si>" for text in texts)
    number = iter(range(len(texts)))
    lines = "".join(
        f'<row r="{at}">'
        + "".join(f'<c r="{chr(65 + column)}{at}" t="s"><v>{next(number)}</v></c>' for column in range(len(row)))
        + (f'<c r="E{at}"><v>1005001234567890</v></c><c r="F{at}" s="1"><v>46000</v></c>' if at > 1 else "")
        + "</row>"
        for at, row in enumerate(rows, 1)
    )
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    return zipped(
        {
            "xl/workbook.xml": f'<workbook {space} xmlns:r="{relations}"><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>'.encode(),
            "xl/_rels/workbook.xml.rels": b'<Relationships xmlns="x"><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/sharedStrings.xml": f"<sst {space}>{shared}</sst>".encode(),
            "xl/styles.xml": f'<styleSheet {space}><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>'.encode(),
            "xl/worksheets/sheet1.xml": f"<worksheet {space}><sheetData>{lines}</sheetData></worksheet>".encode(),
        }
    )


def record(kind: str, url: str, content_type: str, body: bytes) -> bytes:
    http = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n".encode() + body
    head = f"WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2026-11-20T10:00:00Z\r\nContent-Length: {len(http)}\r\n\r\n"
    return gzip.compress(head.encode() + http + b"\r\n\r\n")


WARC = (
    record("warcinfo", "", "text/plain", b"")
    + record("response", "https://shop.example/item/1005001234567890.html", "text/html", b"<title>Red dress</title>")
    + record("response", "https://img.example/a.jpg", "image/jpeg", PICTURES["1.jpg"])
    + record("response", "https://img.example/dot.gif", "image/gif", b"GIF89a")
)


# Kinds of file ---------------------------------------------------------------------------------------------------


def test_a_zip_with_a_table_becomes_listings_with_pictures(seller):
    run = imported(seller, "feed.zip", feed_zip(*ROWS))
    assert (run.state, run.counts, run.taken) == (ImportState.DONE, {"imported": 3}, 3)
    assert run.blob is None
    assert ListingImage.objects.of(seller).count() == 3
    assert Listing.objects.get(product_id="P1").shop_id == "N-1"


def test_a_zip_of_pictures_names_products_by_folder_or_file(seller):
    imported(
        seller, "p.zip", zipped({"A-1/main.jpg": photo(1), "A-1/2.jpg": photo(2), "B-2_1.jpg": photo(3), "x.txt": b"x"})
    )
    counts = {listing.product_id: listing.images.count() for listing in Listing.objects.all()}
    assert counts == {"A-1": 2, "B-2": 1}


def test_a_sheet_reads_long_numbers_and_dates_as_they_look(seller):
    rows = [
        ["标题", "主图", "店铺", "语言", "商品ID", "上架时间"],
        ["Платье", "https://shop.example.com/1.jpg", "Лавка", "ru"],
    ]
    run = imported(seller, "export.xlsx", sheet(rows))
    listing = Listing.objects.get()
    assert (listing.product_id, listing.title, listing.language) == ("1005001234567890", "Платье", "ru")
    assert f"{listing.listed_at:%Y-%m-%d}" == "2025-12-09"
    assert run.counts == {"imported": 1}


def test_json_lines_are_read_in_every_language(seller):
    lines = [
        {
            "id": f"J{n}",
            "image": ["https://shop.example.com/a.jpg", "https://shop.example.com/b.jpg"],
            "title": title,
            "lang": lang,
        }
        for n, (lang, title) in enumerate(
            [("es", "Vestido añil"), ("ru", "Платье"), ("pt", "Calças"), ("zh", "连衣裙")]
        )
    ]
    imported(seller, "x.jsonl", "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode())
    assert dict(Listing.objects.values_list("language", "title"))["es"] == "Vestido añil"
    assert RemotePicture.objects.count() == 8


@pytest.mark.parametrize(
    ("name", "content"),
    [("c.warc.gz", WARC), ("c.wacz", zipped({"archive/data.warc.gz": WARC, "datapackage.json": b"{}"}))],
)
def test_pictures_of_a_web_archive_belong_to_the_page_before_them(seller, name, content):
    imported(seller, name, content)
    (listing,) = Listing.objects.all()
    assert (listing.product_id, listing.title) == ("1005001234567890", "Red dress")
    assert listing.url == "https://shop.example/item/1005001234567890.html"
    assert listing.images.count() == 1


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.exe", b"MZ", "feed.kind"),
        ("a.csv", b"", "feed.empty"),
        ("a.csv", b"product_id,image\n", "feed.empty"),
        ("a.jsonl", b"{", "feed.malformed"),
        ("a.jsonl", b'{"a": {"b": 1}}', "feed.malformed"),
        ("a.xlsx", zipped({"x": b"y"}), "feed.malformed"),
        ("a.xlsx", zipped({"xl/workbook.xml": b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'}), "feed.malformed"),
        ("a.warc", b"WARC/1.1\r\nWARC-Type: response\r\n\r\n", "feed.web_archive"),
        ("a.warc.gz", WARC[:-30], "feed.web_archive"),
        ("a.zip", zipped({"readme.txt": b"x"}), "feed.empty"),
    ],
)
def test_what_cannot_be_imported_is_named_and_nothing_is_kept(seller, name, content, code):
    with pytest.raises(FeedError) as refused:
        start_import(actor=None, seller=seller, file_name=name, file=io.BytesIO(content))
    assert refused.value.code == code
    assert not ImportRun.objects.exists()


# Rows ------------------------------------------------------------------------------------------------------------


def test_a_bad_row_is_named_by_its_number_and_stops_no_other(seller):
    run = imported(
        seller, "feed.zip", feed_zip(ROWS[0], ROWS[1] | {"image": "none.jpg"}, ROWS[2] | {"product_id": ""}, ROWS[2])
    )
    assert run.counts == {"imported": 2, "rejected": 2}
    assert list(run.problems.values_list("row", "code", "is_refused")) == [
        (2, "feed.picture_not_found", True),
        (3, "feed.no_product_id", True),
    ]


def test_a_reimport_updates_with_history_and_delists_what_is_missing(seller):
    imported(seller, "feed.zip", feed_zip(*ROWS))
    run = imported(seller, "feed.zip", feed_zip(ROWS[0] | {"price": "4.50"}, ROWS[1]), is_complete=True)
    assert run.counts == {"updated": 1, "unchanged": 1, "delisted": 1}
    changes = set(ListingChange.objects.values_list("listing__product_id", "field", "before"))
    assert changes == {("P1", "price", "9.90"), ("P3", "delisted_at", "")}
    assert Listing.objects.get(product_id="P3").delisted_at is not None
    imported(seller, "feed.zip", feed_zip(*ROWS))
    back = Listing.objects.get(product_id="P3")
    assert (back.delisted_at, back.is_missing) == (None, False)


def test_a_copy_whose_listing_is_back_waits_for_somebody_again(seller, alice):
    match = edited_match(seller)
    decide(actor=alice, seller=seller, matches=WatchMatch.objects.all(), state=MatchState.COPY)
    other = {"product_id": "P9", "image": "2.jpg", **NORTH}
    imported(seller, "feed.zip", feed_zip(other), is_complete=True)
    match.refresh_from_db()
    assert match.state == MatchState.COPY
    imported(seller, "feed.zip", feed_zip(other, {"product_id": "P1", "image": "1.jpg", **NORTH}))
    match.refresh_from_db()
    assert match.state == MatchState.OPEN
    assert match.relisted_at is not None


# Crashes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_an_import_that_dies_goes_on_and_loses_or_doubles_nothing(seller, monkeypatch, dies_at):
    monkeypatch.setattr(catalogues, "BATCH_FILES", 1)
    run = start_import(
        actor=None, seller=seller, file_name="feed.zip", file=io.BytesIO(feed_zip(*ROWS, ROWS[0] | {"image": "no.jpg"}))
    )
    confirm_import(actor=None, run=run, mapping=run.mapping, name="feed")
    with monkeypatch.context() as patch:
        _die_inside(patch, dies_at)
        with pytest.raises(RuntimeError, match="killed"):
            run_import(run.pk)
    run.refresh_from_db()
    assert run.taken == ListingImage.objects.count() == dies_at - 1
    done = run_import(run.pk)
    assert (done.state, done.counts, ListingImage.objects.count()) == ("done", {"imported": 3, "rejected": 1}, 3)
    assert ImportProblem.objects.count() == 1


def _die_inside(patch: pytest.MonkeyPatch, at: int) -> None:
    """The process ends in the transaction of a batch, after everything in it was written."""
    write, left = imports._Place.record, [at]

    def dying(self, outcomes):
        write(self, outcomes)
        left[0] -= 1
        if not left[0]:
            raise RuntimeError("killed")

    patch.setattr(imports._Place, "record", dying)


def test_a_second_worker_finds_the_place_taken(seller, monkeypatch):
    monkeypatch.setattr(catalogues, "BATCH_FILES", 1)
    run = start_import(actor=None, seller=seller, file_name="feed.zip", file=io.BytesIO(feed_zip(*ROWS)))
    confirm_import(actor=None, run=run, mapping=run.mapping, name="feed")
    read = catalogues.import_rows

    def overtaken(**options):
        """Between looking where the import is and writing, another worker does all of it."""
        monkeypatch.setattr(imports, "import_rows", read)
        run_import(run.pk)
        return read(**options)

    monkeypatch.setattr(imports, "import_rows", overtaken)
    done = run_import(run.pk)
    assert (done.state, done.counts, done.taken) == (ImportState.DONE, {"imported": 3}, 3)
    assert ListingImage.objects.count() == 3


def test_two_imports_into_one_catalogue_keep_each_row_once(seller):
    runs = [
        start_import(actor=None, seller=seller, file_name="feed.zip", file=io.BytesIO(feed_zip(*ROWS)))
        for _ in range(2)
    ]
    for run in runs:
        confirm_import(actor=None, run=run, mapping=run.mapping, name="feed")
    done = [run_import(run.pk) for run in runs]
    assert [run.counts for run in done] == [{"imported": 3}, {"unchanged": 3}]
    assert (Listing.objects.count(), ListingImage.objects.count()) == (3, 3)


def test_a_stopped_import_goes_on_when_asked(seller, ivan):
    run = start_import(actor=ivan, seller=seller, file_name="feed.zip", file=io.BytesIO(feed_zip(*ROWS)))
    confirm_import(actor=ivan, run=run, mapping=run.mapping, name="feed")
    run_import(run.pk, cancelled=lambda: True)
    Job.objects.update(state=JobState.CANCELLED)
    retry_import(actor=ivan, run=run)
    work()
    run.refresh_from_db()
    assert (run.state, ListingImage.objects.count()) == (ImportState.DONE, 3)


# Columns ---------------------------------------------------------------------------------------------------------


def test_columns_are_guessed_corrected_and_remembered(seller, ivan):
    content = "商品编号,Bild,标题\nA1,https://shop.example.com/1.jpg,红\n".encode()
    run = start_import(actor=ivan, seller=seller, file_name="one.csv", file=io.BytesIO(content))
    assert run.mapping == {"product_id": 0, "title": 2}
    confirm_import(actor=ivan, run=run, mapping={"product_id": 0, "image": 1}, name="Weekly")
    again = start_import(actor=ivan, seller=seller, file_name="two.csv", file=io.BytesIO(content))
    assert (again.mapping, again.name) == ({"product_id": 0, "image": 1}, "Weekly")


def test_a_preview_writes_nothing_and_the_page_leads_through(client_of, ivan, seller):
    client = client_of(ivan)
    upload = io.BytesIO(feed_zip(*ROWS))
    upload.name = "feed.zip"
    page = client.post(reverse("compliance:import_new"), {"file": upload}, follow=True)
    run = ImportRun.objects.get()
    assert b"Import 3 rows" in page.content
    assert not Listing.objects.exists()
    url = reverse("compliance:import", args=[run.number])
    columns = {f"column-{name}": at for name, at in run.mapping.items()}
    bad = client.post(url, {**columns, "column-image": "", "action": "import"})
    assert (bad.status_code, b"feed.header" in bad.content) == (400, True)
    client.post(url, {**columns, "action": "import", "name": "feed"})
    work()
    assert Listing.objects.count() == 3
    assert b"Open the catalogue" in client.get(url).content


def test_a_draft_can_be_thrown_away_with_its_file(seller, ivan):
    run = start_import(actor=ivan, seller=seller, file_name="feed.zip", file=io.BytesIO(feed_zip(*ROWS)))
    discard_import(actor=ivan, run=run)
    run.refresh_from_db()
    assert (run.state, run.blob) == (ImportState.CANCELLED, None)


def test_an_operator_imports_nothing(seller, olga):
    with pytest.raises(PermissionDenied):
        start_import(actor=olga, seller=seller, file_name="feed.zip", file=io.BytesIO(feed_zip(*ROWS)))


# Addresses -------------------------------------------------------------------------------------------------------


def fetching(server: Server) -> Callable:
    return partial(fetch_url, resolve=resolve, connect=server.connect)


def test_rows_are_there_first_and_pictures_follow_through_checked_addresses(seller):
    rows = [
        {"product_id": "P1", "image": "http://shop.example.com/1.jpg"},
        {"product_id": "P2", "image": "http://loop.example.com/1.jpg"},
    ]
    run = imported(seller, "feed.csv", feed_bytes(*rows))
    assert (Listing.objects.count(), ListingImage.objects.count()) == (2, 0)
    with Server(respond(copy_of(1))) as server:
        assert fetch_remote(seller=seller, fetch=fetching(server)) == 1
        assert fetch_remote(seller=seller, fetch=fetching(server)) == 0
        assert server.connections == 1
    assert Listing.objects.get(product_id="P1").images.count() == 1
    assert list(run.problems.values_list("row", "code")) == [(2, "fetch.private_address")]


def test_an_address_that_is_down_is_tried_again_later(seller):
    imported(seller, "feed.csv", feed_bytes({"product_id": "P1", "image": "http://shop.example.com/1.jpg"}))
    with Server(respond(status="503 Busy")) as server:
        assert fetch_remote(seller=seller, fetch=fetching(server)) == 0
    row = RemotePicture.objects.get()
    assert (row.state, row.attempts, row.error_code) == ("waiting", 1, "fetch.http_error")
    assert not ImportProblem.objects.exists()


def test_the_same_feed_again_fetches_nothing_twice(seller):
    content = feed_bytes({"product_id": "P1", "image": "http://shop.example.com/1.jpg"})
    imported(seller, "feed.csv", content)
    with Server(respond(copy_of(1))) as server:
        fetch_remote(seller=seller, fetch=fetching(server))
        imported(seller, "feed.csv", content)
        fetch_remote(seller=seller, fetch=fetching(server))
        assert server.connections == 1


# Files larger than memory ----------------------------------------------------------------------------------------

MEGABYTE = 1 << 20


def write_large_feed(path: Path) -> None:
    """48 MB: three rows with pictures, and 45 pictures of the supplier that no row names."""
    noise = random.Random(1).randbytes(MEGABYTE)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(45):
            archive.writestr(f"shop/more/{number}.jpg", noise)
        for name, content in PICTURES.items():
            archive.writestr(f"shop/{name}", content)
        archive.writestr("shop/feed.csv", feed_bytes(*ROWS))


def test_a_large_file_is_never_in_memory_as_a_whole(seller, tmp_path):
    path = tmp_path / "feed.zip"
    write_large_feed(path)
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            run = start_import(actor=None, seller=seller, file_name="feed.zip", file=file)
        confirm_import(actor=None, run=run, mapping=run.mapping, name="feed")
        done = run_import(run.pk)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert done.counts == {"imported": 3}
    assert path.stat().st_size > 45 * MEGABYTE
    assert peak < 10 * MEGABYTE


def test_an_upload_of_many_megabytes_is_kept_beside_the_data_without_a_name(client, seller, ivan, tmp_path, settings):
    path = tmp_path / "feed.zip"
    write_large_feed(path)
    client.force_login(ivan)
    with path.open("rb") as file:
        answer = client.post(reverse("compliance:import_new"), {"file": file, "name": ""})
    assert answer.status_code == 302
    (run,) = ImportRun.objects.of(seller)
    assert (run.total, run.blob.size_bytes) == (3, path.stat().st_size)
    assert [one for one in settings.DATA_DIR.iterdir() if one.is_file()] == []


def test_a_file_over_the_quota_is_refused_by_name_and_nothing_is_kept(client, seller, ivan, settings):
    settings.SELLER_MAX_BYTES = 100
    client.force_login(ivan)
    answer = client.post(reverse("compliance:import_new"), {"file": io.BytesIO(feed_zip(*ROWS)), "name": ""})
    assert answer.status_code == 507
    assert b"quota_bytes" in answer.content
    assert not ImportRun.objects.of(seller).exists()
