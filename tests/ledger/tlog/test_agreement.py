"""verify.sh, verify.py and the app give one answer, whatever is wrong with a bundle."""

import random
import shutil

import pytest

from ledger.tlog.policy import format_policy
from tests.ledger.tlog.agreement import answers, spoiled
from tests.ledger.tlog.clocks import Clock, make_root
from tests.ledger.tlog.cosigned import BAD_POLICIES, CASES, QUORUM, cosigned
from tests.ledger.tlog.sample import with_sums
from tests.ledger.tlog.timed import FAULTS, timed_files

NEEDED = ("sh", "openssl", "sha256sum", "base64")
pytestmark = pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason="needs sh, coreutils and openssl")


def test_there_are_sixty_ways_to_be_wrong():
    assert len(FAULTS) >= 60


@pytest.mark.parametrize("fault", FAULTS)
def test_the_three_agree(fault):
    rng = random.Random(fault)
    found = answers(spoiled(fault, rng), outside=rng.random() < 0.5)
    verdicts = {found[name] for name in ("app", "verify.sh", "verify.py")}
    assert verdicts == {FAULTS[fault][1]}, found


@pytest.mark.parametrize("outside", [True, False])
def test_a_sound_bundle_passes_everywhere(outside):
    found = answers(spoiled("nothing", random.Random(1)), outside=outside)
    assert {found[name] for name in ("app", "verify.sh", "verify.py")} == {"PASSED"}
    assert ("compare it" in found["verify.sh says"]) is not outside
    assert ("compare it" in found["verify.py says"]) is not outside


def test_authorities_that_nobody_trusts_leave_the_time_open():
    """With trust anchors of somebody else, all three cannot tell: never passed, never failed."""
    files = timed_files(random.Random(2))
    stranger = Clock(root=make_root("Somebody else"))
    found = answers(with_sums(files), outside=True, anchors=[stranger.anchor])
    assert {found[name] for name in ("app", "verify.sh", "verify.py")} == {"INDETERMINATE"}


@pytest.mark.parametrize("case", CASES)
def test_a_quorum_is_counted_alike(case):
    files = cosigned(timed_files(random.Random(3)), case)
    found = answers(files, outside=True, policy=QUORUM)
    assert {found[name] for name in ("app", "verify.sh", "verify.py")} == {CASES[case][1]}, found


def test_a_quorum_that_the_bundle_itself_asks_for_counts_too():
    files = timed_files(random.Random(4)) | {"policy": format_policy(QUORUM)}
    for case in ("one of two", "two of three"):
        found = answers(cosigned(files, case), outside=False)
        assert {found[name] for name in ("app", "verify.sh", "verify.py")} == {CASES[case][1]}, found


@pytest.mark.parametrize("name", BAD_POLICIES)
def test_a_policy_that_is_none_is_refused_alike(name):
    files = timed_files(random.Random(5)) | {"policy": BAD_POLICIES[name]}
    found = answers(cosigned(files, "all"), outside=False)
    assert {found[name] for name in ("app", "verify.sh", "verify.py")} == {"FAILED"}, found
    assert "Traceback" not in found["verify.py says"]
