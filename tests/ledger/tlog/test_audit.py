"""Growing a tree by pieces agrees with RFC 6962 at every size, and one entry is checked field by field."""

from hashlib import sha256

import pytest

from ledger.tlog import merkle
from ledger.tlog.audit import TreeWalk, check_entry, hash_piece
from ledger.tlog.entry import parse_entry
from ledger.tlog.errors import AuditOrder, TlogError
from tests.ledger.rfc6962 import tree_head
from tests.ledger.tlog.sample import SampleLog

LEAVES = [sha256(b"\0%d" % number).digest() for number in range(1100)]


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 257, 511, 512, 513, 1100])
def test_a_piece_gives_root_frontier_and_nodes_of_its_tree(count):
    walk, frontier = TreeWalk(), merkle.Frontier()
    expected = [node for leaf in LEAVES[:count] for node in frontier.append(leaf)]
    assert walk.add(hash_piece(LEAVES[:count])) == expected
    assert (walk.root(), walk.frontier()) == (frontier.root(), frontier.to_bytes())


def test_roots_inside_a_piece_are_those_of_the_smaller_trees():
    entries = [b"%d" % number for number in range(70)]
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    walk = TreeWalk()
    walk.add(hash_piece(leaves, range(1, 71)))
    for size in range(71):
        assert walk.root_at(size) == tree_head(entries[:size])


def test_pieces_join_to_one_tree(monkeypatch):
    monkeypatch.setattr("ledger.tlog.audit.PIECE", 256)
    walk, frontier, nodes, expected = TreeWalk(), merkle.Frontier(), [], []
    for start in range(0, len(LEAVES), 256):
        part = LEAVES[start : start + 256]
        nodes += walk.add(hash_piece(part, [len(part) // 2]))
        for number, leaf in enumerate(part, start=1):
            expected += frontier.append(leaf)
            if number == len(part) // 2:
                middle = frontier.root()
        assert walk.root_at(start + len(part) // 2) == middle
    assert (walk.root(), walk.frontier(), nodes) == (frontier.root(), frontier.to_bytes(), expected)


def test_level_two_nodes_come_with_their_256th_tile():
    walk, frontier = TreeWalk(), merkle.Frontier()
    leaves = [sha256(b"%d" % number).digest() for number in range(65_536)]
    expected = [node for leaf in leaves for node in frontier.append(leaf)]
    nodes = walk.add(hash_piece(leaves))
    assert sorted(nodes, key=lambda n: (n.tile_level, n.index)) == sorted(
        expected, key=lambda n: (n.tile_level, n.index)
    )
    assert nodes[-1].tile_level == 2


def test_every_changed_byte_of_an_entry_is_noticed_by_itself_or_by_its_hash():
    log = SampleLog(3)
    body, before = log.entries[1], parse_entry(log.entries[0])
    prev, origin = merkle.leaf_hash(log.entries[0]), before.log
    assert check_entry(body, 1, prev, origin, before.ts) == parse_entry(body).ts
    changed_silently = 0
    for at in range(len(body)):
        altered = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        try:
            check_entry(altered, 1, prev, origin, before.ts)
        except TlogError:
            continue
        changed_silently += 1
        assert merkle.leaf_hash(altered) != merkle.leaf_hash(body)
    assert changed_silently  # digests may be any: only the leaf hash tells


@pytest.mark.parametrize(
    ("seq", "prev", "origin", "earlier", "field"),
    [
        (2, None, None, "", "seq"),
        (1, bytes(32), None, "", "prev"),
        (1, None, "other/log", "", "log"),
        (1, None, None, "9999", "ts"),
    ],
)
def test_an_entry_in_the_wrong_place_is_named_by_field(seq, prev, origin, earlier, field):
    log = SampleLog(2)
    right = parse_entry(log.entries[1])
    with pytest.raises(AuditOrder, match=f"^{field} is"):
        check_entry(log.entries[1], seq, prev or right.prev, origin or right.log, earlier)
