"""Whom a verifier trusts (C2SP tlog-policy): log keys, witness keys, and how many witnesses make a quorum.

This is what has to reach the verifier from outside the bundle; keys inside a bundle prove nothing by themselves.
"""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ledger.tlog.errors import NoteError, PolicyError
from ledger.tlog.note import ED25519, ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE, VerifierKey, format_vkey, parse_vkey

NO_QUORUM = "none"
MAX_POLICY_BYTES = 1024 * 1024
LOG_ALGORITHMS = frozenset({ED25519, ML_DSA_44_COSIGNATURE})
WITNESS_ALGORITHMS = frozenset({ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE})
_SPACE = re.compile("[ \t]+")
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_THRESHOLD = re.compile("[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """A log whose checkpoints count; its key's name is the origin."""

    key: VerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness, under the name that groups and the quorum use for it."""

    name: str
    key: VerifierKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A group that has witnessed once `threshold` of its members have."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Any of the logs, and the quorum: a witness's or group's name, or "none"."""

    logs: tuple[PolicyLog, ...]
    witnesses: tuple[Witness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str = NO_QUORUM

    def quorum_met(self, cosigners: AbstractSet[str]) -> bool:
        """Whether these witnesses, by name, are enough."""
        met = set(cosigners)
        for group in self.groups:  # a group only names what stands before it, so one pass settles all
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(group.name)
        return self.quorum == NO_QUORUM or self.quorum in met


def format_policy(policy: Policy) -> bytes:
    """The policy as text in one order: logs, witnesses, groups, quorum; PolicyError when it contradicts itself."""
    lines = [" ".join(filter(None, ("log", format_vkey(log.key), log.url))) for log in policy.logs]
    lines += [" ".join(filter(None, ("witness", w.name, format_vkey(w.key), w.url))) for w in policy.witnesses]
    lines += [" ".join(("group", g.name, str(g.threshold), *g.members)) for g in policy.groups]
    data = ("\n".join([*lines, f"quorum {policy.quorum}"]) + "\n").encode()
    if parse_policy(data) != policy:
        raise PolicyError("the policy has no text form")
    return data


def parse_policy(data: bytes) -> Policy:
    """The policy behind its text, or PolicyError naming the line. Text is UTF-8, names are compared as they stand."""
    if len(data) > MAX_POLICY_BYTES:
        raise PolicyError("the policy is too large", expected=MAX_POLICY_BYTES, actual=len(data))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError(f"not UTF-8: {error.reason}") from error
    if _FORBIDDEN.search(text):
        raise PolicyError("control characters other than tab and newline are not allowed")
    if text and not text.endswith("\n"):
        raise PolicyError("the last line has no newline")
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), start=1):
        words = _SPACE.split(line.strip(" \t"))
        if words == [""] or words[0].startswith("#"):
            continue
        try:
            reader.read(words)
        except PolicyError as error:
            raise PolicyError(f"line {number}: {error.message}") from error
        except NoteError as error:
            raise PolicyError(f"line {number}: {error.message}") from error
    return reader.policy()


class _Reader:
    """Takes the lines of a policy one by one."""

    def __init__(self) -> None:
        self.logs: list[PolicyLog] = []
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.quorum = ""
        self.names: set[str] = set()
        self.used: set[str] = set()

    def read(self, words: list[str]) -> None:
        keyword, arguments = words[0], words[1:]
        if keyword == "log" and len(arguments) in (1, 2):
            key = self._key(arguments[0], LOG_ALGORITHMS, [log.key for log in self.logs])
            self.logs.append(PolicyLog(key, *arguments[1:]))
        elif keyword == "witness" and len(arguments) in (2, 3):
            self._define(arguments[0])
            key = self._key(arguments[1], WITNESS_ALGORITHMS, [witness.key for witness in self.witnesses])
            self.witnesses.append(Witness(arguments[0], key, *arguments[2:]))
        elif keyword == "group" and len(arguments) >= 3:
            self._group(arguments[0], arguments[1], arguments[2:])
        elif keyword == "quorum" and len(arguments) == 1:
            if self.quorum:
                raise PolicyError("a second quorum line")
            if arguments[0] != NO_QUORUM and arguments[0] not in self.names:
                raise PolicyError(f"nothing called {arguments[0]} is defined above")
            self.quorum = arguments[0]
        else:
            raise PolicyError(f"not a policy line: {' '.join(words)[:80]}")

    def policy(self) -> Policy:
        if not self.quorum:
            raise PolicyError("no quorum line")
        return Policy(tuple(self.logs), tuple(self.witnesses), tuple(self.groups), self.quorum)

    def _key(self, text: str, algorithms: AbstractSet[int], others: list[VerifierKey]) -> VerifierKey:
        key = parse_vkey(text)
        if key.algorithm not in algorithms:
            raise PolicyError(f"algorithm 0x{key.algorithm:02x} does not serve here", expected=sorted(algorithms))
        if any(key.public == other.public for other in others):
            raise PolicyError("the same public key twice")
        return key

    def _define(self, name: str) -> None:
        if name == NO_QUORUM or name in self.names:
            raise PolicyError(f"the name {name} is taken")
        self.names.add(name)

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        for member in members:
            if member not in self.names:
                raise PolicyError(f"nothing called {member} is defined above")
            if member in self.used:
                raise PolicyError(f"{member} is already a member of a group")
            self.used.add(member)
        self._define(name)
        words = {"any": 1, "all": len(members)}
        if threshold not in words and not _THRESHOLD.fullmatch(threshold):
            raise PolicyError("a threshold is any, all or a decimal number")
        needed = words.get(threshold) or int(threshold)
        if needed > len(members):
            raise PolicyError("the threshold exceeds the number of members")
        self.groups.append(Group(name, needed, tuple(members)))
