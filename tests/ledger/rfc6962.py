"""RFC 6962 section 2.1 as its text puts it: recursive, slow, and written without a look at ledger/tlog/merkle.py."""

from collections.abc import Sequence
from hashlib import sha256


def tree_head(entries: Sequence[bytes]) -> bytes:
    """MTH(D[n])."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    k = _k(len(entries))
    return sha256(b"\x01" + tree_head(entries[:k]) + tree_head(entries[k:])).digest()


def audit_path(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(entries) == 1:
        return []
    k = _k(len(entries))
    if m < k:
        return [*audit_path(m, entries[:k]), tree_head(entries[k:])]
    return [*audit_path(m - k, entries[k:]), tree_head(entries[:k])]


def consistency(m: int, entries: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n]), 0 < m < n."""
    return _subproof(m, entries, is_whole=True)


def _subproof(m: int, entries: Sequence[bytes], *, is_whole: bool) -> list[bytes]:
    if m == len(entries):
        return [] if is_whole else [tree_head(entries)]
    k = _k(len(entries))
    if m <= k:
        return [*_subproof(m, entries[:k], is_whole=is_whole), tree_head(entries[k:])]
    return [*_subproof(m - k, entries[k:], is_whole=False), tree_head(entries[:k])]


def _k(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k
