"""`python -m ledger.tlog verify` as a stranger runs it: bare Python, with and without cryptography, no Django."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.tlog.bundle import format_bundle
from ledger.tlog.policy import format_policy
from tests.ledger.tlog.sample import PHOTO, POLICY, SIGNER, SampleLog, pack, with_sums

ROOT = Path(__file__).parents[3]
LOG = SampleLog(5)
# -S leaves out site-packages, so neither Django nor cryptography exists and openssl has to answer.
BARE = [sys.executable, "-S", "-m", "ledger.tlog"]
BLOCKED = [
    sys.executable,
    "-c",
    "import runpy, sys\n"
    "for name in ('django', 'PIL', 'numpy', 'config', 'compliance'): sys.modules[name] = None\n"
    "runpy.run_module('ledger.tlog', run_name='__main__', alter_sys=True)",
]


def run(*arguments, command=BARE, env=None):
    return subprocess.run(
        [*command, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False, env=env
    )


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "bundle.zip"
    path.write_bytes(format_bundle(LOG.files(3)))
    return path


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "trusted"
    path.write_bytes(format_policy(POLICY))
    return path


def test_bare_python_has_no_cryptography():
    done = subprocess.run([sys.executable, "-S", "-c", "import cryptography"], capture_output=True, check=False)
    assert done.returncode != 0


@pytest.mark.parametrize("command", [BARE, BLOCKED], ids=["openssl", "cryptography"])
def test_a_good_bundle_passes(bundle, policy, command):
    done = run("verify", bundle, "--policy", policy, command=command)
    assert (done.returncode, done.stderr) == (0, "")
    assert "which your policy trusts" in done.stdout
    assert SIGNER.key.fingerprint in done.stdout


@pytest.mark.parametrize("command", [BARE, BLOCKED], ids=["openssl", "cryptography"])
def test_without_a_policy_the_key_is_named(bundle, command):
    done = run("verify", bundle, command=command)
    assert done.returncode == 0
    assert "compare it with the one you trust" in done.stdout


@pytest.mark.parametrize("command", [BARE, BLOCKED], ids=["openssl", "cryptography"])
def test_a_changed_bundle_fails(tmp_path, command):
    files = with_sums(LOG.files(3))
    signature = files["checkpoint"].rindex(b"=") - 10
    changed = bytearray(files["checkpoint"])
    changed[signature] = ord("A") if changed[signature] != ord("A") else ord("B")
    files["checkpoint"] = bytes(changed)
    path = tmp_path / "bundle.zip"
    path.write_bytes(pack(with_sums(files)))
    done = run("verify", path, "--json", command=command)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["verdict"] == "FAILED"
    assert report["disagreement"]["item"] == "checkpoint"


def test_without_any_tool_the_answer_stays_open(bundle, tmp_path):
    done = run("verify", bundle, env={"PATH": str(tmp_path)})
    assert done.returncode == 2
    assert "INDETERMINATE" in done.stdout


def test_a_missing_claim_leaves_the_answer_open(tmp_path):
    files = LOG.files(3)
    del files["claim.json"]
    path = tmp_path / "bundle.zip"
    path.write_bytes(format_bundle(files))
    done = run("verify", path)
    assert done.returncode == 2
    assert done.stdout.splitlines()[-1].startswith("INDETERMINATE: claim.json")


def test_json_is_the_report(bundle, policy):
    report = json.loads(run("verify", bundle, "--policy", policy, "--json").stdout)
    assert (report["report"], report["verdict"], report["qualified"]) == (1, "PASSED", False)
    assert report["entry"]["seq"] == 3


def test_the_registered_photo_is_recognised(bundle, tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(PHOTO)
    done = run("verify", bundle, "--file", photo)
    assert done.returncode == 0
    assert "this file is the registered one" in done.stdout


def test_another_photo_is_not(bundle, tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(PHOTO + b"x")
    assert run("verify", bundle, "--file", photo).returncode == 1


def test_a_terminal_without_chinese_still_gets_the_answer(bundle):
    done = run("verify", bundle, "--json", env={"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "PASSED" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["verify"],
        ["prove", "x"],
        ["verify", "no-such-file.zip"],
        ["verify", "pyproject.toml", "--policy", "pyproject.toml"],
    ],
)
def test_wrong_usage_exits_with_64(arguments):
    done = run(*arguments)
    assert done.returncode == 64
    assert done.stderr


def test_a_file_that_is_no_bundle_fails():
    assert run("verify", "pyproject.toml").returncode == 1


def test_no_module_outside_the_package_and_the_standard_library_is_imported():
    script = (
        "import ledger.tlog.__main__, sys\n"
        "names = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)\n"
        "print(sorted(names - {'__main__', '__mp_main__'}))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['ledger']"
