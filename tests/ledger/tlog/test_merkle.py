"""The tree against a plain reading of RFC 6962, for every small size and for large random ones."""

import random
from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.tlog.errors import (
    FrontierError,
    ProofError,
    ProofLength,
    ProofOldRoot,
    ProofRange,
    ProofRoot,
    TileError,
)
from ledger.tlog.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_from_leaves,
    verify_consistency,
    verify_inclusion,
)

# The eight leaves and roots that certificate-transparency implementations have shared since RFC 6962.
CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(b"%d" % number) for number in range(70_000)]
EDGES = sorted({n for k in range(17) for n in (2**k - 1, 2**k, 2**k + 1) if n})


def reference_root(leaves):
    """MTH of RFC 6962 section 2.1, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\x01" + reference_root(leaves[:k]) + reference_root(leaves[k:])).digest()


def reference_path(index, leaves):
    """PATH of RFC 6962 section 2.1.1."""
    if len(leaves) <= 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*reference_path(index, leaves[:k]), reference_root(leaves[k:])]
    return [*reference_path(index - k, leaves[k:]), reference_root(leaves[:k])]


def reference_consistency(old_size, leaves, complete=True):
    """SUBPROOF of RFC 6962 section 2.1.2."""
    if old_size == len(leaves):
        return [] if complete else [reference_root(leaves)]
    k = split(len(leaves))
    if old_size <= k:
        return [*reference_consistency(old_size, leaves[:k], complete), reference_root(leaves[k:])]
    return [*reference_consistency(old_size - k, leaves[k:], False), reference_root(leaves[:k])]


def split(count):
    k = 1
    while k * 2 < count:
        k *= 2
    return k


class Stored:
    """Tile levels of the first `size` leaves, with a count of what was read."""

    def __init__(self, size):
        self.levels = {0: LEAVES[:size]}
        frontier = Frontier()
        for leaf in LEAVES[:size]:
            for node in frontier.append(leaf):
                level = self.levels.setdefault(node.tile_level, [])
                assert node.index == len(level)
                level.append(node.hash)
        self.root = frontier.root()
        self.reads = []

    def __call__(self, tile_level, start, stop):
        self.reads.append((tile_level, start, stop))
        return self.levels.get(tile_level, [])[start:stop]


BIG = Stored(70_000)


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_equal_the_published_ones(size):
    leaves = [leaf_hash(bytes.fromhex(leaf)) for leaf in CT_LEAVES[:size]]
    assert root_from_leaves(leaves).hex() == CT_ROOTS[size - 1]


def test_empty_tree_has_the_hash_of_nothing():
    assert EMPTY_ROOT == sha256(b"").digest() == root_from_leaves([]) == Frontier().root()


def test_roots_equal_the_reference_for_all_sizes_to_600():
    frontier = Frontier()
    for size in range(601):
        assert frontier.root() == root_from_leaves(LEAVES[:size])
        if size <= 130 or size % 37 == 0:
            assert frontier.root() == reference_root(LEAVES[:size])
        frontier.append(LEAVES[size])


def test_completed_nodes_are_roots_of_complete_subtrees():
    assert len(BIG.levels[1]) == 70_000 // 256
    assert len(BIG.levels[2]) == 1
    assert BIG.levels[1][7] == reference_root(LEAVES[7 * 256 : 8 * 256])
    assert BIG.levels[2][0] == root_from_leaves(LEAVES[:65_536])


def test_frontier_survives_storage():
    frontier = Frontier()
    for size in range(300):
        restored = Frontier.from_bytes(size, frontier.to_bytes())
        assert (restored.size, restored.root()) == (size, frontier.root())
        twin = frontier.copy()
        assert restored.append(LEAVES[size]) == frontier.append(LEAVES[size])
        assert restored.root() == frontier.root() != twin.root()
        assert twin.size == size


@pytest.mark.parametrize(("size", "data"), [(0, b"x" * 32), (1, b""), (3, b"x" * 32), (3, b"x" * 65), (-1, b"")])
def test_frontier_of_another_size_is_refused(size, data):
    with pytest.raises(FrontierError):
        Frontier.from_bytes(size, data)


def test_inclusion_for_all_sizes_and_indexes_to_70():
    for size in range(1, 71):
        stored = Stored(size)
        for index in range(size):
            path = inclusion_proof(index, size, stored)
            assert path == reference_path(index, LEAVES[:size])
            verify_inclusion(LEAVES[index], index, size, path, stored.root)


def test_inclusion_for_all_sizes_to_600():
    chooser = random.Random(6962)
    stored = Stored(600)
    roots = [root_from_leaves(LEAVES[:size]) for size in range(601)]
    for size in range(1, 601):
        for index in {0, size - 1, size // 2, chooser.randrange(size)}:
            path = inclusion_proof(index, size, stored)
            verify_inclusion(LEAVES[index], index, size, path, roots[size])
            if size % 29 == 0:
                assert path == reference_path(index, LEAVES[:size])


def test_consistency_for_all_pairs_to_40():
    for new in range(41):
        stored = Stored(new)
        for old in range(new + 1):
            proof = consistency_proof(old, new, stored)
            assert proof == (reference_consistency(old, LEAVES[:new]) if old else [])
            verify_consistency(old, root_from_leaves(LEAVES[:old]), new, stored.root, proof)


def test_consistency_for_all_sizes_to_600():
    stored = Stored(600)
    roots = [root_from_leaves(LEAVES[:size]) for size in range(601)]
    chooser = random.Random(2)
    for new in range(1, 601):
        for old in {0, 1, new - 1, new, chooser.randrange(new)}:
            verify_consistency(old, roots[old], new, roots[new], consistency_proof(old, new, stored))


@given(st.integers(1, 70_000).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size))))
@settings(max_examples=60, deadline=None)
def test_proofs_in_large_trees(case):
    index, size = case
    root = root_from_leaves(LEAVES[:size])
    verify_inclusion(LEAVES[index], index, size, inclusion_proof(index, size, BIG), root)
    proof = consistency_proof(size, 70_000, BIG)
    verify_consistency(size, root, 70_000, BIG.root, proof)


@pytest.mark.parametrize("size", EDGES)
def test_proofs_around_powers_of_two(size):
    root = root_from_leaves(LEAVES[:size])
    for index in {0, size - 1, size // 2}:
        verify_inclusion(LEAVES[index], index, size, inclusion_proof(index, size, BIG), root)
    for older, newer in pairwise(EDGES):
        if newer == size:
            proof = consistency_proof(older, newer, BIG)
            verify_consistency(older, root_from_leaves(LEAVES[:older]), newer, root, proof)


def test_a_proof_reads_at_most_two_slices_per_level():
    for index in (0, 255, 256, 65_535, 65_536, 69_999):
        BIG.reads.clear()
        inclusion_proof(index, 70_000, BIG)
        assert len(BIG.reads) == len(set(BIG.reads)) <= 6
        assert all(0 < stop - start <= 256 and start % 256 == 0 for _, start, stop in BIG.reads)


def test_missing_stored_hashes_are_noticed():
    with pytest.raises(TileError):
        inclusion_proof(0, 300, Stored(299))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 5), (5, 5)])
def test_no_proof_for_a_leaf_outside(index, size):
    with pytest.raises(ProofRange):
        inclusion_proof(index, size, BIG)
    with pytest.raises(ProofRange):
        verify_inclusion(LEAVES[0], index, size, [], EMPTY_ROOT)


@pytest.mark.parametrize(("old", "new"), [(-1, 5), (6, 5)])
def test_no_proof_backwards(old, new):
    with pytest.raises(ProofRange):
        consistency_proof(old, new, BIG)
    with pytest.raises(ProofRange):
        verify_consistency(old, EMPTY_ROOT, new, EMPTY_ROOT, [])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 13, 257])
def test_any_altered_inclusion_proof_is_refused(size):
    root = root_from_leaves(LEAVES[:size])
    for index in {0, 1, size // 2, size - 1} & set(range(size)):
        path = inclusion_proof(index, size, BIG)
        leaf = LEAVES[index]
        for wrong_index in set(range(size)) - {index}:
            with pytest.raises(ProofError):
                verify_inclusion(leaf, wrong_index, size, path, root)
        with pytest.raises(ProofRoot):
            verify_inclusion(node_hash(leaf, leaf), index, size, path, root)
        with pytest.raises(ProofRoot):
            verify_inclusion(leaf, index, size, path, leaf_hash(b"another root"))
        with pytest.raises(ProofLength):
            verify_inclusion(leaf, index, size, [*path, leaf], root)
        for at in range(len(path)):
            with pytest.raises(ProofError):
                verify_inclusion(leaf, index, size, path[:at] + path[at + 1 :], root)
            with pytest.raises(ProofError):
                verify_inclusion(leaf, index, size, [*path[:at], leaf_hash(b"x"), *path[at + 1 :]], root)
        if len(path) > 1:
            with pytest.raises(ProofError):
                verify_inclusion(leaf, index, size, path[::-1], root)


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 7), (4, 7), (6, 7), (8, 13), (255, 257), (256, 257)])
def test_any_altered_consistency_proof_is_refused(old, new):
    old_root, new_root = root_from_leaves(LEAVES[:old]), root_from_leaves(LEAVES[:new])
    proof = consistency_proof(old, new, BIG)
    other = leaf_hash(b"another root")
    with pytest.raises(ProofError):
        verify_consistency(old, other, new, new_root, proof)
    with pytest.raises(ProofRoot):
        verify_consistency(old, old_root, new, other, proof)
    with pytest.raises(ProofLength):
        verify_consistency(old, old_root, new, new_root, [*proof, other])
    for at in range(len(proof)):
        with pytest.raises(ProofError):
            verify_consistency(old, old_root, new, new_root, proof[:at] + proof[at + 1 :])
        with pytest.raises(ProofError):
            verify_consistency(old, old_root, new, new_root, [*proof[:at], other, *proof[at + 1 :]])


def test_a_rewritten_old_tree_is_named():
    proof = consistency_proof(3, 7, BIG)
    with pytest.raises(ProofOldRoot):
        verify_consistency(3, leaf_hash(b"x"), 7, root_from_leaves(LEAVES[:7]), proof)


def test_trivial_consistency_is_still_checked():
    root = root_from_leaves(LEAVES[:5])
    verify_consistency(0, EMPTY_ROOT, 5, root, [])
    verify_consistency(5, root, 5, root, [])
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    with pytest.raises(ProofOldRoot):
        verify_consistency(0, root, 5, root, [])
    with pytest.raises(ProofRoot):
        verify_consistency(5, root, 5, EMPTY_ROOT, [])
    with pytest.raises(ProofLength):
        verify_consistency(5, root, 5, root, [root])
    with pytest.raises(ProofLength):
        verify_consistency(0, EMPTY_ROOT, 5, root, [root])
