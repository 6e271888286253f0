#!/usr/bin/env python3
"""Checks the evidence in this folder with Python's standard library and the openssl command; nothing of ours is imported.

    python3 verify.py [--policy FILE] [--anchors FILE.pem] [FOLDER]

FILE: whom you trust, from elsewhere (the log's policy; certificates of time-stamping authorities).
Exit codes: 0 PASSED, 1 FAILED, 2 INDETERMINATE, 64 wrong usage. Formats: docs/spec/bundle.md, docs/spec/timestamp.md.
"""

import argparse
import base64
import calendar
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REQUIRED = ("SHA256SUMS", "log.json", "proof.tlog-proof", "checkpoint", "entry.json", "claim.json")
FIELDS = ["claim", "kind", "log", "prev", "seq", "ts", "v", "who"]
SPKI = bytes.fromhex("302a300506032b6570032100")


class Wrong(Exception):
    """Something disagrees."""


class Missing(Exception):
    """Something is not there, so nobody can tell."""


def sha(data):
    return hashlib.sha256(data).digest()


def unb64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Wrong("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise Wrong("not canonical base64")
    return data


def once(pairs):
    if len(dict(pairs)) != len(pairs):
        raise Wrong("a key repeats")
    return dict(pairs)


def canonical(data):
    """The JSON value, if these are the bytes that say it canonically."""
    try:
        value = json.loads(data, object_pairs_hook=once)
        same = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() == data
    except (ValueError, RecursionError):
        raise Wrong("not JSON") from None
    if not same or not isinstance(value, dict):
        raise Wrong("not canonical JSON")
    return value


def read_entry(data):
    entry = canonical(data)
    hexes = all(re.fullmatch("[0-9a-f]{64}", str(entry.get(name))) for name in ("claim", "prev", "who"))
    moment = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(entry.get("ts")))
    if sorted(entry) != FIELDS or not hexes or not moment or entry["v"] != 1 or not isinstance(entry["seq"], int):
        raise Wrong("not an entry")
    return entry


def read_note(data):
    """(text, [(name, id, signature)])"""
    try:
        text, _, rest = data.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise Wrong("not UTF-8") from None
    if "\r" in text + rest:
        raise Wrong("not a signed note")
    return text + "\n", read_signatures(rest)


def read_signatures(rest):
    """[(name, id, signature)] of lines that each end in a newline"""
    if not rest.endswith("\n"):
        raise Wrong("not a signature line")
    signatures = []
    for line in rest[:-1].split("\n"):
        match = re.fullmatch("— ([^ +]+) ([A-Za-z0-9+/]+=*)", line)
        if not match:
            raise Wrong("not a signature line")
        value = unb64(match.group(2))
        signatures.append((match.group(1), value[:4], value[4:]))
    return signatures


def read_head(text):
    """(origin, size, root)"""
    lines = text.split("\n")
    if len(lines) != 4 or not re.fullmatch("0|[1-9][0-9]{0,18}", lines[1]):
        raise Wrong("not a checkpoint")
    root = unb64(lines[2])
    if len(root) != 32:
        raise Wrong("a root hash has 32 bytes")
    return lines[0], int(lines[1]), root


def read_proof(data):
    """(index, path, checkpoint)"""
    head, _, checkpoint = data.partition(b"\n\n")
    lines = head.decode("utf-8", "replace").split("\n")
    index = re.fullmatch("index (0|[1-9][0-9]{0,18})", lines[1]) if len(lines) > 1 else None
    if lines[0] != "c2sp.org/tlog-proof@v1" or not index:
        raise Wrong("not a proof")
    return int(index.group(1)), [unb64(line) for line in lines[2:]], checkpoint


