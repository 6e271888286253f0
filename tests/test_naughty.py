"""Strings that hurt, wherever people can put them: nothing breaks, runs, is computed or gets out of its place.

The long way, every route with every string of a longer list, is `python -m tests.bench.naughty`.
"""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from ledger.models import Original
from ledger.services.originals import Upload, register_originals
from tests.compliance.complete_case import complete_case
from tests.images import jpeg_bytes, product_photo
from tests.matrix.world import ROWS, make_world
from tests.naughty.outputs import pdf_text
from tests.naughty.strings import KINDS, STRINGS
from tests.naughty.walk import Walk

# Routes whose objects take long to make and show no more of what people type than the others.
COSTLY = ("search", "check", "pack", "quality", "repair", "batch", "sku_set", "derivative", "certificate", "api_job")


@pytest.mark.timeout(900)  # a minute of computing; on a machine with much else to do it takes its time
def test_no_text_breaks_a_page_runs_in_it_or_leaves_its_place(log):
    """Every string meets some field; the pages, sheets, feeds, calendars, letters and proofs that show it are read after."""
    walk = Walk(make_world(), ROWS, STRINGS, rounds=1)
    walk.begin([name for name in ROWS if not any(word in name for word in COSTLY)])
    try:
        for step in (walk.read, walk.fill, walk.read, walk.nonsense, walk.parameters, walk.addresses):
            step()
    finally:
        walk.close()
    assert not walk.faults
    shown = len(walk.marks.keys() & walk.shown)
    told = f"{walk.asked} asked, {walk.taken} taken; {shown} of {len(walk.marks)} texts were seen again, not {walk.never_shown()}"
    assert walk.taken >= 25, told
    assert shown >= 55, told


def squeezed(text: str) -> str:
    """Without what a line break of the page may add or take away."""
    return re.sub(r"\s+", "", text)


def test_a_letter_prints_markup_letter_by_letter(log, seller, client_of, alice):
    """As somebody may write to a marketplace, in a field of one line and in one of many."""
    texts = [text for kind in ("typst", "templates", "markup", "format", "sql") for text in KINDS[kind]]
    line, message = " ".join(texts[:12])[:200], "\n".join(texts)
    case = complete_case(seller, captures=False, right_title=line, message=message, languages=["zh", "en"])
    address = reverse("compliance:case_draft", args=[case.number, "en"])
    printed = squeezed(pdf_text(client_of(alice).get(address).content))
    assert squeezed(line) in printed
    assert not [text for text in texts if squeezed(text) not in printed]


def test_no_file_name_breaks_a_header(log, seller, client_of, alice):
    names = [text.replace("/", "_")[:200] for text in STRINGS if text.strip()]
    photo = jpeg_bytes(product_photo(1, (64, 64)))
    uploads = [Upload(f"{name}.jpg", photo + b"\0" * at) for at, name in enumerate(names[::5])]
    register_originals(actor=alice, seller=seller, uploads=uploads)
    client = client_of(alice)
    for original in Original.objects.of(seller):
        header = client.get(reverse("ledger:original_file", args=[original.number]))["Content-Disposition"]
        assert header.isascii()
        assert header.isprintable()
        assert header.startswith('attachment; filename="')
