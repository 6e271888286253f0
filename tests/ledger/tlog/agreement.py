"""The three checkers, asked about the same bundle: the app's verifier, verify.sh and verify.py."""

import random
import subprocess
import sys
import tempfile
from pathlib import Path

from ledger.tlog import bundle, x509_path
from ledger.tlog.policy import Policy, format_policy
from ledger.tlog.verify import verify_bundle
from tests.ledger.tlog.sample import POLICY, pack, with_sums
from tests.ledger.tlog.timed import FAULTS, Files, clocks, timed_files

PROGRAMS = (["sh", "verify.sh"], [sys.executable, "-S", "verify.py"])
VERDICTS = {0: "PASSED", 1: "FAILED", 2: "INDETERMINATE"}


def spoiled(fault: str, rng: random.Random) -> Files:
    """A bundle's files with that fault, SHA256SUMS fitting unless it is the fault."""
    files = timed_files(rng)
    FAULTS[fault][0](files, rng)
    return files if bundle.SUMS in files else with_sums(files)


def answers(
    files: Files, *, outside: bool, anchors: list[bytes] | None = None, policy: Policy = POLICY
) -> dict[str, str]:
    """What each checker says; outside: with the policy and the trust anchors from elsewhere."""
    anchors = anchors or [clock.anchor for clock in clocks()]
    report = verify_bundle(pack(files), policy if outside else None, anchors=anchors if outside else ())
    found = {"app": report.verdict.value}
    with tempfile.TemporaryDirectory() as name:
        folder, beside = Path(name) / "bundle", Path(name)
        for path, data in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        (beside / "policy").write_bytes(format_policy(policy))
        (beside / "anchors.pem").write_bytes(x509_path.pem_of(anchors))
        options = ["--policy", "../policy", "--anchors", "../anchors.pem"] if outside else []
        for program in PROGRAMS:
            done = subprocess.run([*program, *options], cwd=folder, capture_output=True, text=True, check=False)
            found[program[-1]] = VERDICTS.get(done.returncode, f"{done.returncode}: {done.stderr[-300:]}")
            found[f"{program[-1]} says"] = done.stdout + done.stderr
    return found
