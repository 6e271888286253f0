"""The key directory: made once, never overwritten, readable by nobody else."""

from __future__ import annotations

import json
import threading

import pytest

from ledger.services import keys
from ledger.services.setup import create_log

pytestmark = pytest.mark.django_db


def test_keys_are_made_once(log):
    before = (keys.log_key().private_bytes_raw(), keys.storage_key(), keys.document_signer())
    assert keys.create_missing_keys() == []
    create_log()
    assert (keys.log_key().private_bytes_raw(), keys.storage_key(), keys.document_signer()) == before


def test_only_what_is_missing_is_made(log, settings):
    before = keys.log_key().private_bytes_raw()
    (settings.KEYS_DIR / keys.STORAGE_KEY).unlink()
    assert keys.create_missing_keys() == [keys.STORAGE_KEY]
    assert keys.log_key().private_bytes_raw() == before


def test_nobody_else_on_the_machine_can_read_keys(log, settings):
    for path in settings.KEYS_DIR.iterdir():
        if path.name != "signer.lock":
            assert path.stat().st_mode & 0o077 == 0, path.name
    assert settings.KEYS_DIR.stat().st_mode & 0o077 == 0


def test_no_key_is_in_the_data_directory(log, settings):
    material = [path.read_bytes() for path in settings.KEYS_DIR.glob("*key*")]
    data = [path.read_bytes() for path in settings.DATA_DIR.rglob("*") if path.is_file()]
    assert material
    assert not any(secret.strip() in content for secret in material for content in data)


@pytest.mark.parametrize("name", [keys.LOG_KEY, keys.STORAGE_KEY])
def test_a_missing_key_is_named(log, settings, name):
    (settings.KEYS_DIR / name).unlink()
    read = keys.log_key if name == keys.LOG_KEY else keys.storage_key
    with pytest.raises(keys.KeyMissingError, match=name):
        read()


def test_the_signers_memory_survives_and_is_kept_per_log(log):
    one, two = keys.SignerState(7, b"\x01" * 32), keys.SignerState(9, b"\x02" * 32)
    keys.write_signer_state("a.example/1", one)
    keys.write_signer_state("b.example/2", two)
    assert keys.read_signer_state("a.example/1") == one
    assert keys.read_signer_state("b.example/2") == two
    assert keys.read_signer_state("c.example/3") is None


def test_the_signers_memory_is_plain_json(log, settings):
    keys.write_signer_state("a.example/1", keys.SignerState(7, b"\x01" * 32))
    states = json.loads((settings.KEYS_DIR / keys.SIGNER_STATE).read_text())
    assert states["a.example/1"] == {"after": "", "note": "", "root_hash": "01" * 32, "tree_size": 7}


def test_one_signer_at_a_time(log):
    order = []

    def second() -> None:
        with keys.signer_lock():
            order.append("second")

    with keys.signer_lock():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(timeout=0.2)
        order.append("first")
    thread.join(timeout=5)
    assert order == ["first", "second"]
