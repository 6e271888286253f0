"""The instructions inside every bundle: their commands really give the answers they promise."""

import random
import re
import shutil
import subprocess

import pytest

from ledger.tlog import x509_path
from ledger.tlog.bundle import VERIFY_TEXTS, verify_text
from ledger.tlog.note import sign_note
from ledger.tlog.outside_time import TokenFiles, time_files
from tests.ledger.tlog.clocks import DAY, NOW, Clock, make_root
from tests.ledger.tlog.sample import SIGNER, WITNESS, SampleLog, with_sums
from tests.ledger.tlog.timed import timed_files

NEEDED = ("sh", "openssl", "sha256sum", "base64")
pytestmark = pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason="needs sh, coreutils and openssl")


def commands(name):
    """The indented blocks of the text, one script each."""
    blocks = re.findall(r"(?:^    .*\n)+", verify_text(name).decode(), re.MULTILINE)
    return [re.sub("^    ", "", block, flags=re.MULTILINE) for block in blocks]


@pytest.fixture
def unpack(tmp_path):
    def write(files):
        for path, data in files.items():
            target = tmp_path / path
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(data)
        return lambda script: subprocess.run(
            ["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return write


def test_both_languages_give_the_same_commands():
    chinese, english = map(commands, VERIFY_TEXTS)
    assert chinese == english
    assert len(english) == 7


@pytest.mark.parametrize(("size", "index"), [(1, 0), (2, 1), (5, 4), (13, 6), (300, 255), (300, 299)])
def test_every_step_gives_the_promised_answer(unpack, size, index):
    log = SampleLog(size)
    note = sign_note(log.checkpoint(), [SIGNER, WITNESS])
    run = unpack(with_sums(log.files(index, note)))
    sums, photo, claim, who, tree, signature, _times = (run(script) for script in commands("VERIFY.en.txt"))
    assert sums.returncode == 0
    assert all(line.endswith("OK") for line in sums.stdout.splitlines())
    assert photo.stdout == "1\n"
    for done in (claim, who):
        first, second = done.stdout.split()
        assert first == second
        assert len(first) == 64
    assert tree.stdout == "entry is in the tree\n"
    assert signature.stdout.splitlines() == ["Signature Verified Successfully", SIGNER.key.fingerprint]
    assert "".join(done.stderr for done in (sums, photo, claim, who, tree, signature)) == ""


def test_every_step_notices_its_own_change(unpack):
    log = SampleLog(13)
    scripts = commands("VERIFY.en.txt")
    good = with_sums(log.files(6))
    run = unpack(good | {"policy": good["policy"] + b"# changed\n"})
    assert run(scripts[0]).returncode != 0
    run = unpack(good | {"originals/0001.jpg": b"another"})
    assert run(scripts[1]).stdout == "0\n"
    run = unpack(good | {"claim.json": good["claim.json"] + b" ", "who.json": good["who.json"] + b" "})
    for script in scripts[2:4]:
        first, second = run(script).stdout.split()
        assert first != second
    run = unpack(good | {"entry.json": log.entries[6].replace(b"2026", b"2020")})
    assert "NOT IN THE TREE" in run(scripts[4]).stdout
    run = unpack(good | {"entry.json": log.entries[7]})
    assert "proof is for another entry" in run(scripts[4]).stdout
    run = unpack(good | {"checkpoint": good["checkpoint"].replace(b"\n13\n", b"\n14\n")})
    assert "Successfully" not in run(scripts[5]).stdout


def test_openssl_accepts_every_token_with_the_files_of_the_bundle_alone(unpack):
    run = unpack(with_sums(timed_files(random.Random(3))))
    lines = run(commands("VERIFY.en.txt")[6]).stdout.splitlines()
    assert len(lines) in (6, 8)
    assert set(lines[1::2]) == {"Verification: OK"}


def test_the_time_of_the_token_counts_even_after_the_certificate_expired(unpack):
    clock = Clock(start=NOW - 900 * DAY, end=NOW - 100 * DAY, at=NOW - 200 * DAY, root=make_root(start=NOW - 999 * DAY))
    note = b"log.example\n1\nAAAA\n\nsigned\n"
    token = TokenFiles(clock.stamp(note), note, x509_path.pem_of(clock.chain))
    run = unpack(time_files([token]))
    assert run(commands("VERIFY.en.txt")[6]).stdout.splitlines()[1] == "Verification: OK"
    plain = "openssl ts -verify -data later/1.note -in later/1.tsr -CAfile later/1.chain.pem 2>&1"
    assert "certificate has expired" in run(plain).stdout
