"""Trust policies: the grammar of C2SP tlog-policy and what a quorum means."""

import pytest

from ledger.tlog.errors import PolicyError
from ledger.tlog.note import Ed25519Signer, format_vkey
from ledger.tlog.policy import Group, Policy, PolicyLog, Witness, format_policy, parse_policy
from tests.ledger.tlog.sample import OTHER_SIGNER, SIGNER, WITNESS, Cosigner

LOG = f"log {format_vkey(SIGNER.key)}"
KEYS = {
    name: Cosigner(f"{name}.example", bytes([number]) * 32).key
    for number, name in enumerate(["X1", "X2", "X3", "Y1", "Y2", "Y3"], 1)
}
EXAMPLE = "\n".join(
    [
        LOG,
        "# a comment",
        "",
        *(f"witness {name} {format_vkey(key)}" for name, key in KEYS.items()),
        "group X-witnesses 2 X1 X2 X3",
        "  group\tY-witnesses any Y1 Y2 Y3  ",
        "group X-and-Y all X-witnesses Y-witnesses",
        "quorum X-and-Y",
        "",
    ]
).encode()
X1 = f"witness X1 {format_vkey(KEYS['X1'])}"
X2 = f"witness X2 {format_vkey(KEYS['X2'])}"


def test_example_of_the_specification_is_read():
    policy = parse_policy(EXAMPLE)
    assert [log.key for log in policy.logs] == [SIGNER.key]
    assert {witness.name: witness.key for witness in policy.witnesses} == KEYS
    assert policy.groups[0] == Group("X-witnesses", 2, ("X1", "X2", "X3"))
    assert policy.groups[2].threshold == 2
    assert policy.quorum == "X-and-Y"


@pytest.mark.parametrize(
    ("cosigners", "met"),
    [
        (set(), False),
        ({"X1", "X2"}, False),
        ({"Y1"}, False),
        ({"X1", "Y1"}, False),
        ({"X1", "X3", "Y2"}, True),
        (set(KEYS), True),
    ],
)
def test_quorum_counts_groups(cosigners, met):
    assert parse_policy(EXAMPLE).quorum_met(cosigners) is met


def test_quorum_of_one_witness():
    policy = parse_policy(f"{LOG}\n{X1}\nquorum X1\n".encode())
    assert policy.quorum_met({"X1"})
    assert not policy.quorum_met({"X2"})


def test_quorum_none_needs_nobody():
    assert parse_policy(f"{LOG}\nquorum none\n".encode()).quorum_met(set())


def test_policies_round_trip():
    policy = Policy(
        (PolicyLog(SIGNER.key, "https://log.example/sample"), PolicyLog(OTHER_SIGNER.key)),
        (Witness("律师", WITNESS.key, "https://witness.example/"), Witness("X1", KEYS["X1"])),
        (Group("both", 2, ("律师", "X1")),),
        "both",
    )
    assert parse_policy(format_policy(policy)) == policy
    assert parse_policy(format_policy(parse_policy(EXAMPLE))) == parse_policy(EXAMPLE)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [LOG],
        [LOG, "quorum none", "quorum none"],
        [LOG, "quorum X1"],
        [LOG, "quorum X1", X1],
        [LOG, LOG, "quorum none"],
        [LOG, "log " + format_vkey(Ed25519Signer("other.example", SIGNER.seed).key), "quorum none"],
        ["log", "quorum none"],
        ["log nonsense", "quorum none"],
        [f"{LOG} https://a https://b", "quorum none"],
        ["log " + format_vkey(WITNESS.key), "quorum none"],
        [f"witness W {format_vkey(SIGNER.key)}", "quorum none"],
        [X1, X1, "quorum none"],
        [X1, X1.replace("X1", "Z", 1), "quorum none"],
        [X1.replace("X1", "none", 1), "quorum none"],
        [X1, "group G any", "quorum none"],
        [X1, "group G 0 X1", "quorum none"],
        [X1, "group G 01 X1", "quorum none"],
        [X1, "group G 2 X1", "quorum none"],
        [X1, "group G some X1", "quorum none"],
        [X1, "group G any X1 X1", "quorum none"],
        [X1, X2, "group G any X1", "group H any X1 X2", "quorum none"],
        [X1, "group G any X2", X2, "quorum none"],
        [X1, "group G any none", "quorum none"],
        [X1, "group G any G", "quorum none"],
        [X1, "group X1 any X1", "quorum none"],
        [LOG, "quorum  none extra"],
        [LOG, "quorum none", "trust everybody"],
        [LOG + "\r", "quorum none"],
        [LOG, "quorum none\x00"],
    ],
)
def test_malformed_policies_are_refused(lines):
    with pytest.raises(PolicyError):
        parse_policy("".join(f"{line}\n" for line in lines).encode())


@pytest.mark.parametrize("data", [b"quorum none", b"\xff\nquorum none\n", b"#" * 1_100_000 + b"\n"])
def test_other_bytes_are_refused(data):
    with pytest.raises(PolicyError):
        parse_policy(data)


def test_the_line_is_named():
    with pytest.raises(PolicyError, match="line 3"):
        parse_policy(f"{LOG}\n\nnonsense\nquorum none\n".encode())


@pytest.mark.parametrize(
    "policy",
    [
        Policy((PolicyLog(SIGNER.key),), quorum="nobody"),
        Policy((PolicyLog(SIGNER.key, "two words"),)),
        Policy((PolicyLog(SIGNER.key), PolicyLog(SIGNER.key))),
    ],
)
def test_policies_without_a_text_form_are_not_written(policy):
    with pytest.raises(PolicyError):
        format_policy(policy)


def test_32_logs_witnesses_and_groups_are_supported():
    logs = tuple(PolicyLog(Ed25519Signer(f"log{n}.example", bytes([n]) * 32).key) for n in range(32))
    witnesses = tuple(Witness(f"w{n}", Cosigner(f"w{n}.example", bytes([n]) * 32).key) for n in range(32))
    groups = tuple(Group(f"g{n}", 1, (f"w{n}",)) for n in range(32))
    policy = Policy(logs, witnesses, groups, "g31")
    assert parse_policy(format_policy(policy)) == policy


def test_every_prefix_without_the_quorum_is_refused():
    for cut in range(len(EXAMPLE) - len("quorum X-and-Y\n")):
        with pytest.raises(PolicyError):
            parse_policy(EXAMPLE[:cut])
