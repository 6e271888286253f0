"""A disk that is full, broken or out of memory at any call of the append path: no receipt is false, none is lost."""

from __future__ import annotations

import json
import os

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError

from ledger.models import Original
from ledger.services.storage import FAILED, FULL, StorageError, named_storage_errors
from tests.faults import shim
from tests.images import jpeg_bytes, product_photo

needs_compiler = pytest.mark.skipif(
    shim.COMPILER is None and os.environ.get("CI") != "true", reason="needs a C compiler for the failing disk"
)


@needs_compiler
@pytest.mark.timeout(600)
def test_every_call_of_the_append_path_may_fail(tmp_path):
    library = shim.build(tmp_path)
    found = json.loads(shim.run("tests.faults.append", library=library, site=tmp_path / "site").splitlines()[-1])
    assert found["unnamed"] == []
    assert found["lost"] == 0
    assert found["doubled"] == 0
    assert found["after"] == found["unanswered"], "what had no receipt is registered when it is sent again"
    assert found["grown"] == found["unanswered"] - found["kept_without_receipt"]
    assert set(found["errors"]) == {
        f"{name}{more}" for name in ("ENOSPC", "EIO", "ENOMEM") for more in ("", " from then on")
    }
    for name, told in found["errors"].items():
        assert told["calls"] >= 8, "blob, folder and database write and sync"
        assert told.get(FULL, 0) + told.get(FAILED, 0) >= told["calls"] - 4, (name, told)
        if name.startswith("ENOSPC"):  # where SQLite was asked to sync it says I/O error
            assert told[FULL] > told["calls"] / 2, (name, told)


# What people are told --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (OSError(28, "No space left on device"), FULL),
        (OSError(122, "Disk quota exceeded"), FULL),
        (OSError(5, "Input/output error"), FAILED),
        (OSError(12, "Cannot allocate memory"), FAILED),
        (OperationalError("database or disk is full"), FULL),
        (OperationalError('could not extend file "base/1": No space left on device'), FULL),
        (OperationalError("disk I/O error"), FAILED),
        (OperationalError("server closed the connection unexpectedly"), FAILED),
    ],
)
@pytest.mark.django_db
def test_what_the_system_says_gets_one_of_two_names(cause, code):
    with pytest.raises(StorageError) as caught, named_storage_errors():
        raise cause
    assert caught.value.code == code


@pytest.mark.django_db
def test_an_upload_that_cannot_be_kept_says_so_to_people_and_programs(log, alice, client_of, settings):
    """A file stands where the folder of sealed files should be."""
    settings.DATA_DIR.mkdir(exist_ok=True)
    (settings.DATA_DIR / "blobs").write_bytes(b"")
    client, photo = client_of(alice), jpeg_bytes(product_photo(1))
    for accept in ("application/json", "text/html"):
        upload = SimpleUploadedFile("a.jpg", photo, "image/jpeg")
        answer = client.post("/originals/register/", {"files": upload}, headers={"accept": accept})
        assert answer.status_code == 503
        assert FAILED in answer.content.decode()
    assert answer["Content-Type"].startswith("text/html")
    assert not Original.objects.exists()
