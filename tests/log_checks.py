"""The plain reference check of the whole log: every entry parsed, every link and the tree rebuilt from nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from ledger import append_only
from ledger.models import Checkpoint, Entry, LogHead, PastEpoch, TreeNode
from ledger.tlog import checkpoint, entry, merkle, note


def check_log() -> int:
    """Assert that storage, head, tree nodes and checkpoints agree; return the number of entries, in all epochs."""
    head = LogHead.objects.get()
    bodies = [bytes(row.body) for row in Entry.objects.order_by("seq")]
    assert [row.seq for row in Entry.objects.order_by("seq")] == list(range(len(bodies)))
    first, nodes, checkpoints = 0, [0, 0, 0], 0
    logs = [(row.origin, bytes(row.parameters), row.size) for row in PastEpoch.objects.all()]
    for origin, parameters, size in [*logs, (head.origin, bytes(head.parameters), head.size)]:
        leaves, prev = _leaves(origin, parameters, bodies[first : first + size])
        rows = Entry.objects.filter(seq__gte=first, seq__lt=first + size).order_by("seq")
        assert [bytes(row.leaf_hash) for row in rows] == leaves
        for level in (1, 2):
            width = 256**level
            count = len(leaves) // width
            stored = TreeNode.objects.filter(level=level, index__gte=nodes[level], index__lt=nodes[level] + count)
            assert [bytes(node.hash) for node in stored.order_by("index")] == [
                merkle.root_from_leaves(leaves[at * width : (at + 1) * width]) for at in range(count)
            ]
            nodes[level] += count
        for kept in Checkpoint.objects.filter(tree_size__gt=first, tree_size__lte=first + size):
            signed = checkpoint.parse_checkpoint(note.parse_note(kept.note.encode()).text)
            assert (signed.origin, first + signed.size) == (origin, kept.tree_size)
            assert signed.root == bytes(kept.root_hash) == merkle.root_from_leaves(leaves[: signed.size])
            checkpoints += 1
        first += size
    assert (head.end, bytes(head.prev)) == (len(bodies), prev)
    assert merkle.Frontier.from_bytes(head.size, bytes(head.frontier)).root() == merkle.root_from_leaves(leaves)
    assert TreeNode.objects.count() == sum(nodes)
    assert Checkpoint.objects.count() == checkpoints
    return len(bodies)


def _leaves(origin: str, parameters: bytes, bodies: list[bytes]) -> tuple[list[bytes], bytes]:
    """The leaf hashes of one log, each entry in its place and continuing the one before; and the last link."""
    prev = entry.genesis_prev(parameters)
    leaves: list[bytes] = []
    for body in bodies:
        parsed = entry.parse_entry(body)
        assert (parsed.seq, parsed.prev, parsed.log) == (len(leaves), prev, origin)
        prev = merkle.leaf_hash(body)
        leaves.append(prev)
    return leaves, prev


@contextmanager
def past_the_triggers() -> Iterator[None]:
    """What only the owner of the database can do."""
    connection.check_constraints()  # PostgreSQL alters no table while checks are pending
    append_only.remove(connection)
    yield
    connection.check_constraints()
    append_only.install(connection)
