"""A new storage key: every file opens before, between and after, and the old key then opens nothing."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command

from ledger.models import Blob
from ledger.services import keys
from ledger.services.blobs import BlobUnreadableError, read_blob, rotate_object_keys, seal_files

CONTENTS = [b"one", b"two", b"three"]


@pytest.fixture
def sealed(log, seller) -> list[Blob]:
    return Blob.objects.bulk_create(seal_files(seller=seller, contents=CONTENTS))


def read_all(sealed: list[Blob]) -> list[bytes]:
    return [read_blob(Blob.objects.get(pk=blob.pk)) for blob in sealed]


def test_every_file_opens_all_the_while(sealed):
    old = keys.storage_key()
    assert rotate_object_keys(finish=False).wrapped == 3
    assert keys.storage_key() != old
    assert read_all(sealed) == CONTENTS
    assert rotate_object_keys(finish=True).is_finished
    assert read_all(sealed) == CONTENTS
    assert keys.old_storage_key() is None


def test_what_a_program_sealed_with_the_old_key_meanwhile_is_wrapped_by_the_last_run(sealed, seller, monkeypatch):
    late = seal_files(seller=seller, contents=[b"late"])
    rotate_object_keys(finish=False)
    Blob.objects.bulk_create(late)
    assert read_blob(late[0]) == b"late"
    assert rotate_object_keys(finish=True).wrapped == 1
    assert read_all([*sealed, *late]) == [*CONTENTS, b"late"]


def test_a_crash_between_the_two_keys_is_taken_up(sealed):
    keys.write_secret(keys.OLD_STORAGE_KEY, keys.read_secret(keys.STORAGE_KEY))
    assert rotate_object_keys(finish=False).wrapped == 3
    assert read_all(sealed) == CONTENTS


def test_a_run_cut_short_goes_on_with_the_same_new_key(sealed):
    keys.begin_storage_rotation()
    new = keys.storage_key()
    assert rotate_object_keys(finish=False).wrapped == 3
    assert keys.storage_key() == new


def test_the_old_key_opens_nothing_afterwards(sealed):
    old = keys.read_secret(keys.STORAGE_KEY)
    rotate_object_keys(finish=False)
    rotate_object_keys(finish=True)
    keys.write_secret(keys.STORAGE_KEY, old)
    with pytest.raises(BlobUnreadableError):
        read_all(sealed)


def test_erased_objects_stay_erased(sealed):
    Blob.objects.filter(pk=sealed[0].pk).update(wrapped_key=b"")
    assert rotate_object_keys(finish=False).wrapped == 2
    assert bytes(Blob.objects.get(pk=sealed[0].pk).wrapped_key) == b""


def test_finishing_without_a_rotation_changes_nothing(sealed):
    old = keys.storage_key()
    assert rotate_object_keys(finish=True).wrapped == 0
    assert keys.storage_key() == old


def test_the_command_says_what_comes_next(sealed):
    out = io.StringIO()
    call_command("rotate_object_keys", stdout=out)
    assert "run again with --finish" in out.getvalue()
