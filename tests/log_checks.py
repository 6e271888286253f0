"""The plain reference check of the whole log: every entry parsed, every link and the tree rebuilt from nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from ledger import append_only
from ledger.models import Checkpoint, Entry, LogHead, TreeNode
from ledger.tlog import checkpoint, entry, merkle, note


def check_log() -> int:
    """Assert that storage, head, tree nodes and checkpoints agree; return the number of entries."""
    head = LogHead.objects.get()
    prev = entry.genesis_prev(bytes(head.parameters))
    leaves: list[bytes] = []
    for row in Entry.objects.order_by("seq"):
        body = bytes(row.body)
        parsed = entry.parse_entry(body)
        assert (parsed.seq, parsed.prev, parsed.log) == (len(leaves), prev, head.origin)
        assert row.seq == parsed.seq
        prev = merkle.leaf_hash(body)
        assert bytes(row.leaf_hash) == prev
        leaves.append(prev)
    assert (head.size, bytes(head.prev)) == (len(leaves), prev)
    frontier = merkle.Frontier.from_bytes(head.size, bytes(head.frontier))
    assert frontier.root() == merkle.root_from_leaves(leaves)
    for node in TreeNode.objects.all():
        width = 256**node.level
        assert bytes(node.hash) == merkle.root_from_leaves(leaves[node.index * width : (node.index + 1) * width])
    assert TreeNode.objects.filter(level=1).count() == len(leaves) // 256
    for kept in Checkpoint.objects.all():
        signed = checkpoint.parse_checkpoint(note.parse_note(kept.note.encode()).text)
        assert signed.root == bytes(kept.root_hash) == merkle.root_from_leaves(leaves[: kept.tree_size])
    return len(leaves)


@contextmanager
def past_the_triggers() -> Iterator[None]:
    """What only the owner of the database can do."""
    connection.check_constraints()  # PostgreSQL alters no table while checks are pending
    append_only.remove(connection)
    yield
    connection.check_constraints()
    append_only.install(connection)