def climb(data, index, size, path):
    """The root that a leaf and its path lead to (RFC 9162 section 2.1.3.2)."""
    value, node, last = sha(b"\0" + data), index, size - 1
    if index >= size:
        raise Wrong("the index lies outside the tree")
    for sibling in path:
        if last == 0 or len(sibling) != 32:
            raise Wrong("the path is too long")
        if node & 1 or node == last:
            value = sha(b"\1" + sibling + value)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            value = sha(b"\1" + value + sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise Wrong("the path is too short")
    return value


def commits(document, words, wanted):
    canonical(document)
    return hashlib.sha256(words + b"\0" + document).hexdigest() == wanted


def read_policy(data):
    """([(name, id, key bytes)] of the logs, [(witness, (name, id, key bytes))], [(group, number, members)], quorum)"""
    logs, witnesses, groups, quorums, known, placed = [], [], [], [], set(), set()
    for line in data.decode("utf-8", "replace").split("\n"):
        word, *rest = line.split() or ["#"]
        if word.startswith("#"):
            continue
        if word in ("witness", "group") and (not rest or rest[0] in known | {"none"}):
            raise Wrong("the policy gives a name twice, or none")
        if word == "log" and len(rest) in (1, 2):
            logs.append(read_key(rest[0]))
        elif word == "witness" and len(rest) in (2, 3):
            witnesses.append((rest[0], read_key(rest[1])))
            known.add(rest[0])
        elif word == "group" and len(rest) > 2:
            name, threshold, *members = rest
            number = {"all": len(members), "any": 1}.get(threshold) or (threshold.isdecimal() and int(threshold))
            if len(set(members)) < len(members) or set(members) - known or placed & set(members):
                raise Wrong("a member of a group is unknown, or a member already")
            if not 1 <= number <= len(members):
                raise Wrong("a group asks for more or less than its members")
            groups.append((name, number, members))
            known.add(name)
            placed |= set(members)
        elif word == "quorum" and len(rest) == 1 and rest[0] in known | {"none"}:
            quorums.append(rest[0])
        else:
            raise Wrong("the policy is not well formed")
    if len(quorums) != 1:
        raise Wrong("a policy has one quorum")
    for keys in ([key for _, _, key in logs], [key for _, (_, _, key) in witnesses]):
        if len({key[1:] for key in keys}) < len(keys):
            raise Wrong("one key under two names")
    return logs, witnesses, groups, quorums[0]


def read_key(vkey):
    """(name, id, algorithm byte and public key)"""
    name, key_id, value = (vkey.split("+", 2) + ["", ""])[:3]
    key = unb64(value)
    if not key or sha(name.encode() + b"\n" + key)[:4].hex() != key_id:
        raise Wrong("a key of the policy does not fit its id")
    return name, key_id, key


class Evidence:
    def __init__(self, folder, policy, anchors):
        self.folder, self.policy, self.anchors = folder, policy, anchors
        self.files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
        self.failed = self.open = False
        self.head = self.entry = self.origin = self.proof = self.claim = None

    def say(self, verdict, what):
        self.failed |= verdict == "FAILED"
        self.open |= verdict == "INDETERMINATE"
        print(f"{verdict:<13}  {what}")

    def check(self, name, step, *arguments):
        try:
            said = step(*arguments)
        except Wrong as error:
            self.say("FAILED", f"{name}: {error}")
        except Missing as error:
            self.say("INDETERMINATE", f"{name}: {error}")
        else:
            if said:
                self.say("PASSED", f"{name}: {said}")

    def need(self, name):
        if name not in self.files:
            raise Missing(f"{name} is missing")
        return self.files[name]

    def run(self):
        if "SHA256SUMS" in self.files:
            self.check("sums", self.sums)
        for name in REQUIRED:
            if name not in self.files:
                self.say("INDETERMINATE", f"present: {name} is missing")
        for name, step, file in (
            ("log", self.log, "log.json"),
            ("checkpoint", self.checkpoint, "checkpoint"),
            ("cosignatures", self.cosignatures, "cosignatures"),
            ("policy", lambda data: read_policy(data) and None, "policy"),
            ("signature", self.signature, "checkpoint"),
            ("proof", self.read_proof, "proof.tlog-proof"),
            ("entry", self.read_entry, "entry.json"),
            ("claim", self.read_claim, "claim.json"),
            ("who", self.who, "who.json"),
        ):
            if file in self.files:
                self.check(name, step, self.files[file])
        if self.claim:
            for name in self.files:
                if name.startswith("originals/"):
                    self.check("original", self.original, name)
            if self.claim.get("kind") == "packet.recorded":
                self.check("packet", self.packet, "originals/0001.json")
        if self.entry and self.head:
            self.times()
        return "FAILED" if self.failed else "INDETERMINATE" if self.open else "PASSED"

    def sums(self):
        text = self.files["SHA256SUMS"].decode("ascii", "replace")
        lines = [re.fullmatch(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9_./-]*)", line) for line in text[:-1].split("\n")]
        if not text.endswith("\n") or not all(lines):
            raise Wrong("SHA256SUMS is not in the agreed form")
        listed = {match.group(2): match.group(1) for match in lines}
        if list(listed) != sorted(listed) or len(listed) != len(lines):
            raise Wrong("the names are not sorted and unique")
        there = self.files.keys() - {"SHA256SUMS", "certificate.pdf"}
        if there - listed.keys():
            raise Wrong(f"not listed: {min(there - listed.keys())}")
        for name in sorted(there):
            if sha(self.files[name]).hex() != listed[name]:
                raise Wrong(f"{name} has another SHA-256")
        if listed.keys() - there:
            raise Missing(f"missing: {min(listed.keys() - there)}")
        return "the files have the listed SHA-256"

    def log(self, data):
        parameters = canonical(data)
        origin, key = str(parameters.get("origin")), str(parameters.get("key"))
        name, _, rest = key.partition("+")
        key_id, _, value = rest.partition("+")
        if name != origin or sha(name.encode() + b"\n" + unb64(value))[:4].hex() != key_id:
            raise Wrong("log.json does not describe a log and its key")
        self.origin, self.own_key = origin, key

    def checkpoint(self, data):
        text, self.signatures = read_note(data)
        origin, size, root = read_head(text)
        self.text, self.head = text, (origin, size, root)
        if self.origin and origin != self.origin:
            raise Wrong("of another log than log.json")
        return f"{size} entries of {origin}"

    def cosignatures(self, data):
        if self.head is not None:
            self.signatures = self.signatures + read_signatures(data.decode("utf-8", "replace"))

    def signature(self, _data):
        if self.head is None:
            return None
        own = self.files.get("policy") or (f"log {self.own_key}\nquorum none\n".encode() if self.origin else None)
        policy = self.policy or own
        if policy is None:
            raise Missing("no key to check with")
        logs, witnesses, groups, wanted = read_policy(policy)
        found = uncheckable = None
        for name, key_id, key in logs:
            signed = name == self.head[0] and self.signed_by(name, key_id, key)
            if signed:
                found = f"{name}+{key_id}, SHA-256 of the key {sha(key[1:]).hex()}"
            elif signed is None:
                uncheckable = key_id
        if not found and uncheckable:
            raise Missing("signed in a way that cannot be checked here")
        if not found:
            raise Wrong("none by a key of the policy")
        self.check("witnesses", self.quorum, witnesses, groups, wanted)
        return found

    def signed_by(self, name, key_id, key):
        """Whether that key signed; None where it did in a way that cannot be checked here."""
        mine = [signature for other, label, signature in self.signatures if (other, label.hex()) == (name, key_id)]
        if len(mine) > 1:
            raise Wrong("two signatures under one key")
        if not mine or key[0] not in (1, 4):
            return None if mine else False
        text, signature = self.text.encode(), mine[0]
        if key[0] == 4:  # a cosignature says when
            at, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            text = b"cosignature/v1\ntime %d\n" % at + text
        if not ed25519(key[1:], text, signature):
            raise Wrong("a signature under a known key does not fit")
        return True

    def quorum(self, witnesses, groups, wanted):
        if wanted == "none":
            return None
        cosigned = [name for name, key in witnesses if self.signed_by(*key)]
        met = set(cosigned)
        for name, number, members in groups:
            if len(met & set(members)) >= number:
                met.add(name)
        if wanted not in met:
            raise Missing(f"cosigned by {', '.join(cosigned) or 'no known witness'}: the quorum {wanted} is not met")
        return "cosigned by " + ", ".join(cosigned)

    def read_proof(self, data):
        index, path, checkpoint = read_proof(data)
        if "checkpoint" in self.files and checkpoint != self.files["checkpoint"]:
            raise Wrong("carries another checkpoint")
        self.proof = index, path
        return f"for entry {index}"

    def read_entry(self, data):
        self.entry = read_entry(data)
        seq = self.entry["seq"]
        if self.origin and self.entry["log"] != self.origin:
            raise Wrong("belongs to another log")
        if seq == 0 and self.origin and self.entry["prev"] != sha(self.files["log.json"]).hex():
            raise Wrong("entry 0 continues another parameter file")
        if self.proof and self.head:
            if self.proof[0] != seq:
                raise Wrong("the proof is for another entry")
            if climb(data, seq, self.head[1], self.proof[1]) != self.head[2]:
                raise Wrong("entry and proof do not give the signed root")
            return f"entry {seq} is in the tree of {self.head[1]} entries"
        return None

    def read_claim(self, data):
        if self.entry is None:
            return None
        if not commits(data, b"ledger/claim/v1", self.entry["claim"]):
            raise Wrong("is not what the entry commits to")
        self.claim = canonical(data)
        return "is what the entry commits to"

    def who(self, data):
        if self.entry is None:
            return None
        if not commits(data, b"ledger/identity/v1", self.entry["who"]):
            raise Wrong("is not what the entry commits to")
        return "is what the entry commits to"

    def original(self, name):
        stem = name.split("/")[1].partition(".")[0]
        found = re.findall(r'"sha256":"([0-9a-f]{64})","size":([0-9]+)', self.files["claim.json"].decode())
        number = int(stem) - 1 if stem.isdecimal() else -1
        if not 0 <= number < len(found):
            raise Wrong(f"{name}: the claim commits to no such file")
        data = self.files[name]
        if found[number] != (sha(data).hex(), str(len(data))):
            raise Wrong(f"{name} is not the registered file")
        return f"{name} is the registered file"

    def packet(self, name):
        if name not in self.files:
            raise Missing(f"missing: {name}")
        listed = {"packet/" + file["name"]: file["sha256"] for file in json.loads(self.files[name])["files"]}
        here = [name for name in self.files if name.startswith("packet/")]
        for name in here:
            if listed.get(name) != sha(self.files[name]).hex():
                raise Wrong(f"{name} is not the recorded file")
        return f"{len(here)} files are the recorded ones"

    def times(self):
        for number in range(1, 5):
            if any(name.startswith(f"later/{number}.") for name in self.files):
                self.check("later", self.later, number)
        if any(name.startswith("earlier/") for name in self.files):
            self.check("earlier", self.earlier)
        for number in range(1, 9):
            if any(name.startswith(f"renewal/{number}.") for name in self.files):
                self.check("renewal", self.renewal, number)

    def later(self, number):
        if read_note(self.need(f"later/{number}.note"))[0] != self.text:
            raise Wrong("the stamped note is about another tree head")
        return "in existence at " + self.stamp(f"later/{number}")

    def earlier(self):
        lines = self.need("earlier/entries.ndjson").split(b"\n")
        if lines.pop() or not 1 <= len(lines) <= 256:
            raise Wrong("1 to 256 lines, each ending in a newline")
        entries = [read_entry(line) for line in lines]
        self.names_token(entries[0], self.need("earlier/anchor.json"), "earlier/1")
        for before, line, after in zip(entries, lines, [*entries[1:], self.entry]):
            place = (after["seq"], after["prev"], after["log"])
            if place != (before["seq"] + 1, sha(b"\0" + line).hex(), before["log"]):
                raise Wrong("the entries do not lead to this one")
        return "younger than " + self.stamp("earlier/1")

    def renewal(self, number):
        stem, old = f"renewal/{number}", "later/1" if number == 1 else f"renewal/{number - 1}"
        data = self.need(f"{stem}.entry.json")
        entry = read_entry(data)
        self.names_token(entry, self.need(f"{stem}.anchor.json"), old)
        text = read_note(self.need(f"{stem}.note"))[0]
        index, path, checkpoint = read_proof(self.need(f"{stem}.tlog-proof"))
        origin, size, root = read_head(text)
        if (read_note(checkpoint)[0], index, origin) != (text, entry["seq"], entry["log"]):
            raise Wrong("the proof is about another entry or tree head")
        if climb(data, index, size, path) != root:
            raise Wrong("the proof does not lead to the stamped tree head")
        return "carried on at " + self.stamp(stem)

    def names_token(self, entry, claim_data, stem):
        if entry["kind"] != "anchor" or not commits(claim_data, b"ledger/claim/v1", entry["claim"]):
            raise Wrong("the anchor entry commits to another claim")
        token, note, claim = self.need(f"{stem}.tsr"), self.need(f"{stem}.note"), canonical(claim_data)
        origin, size, root = read_head(read_note(note)[0])
        head = {"note_sha256": sha(note).hex(), "origin": origin, "root": root.hex(), "size": size}
        if claim["token"] != {"sha256": sha(token).hex(), "size": len(token)} or claim["checkpoint"] != head:
            raise Wrong("the anchor names another token or checkpoint")
        if entry["log"] != origin:
            raise Wrong("the anchor belongs to another log")

    def stamp(self, stem):
        for part in ("tsr", "note", "chain.pem"):
            self.need(f"{stem}.{part}")
        at = lambda part: str(self.folder / f"{stem}.{part}")  # noqa: E731
        text = openssl("ts", "-reply", "-in", at("tsr"), "-text")
        found = re.search("^Time stamp: (.*)$", text, re.MULTILINE)
        if not found or re.search("^Hash Algorithm: (sha1|md5)", text, re.MULTILINE):
            raise Wrong(f"{stem}.tsr is not a granted RFC 3161 response with a safe digest")
        moment = time.strptime(re.sub(r"\.\d+", "", found.group(1)), "%b %d %H:%M:%S %Y %Z")
        trusted = str(self.anchors) if self.anchors else at("chain.pem")
        said = openssl(
            "ts", "-verify", "-data", at("note"), "-in", at("tsr"), "-CAfile", trusted, "-untrusted", at("chain.pem"),
            "-attime", str(calendar.timegm(moment)), "-partial_chain",
        )  # fmt: skip
        if "Verification: OK" not in said:
            if re.search("unable to get (local )?issuer|self.signed certificate in", said):
                raise Missing(f"{stem}.tsr leads to none of the authorities you trust")
            raise Wrong(f"openssl does not accept {stem}.tsr")
        whose = "an authority you trust" if self.anchors else "the authority it names: compare it"
        return time.strftime("%Y-%m-%d %H:%M:%S UTC by ", moment) + whose


def openssl(*arguments):
    try:
        done = subprocess.run(["openssl", *arguments], capture_output=True, stdin=subprocess.DEVNULL, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        raise Missing("the openssl command is not there") from None
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def ed25519(public, text, signature):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in (("key", SPKI + public), ("text", text), ("sig", signature)):
            (folder / file).write_bytes(data)
        said = openssl(
            "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin", "-inkey", str(folder / "key"),
            "-in", str(folder / "text"), "-sigfile", str(folder / "sig"),
        )  # fmt: skip
    return "Verified Successfully" in said


def main():
    parser = argparse.ArgumentParser(description="Checks the evidence in a folder.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--policy", type=Path, help="whom you trust, from elsewhere")
    parser.add_argument("--anchors", type=Path, help="time-stamping authorities you trust: certificates as PEM")
    options = parser.parse_args()
    try:
        policy = options.policy.read_bytes() if options.policy else None
        anchors = options.anchors.resolve(strict=True) if options.anchors else None
        evidence = Evidence(options.folder.resolve(strict=True), policy, anchors)
    except OSError as error:
        print(error, file=sys.stderr)
        return 64
    verdict = evidence.run()
    qualified = verdict == "PASSED" and policy is None
    print(f"{verdict} under the key named above: compare it with the one you trust" if qualified else verdict)
    return {"PASSED": 0, "FAILED": 1, "INDETERMINATE": 2}[verdict]


if __name__ == "__main__":
    sys.exit(main())
