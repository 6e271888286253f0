"""Evidence sets: any files, one entry, taken away with what is chosen; later files, erasure, limits."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command

from ledger.accounts.numbers import new_number
from ledger.models import Blob, EvidenceSet, SetRole
from ledger.services import evidence_sets
from ledger.services.blobs import BlobUnreadableError, read_blob
from ledger.services.erasure import erase_original
from ledger.services.evidence import ErasedError
from ledger.services.evidence_sets import (
    SetError,
    add_files,
    discard_draft,
    guess_role,
    media_type,
    open_draft,
    register_set,
    set_bundle,
    set_certificate,
)
from ledger.services.log import own_policy, seal
from ledger.services.originals import Upload
from ledger.services.verification import verify_evidence
from ledger.tlog import bundle
from ledger.tlog.claims import parse_claim
from ledger.tlog.report import Verdict
from ledger.tlog.verify import verify_bundle
from tests.factories import register_one
from tests.images import jpeg_bytes, product_photo

pytestmark = pytest.mark.django_db

SHOOT = {
    "shoot/IMG_1.jpg": b"not even a picture",
    "shoot/IMG_1.CR3": b"raw",
    "shoot/mug.psd": b"layers",
    "花絮/IMG_9.jpg": b"outtake",
    "contracts/model release.pdf": b"%PDF-1.4",
}


def draft_of(seller, files=SHOOT, previous=None, actor=None) -> EvidenceSet:
    draft = open_draft(actor=actor, seller=seller, number=new_number(), previous=previous)
    add_files(actor=actor, draft=draft, uploads=[Upload(name, content) for name, content in files.items()])
    return draft


def claim_of(made: EvidenceSet) -> dict:
    assert made.statement is not None
    return parse_claim("set.registered", bytes(made.statement.claim))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("a.jpg", SetRole.ORIGINAL),
        ("a.NEF", SetRole.RAW),
        ("deep/a.psb", SetRole.LAYERED),
        ("花絮/a.jpg", SetRole.OUTTAKE),
        ("making of.mp4", SetRole.OUTTAKE),
        ("授权书.jpg", SetRole.CONTRACT),
        ("invoice.pdf", SetRole.CONTRACT),
        ("export/a.jpg", SetRole.DERIVATIVE),
    ],
)
def test_a_role_is_guessed_from_folder_and_ending(name, role):
    assert guess_role(name) == role


def test_a_type_is_named_by_the_ending_and_never_looked_for_inside():
    assert media_type("a.jpg") == "image/jpeg"
    assert media_type("a.dng") == "image/x-adobe-dng"
    assert media_type("a.unheard-of") == "application/octet-stream"
    assert media_type("nothing") == "application/octet-stream"


def test_one_entry_covers_all_files(log, seller, alice, assert_log_valid):
    made = register_set(actor=alice, draft=draft_of(seller), title="Mug, spring")
    claim = claim_of(made)
    assert claim["title"] == "Mug, spring"
    assert [item["role"] for item in claim["items"]] == ["original", "raw", "layered", "outtake", "contract"]
    assert assert_log_valid() == 1


def test_registering_again_gives_the_same_set(log, seller, alice):
    draft = draft_of(seller)
    first = register_set(actor=alice, draft=draft)
    assert register_set(actor=alice, draft=draft).statement_id == first.statement_id
    with pytest.raises(SetError, match="set_not_open"):
        open_draft(actor=alice, seller=seller, number=draft.number)


def test_roles_can_be_corrected_before_registering(log, seller):
    draft = draft_of(seller, {"a.jpg": b"1", "b.jpg": b"2"})
    made = register_set(actor=None, draft=draft, roles={1: "outtake", 0: "nonsense"})
    assert [item["role"] for item in claim_of(made)["items"]] == ["original", "outtake"]


def test_one_bad_file_stops_no_other_and_the_same_bytes_count_once(log, seller, monkeypatch):
    monkeypatch.setattr(evidence_sets, "MAX_FILE_BYTES", 5)
    draft = open_draft(actor=None, seller=seller, number=new_number())
    uploads = [Upload("a", b""), Upload("b", b"too large"), Upload("c", b"ok"), Upload("d", b"ok")]
    answers = add_files(actor=None, draft=draft, uploads=uploads)
    assert [(answer.status, answer.code) for answer in answers] == [
        ("rejected", "empty_file"),
        ("rejected", "evidence_file_too_large"),
        ("registered", ""),
        ("existing", ""),
    ]
    assert draft.files.count() == 1


def test_an_empty_draft_is_refused_by_name(log, seller):
    draft = open_draft(actor=None, seller=seller, number=new_number())
    with pytest.raises(SetError, match="set_empty"):
        register_set(actor=None, draft=draft)


def test_certificate_and_bundle_pass_and_disclose_what_was_chosen(log, seller, alice):
    made = register_set(actor=alice, draft=draft_of(seller), title="Mug")
    pdf = read_blob(set_certificate(actor=alice, evidence_set=made).blob)
    assert verify_evidence(pdf).verdict is Verdict.PASSED
    content = set_bundle(actor=alice, evidence_set=made, disclosed=[1, 4])
    files = bundle.read_bundle(content)
    assert files["originals/0002.cr3"] == b"raw"
    assert files["originals/0005.pdf"] == b"%PDF-1.4"
    report = verify_bundle(content, own_policy())
    assert report.verdict is Verdict.PASSED
    assert [digest.disclosed for digest in report.digests] == [
        "",
        "originals/0002.cr3",
        "",
        "",
        "originals/0005.pdf",
    ]


def test_who_may_not_download_originals_gets_no_file_of_a_set(log, seller, olga):
    made = register_set(actor=None, draft=draft_of(seller))
    assert "originals/0001.jpg" not in bundle.read_bundle(set_bundle(actor=olga, evidence_set=made))
    with pytest.raises(PermissionDenied):
        set_bundle(actor=olga, evidence_set=made, disclosed=[0])


def test_later_files_make_a_set_that_lists_the_earlier_ones_again(log, seller):
    first = register_set(actor=None, draft=draft_of(seller))
    blobs = Blob.objects.count()
    more = draft_of(seller, {"late.raw": b"late", "shoot/IMG_1.CR3": b"raw"}, previous=first)
    assert more.files.count() == 1, "what the first set holds is known"
    second = register_set(actor=None, draft=more)
    assert claim_of(second)["items"][:5] == claim_of(first)["items"]
    assert [item["role"] for item in claim_of(second)["items"]][5:] == ["raw"]
    assert Blob.objects.count() == blobs + 1, "nothing is stored twice"
    seal()
    assert verify_bundle(set_bundle(actor=None, evidence_set=second, disclosed=[0, 5]), own_policy()).verdict is (
        Verdict.PASSED
    )


def test_a_discarded_draft_leaves_nothing(log, seller, alice):
    draft = draft_of(seller)
    blob = draft.files.select_related("blob").first().blob
    discard_draft(actor=alice, draft=draft)
    assert not EvidenceSet.objects.exists()
    with pytest.raises(BlobUnreadableError):
        read_blob(blob)


def test_a_registered_set_cannot_be_discarded(log, seller):
    made = register_set(actor=None, draft=draft_of(seller))
    with pytest.raises(SetError, match="set_not_open"):
        discard_draft(actor=None, draft=made)


def test_another_seller_neither_opens_nor_adds(log, seller, other_seller, mallory):
    draft = draft_of(seller)
    with pytest.raises(SetError, match="set_not_open"):
        open_draft(actor=mallory, seller=other_seller, number=draft.number)
    with pytest.raises(PermissionDenied):
        add_files(actor=mallory, draft=draft, uploads=[Upload("x", b"x")])


def test_erasing_an_original_erases_the_same_bytes_in_a_set(log, seller, alice):
    photo = jpeg_bytes(product_photo(1))
    original = register_one(seller)
    made = register_set(actor=None, draft=draft_of(seller, {"photo.jpg": photo, "a.raw": b"raw"}))
    erase_original(actor=alice, original=original, reason="request")
    made = EvidenceSet.objects.select_related("statement").get(pk=made.pk)
    gone, kept = made.files.select_related("blob")
    assert (gone.is_erased, gone.file_name, bytes(gone.sha256)) == (True, "", b"")
    assert read_blob(kept.blob) == b"raw"
    with pytest.raises(BlobUnreadableError):
        read_blob(gone.blob)
    with pytest.raises(ErasedError):
        set_certificate(actor=alice, evidence_set=made)


# On the command line ----------------------------------------------------------------------------------------------


def test_a_folder_is_registered_by_command(log, seller, tmp_path, capsys):
    for name, content in SHOOT.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "in" / "empty.raw").touch()
    call_command("register_set", str(tmp_path / "in"), "--seller", "acme", "--role", "*.jpg=outtake", "--json")
    *files, told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(row["status"], row["code"]) for row in files} == {("registered", ""), ("rejected", "empty_file")}
    assert {row["role"] for row in files if row["file"].endswith(".jpg")} == {"outtake"}
    assert told["files"] == 5
    (tmp_path / "late.raw").write_bytes(b"late")
    call_command("register_set", str(tmp_path / "late.raw"), "--seller", "acme", "--adds", told["set"])
    assert "6 files" in capsys.readouterr().out


def test_a_command_without_a_usable_file_says_so(log, seller, tmp_path):
    path = tmp_path / "empty.raw"
    path.touch()
    with pytest.raises(CommandError, match="set_empty"):
        call_command("register_set", str(path), "--seller", "acme")
    assert not EvidenceSet.objects.exists()
