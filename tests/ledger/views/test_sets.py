"""Evidence sets on their pages: from the drop to the ZIP, with and without the script."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from ledger.accounts.numbers import new_number
from ledger.models import EvidenceSet
from ledger.services.evidence_sets import add_files, open_draft
from ledger.services.log import seal
from ledger.services.originals import Upload
from ledger.tlog import bundle
from ledger.tlog.claims import MAX_ITEMS

pytestmark = pytest.mark.django_db

NEW, LIST = "/sets/new/", "/sets/"


def files(**contents: bytes) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(name.replace("_", "."), content) for name, content in contents.items()]


def text(response) -> str:
    return response.content.decode()


def test_from_the_drop_to_the_zip(client_of, log, alice):
    client = client_of(alice)
    assert "om-empty" in text(client.get(LIST))
    response = client.post(NEW, {"files": files(a_cr3=b"raw", b_pdf=b"contract")})
    page = text(client.get(response["Location"]))
    assert "a.cr3" in page
    assert '<option value="raw" selected>' in page
    made = client.post(response["Location"], {"title": "Mug", "role-1": "outtake"}, follow=True)
    assert "Mug" in text(made)
    assert [file.role for file in EvidenceSet.objects.get().files.all()] == ["raw", "outtake"]
    seal()
    number = EvidenceSet.objects.get().number
    zipped = client.get(reverse("ledger:set_bundle", args=[number]), {"file": "1"}).content
    assert bundle.read_bundle(zipped)["originals/0002.pdf"] == b"contract"
    assert client.get(reverse("ledger:set_certificate", args=[number])).content.startswith(b"%PDF")
    assert client.get(reverse("ledger:set_file", args=[number, 0])).content == b"raw"
    assert "Mug" in text(client.get(LIST))
    assert "Mug" in text(client.get("/history/"))


def test_the_script_sends_one_file_at_a_time_with_its_path(client_of, log, alice):
    client, number = client_of(alice), new_number()
    for name in ("花絮/one.jpg", "two.raw"):
        data = {"set": number, "path": name, "files": SimpleUploadedFile(name.split("/")[-1], name.encode())}
        answer = client.post(NEW, data, headers={"accept": "application/json"}).json()
        assert [row["status"] for row in answer["results"]] == ["registered"]
    rows = EvidenceSet.objects.get(number=number).files.all()
    assert [(file.file_name, file.role) for file in rows] == [("花絮/one.jpg", "outtake"), ("two.raw", "raw")]


def test_a_refused_file_is_named_and_the_rest_goes_on(client_of, log, alice):
    response = client_of(alice).post(NEW, {"files": files(a_raw=b"", b_raw=b"ok")}, follow=True)
    assert "a.raw" in text(response)
    assert "empty_file" in text(response)
    assert EvidenceSet.objects.get().files.count() == 1


def test_nothing_chosen_leads_back_with_the_reason(client_of, log, alice):
    response = client_of(alice).post(NEW, {}, follow=True)
    assert response.redirect_chain[-1][0] == NEW
    assert "no_file" in text(response)


def test_later_files_name_the_set_they_add_to(client_of, log, alice):
    client = client_of(alice)
    url = client.post(NEW, {"files": files(a_raw=b"1")})["Location"]
    client.post(url, {"title": "First"})
    first = EvidenceSet.objects.get()
    assert "First" in text(client.get(f"{NEW}?adds={first.number}"))
    later = client.post(NEW, {"adds": first.number, "files": files(b_raw=b"2")})["Location"]
    assert "1 file of the set it adds to" in text(client.get(later))
    client.post(later, {"title": "Second"})
    assert "Second" in text(client.get(reverse("ledger:set", args=[first.number])))


def test_a_draft_can_be_thrown_away(client_of, log, alice):
    client = client_of(alice)
    url = client.post(NEW, {"files": files(a_raw=b"1")})["Location"]
    client.post(url + "discard/")
    assert not EvidenceSet.objects.exists()
    assert client.get(url).status_code == 404


def test_a_viewer_sees_sets_and_gets_no_file(client_of, log, alice, bob):
    url = client_of(alice).post(NEW, {"files": files(a_raw=b"1")})["Location"]
    client_of(alice).post(url, {"title": "Mug"})
    page = text(client_of(bob).get(url))
    assert "a.raw" in page
    assert "files/0/" not in page
    assert client_of(bob).get(url + "files/0/").status_code == 403


def test_a_set_as_large_as_a_claim_can_be_registered_from_its_page(client_of, log, seller, alice):
    draft = open_draft(actor=alice, seller=seller, number=new_number())
    add_files(actor=alice, draft=draft, uploads=[Upload("a.raw", b"1")])
    url = reverse("ledger:set", args=[draft.number])
    roles = {f"role-{position}": "raw" for position in range(MAX_ITEMS)}
    assert client_of(alice).post(url, {"title": "Large", **roles}).status_code == 302
