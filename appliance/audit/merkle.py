"""The Merkle tree of RFC 6962 as pure functions: hashes, proofs and the checks of proofs.

Nothing here stores a tree. Building a proof needs the hashes of subtrees, which a caller supplies
as a function (`SubtreeHash`), so that the same code serves a list in a test and tiles on a disk.

Hashing is RFC 6962 section 2.1 (leaf = SHA-256(0x00 ‖ data), node = SHA-256(0x01 ‖ left ‖ right)):
the two prefixes keep a leaf from passing for a node. Proof checks are RFC 9162 sections 2.1.3.2
and 2.1.4.2, generalised to subtrees as in draft-ietf-plants-merkle-tree-certs. A check that fails
returns False; it never raises, whatever the numbers and hashes handed in.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TypeAlias

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
"""Root of the tree without leaves (RFC 6962 section 2.1)."""

SubtreeHash: TypeAlias = Callable[[int, int], bytes]
"""Gives the hash of the leaves [start, end) of one fixed tree, a subtree that RFC 6962's recursion
visits: `start` is a multiple of the smallest power of two that is not below `end - start`."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of an entry, 32 bytes."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node, 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


def root_hash(hashes: Sequence[bytes]) -> bytes:
    """MTH over the hashes of equally high perfect subtrees (leaves, or tile roots), left to right.

    Pairs are merged level by level and an odd last one is carried up unchanged, which gives RFC
    6962's split at the largest power of two without recursing.
    """
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        merged = [
            sha256(b"\x01" + left + right).digest()
            for left, right in zip(level[::2], level[1::2], strict=False)
        ]
        if len(level) % 2:
            merged.append(level[-1])
        level = merged
    return level[0]


def split(size: int) -> int:
    """The largest power of two below `size` (≥ 2): where RFC 6962 divides a tree."""
    return 1 << (size - 1).bit_length() - 1


def is_subtree(start: int, end: int) -> bool:
    """Whether [start, end) is a subtree that the recursion visits in a large enough tree."""
    if not 0 <= start < end:
        return False
    return bool(start % (1 << (end - start - 1).bit_length()) == 0)


def prove_inclusion(index: int, size: int, subtree: SubtreeHash) -> list[bytes]:
    """Audit path of leaf `index` in the tree of `size` leaves, the leaf's sibling first.

    RFC 6962 section 2.1.1. Raises ValueError when there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    path.reverse()
    return path


def prove_consistency(old_size: int, new_size: int, subtree: SubtreeHash) -> list[bytes]:
    """Proof that the tree of `old_size` leaves is the beginning of the one of `new_size`.

    RFC 6962 section 2.1.2. Empty for equal sizes. Raises ValueError unless
    0 < old_size <= new_size: an empty tree is the beginning of every tree and needs no proof.
    """
    if not 0 < old_size <= new_size:
        raise ValueError(f"no proof leads from size {old_size} to size {new_size}")
    path: list[bytes] = []
    start, end = 0, new_size
    while end != old_size:
        middle = start + split(end - start)
        if old_size <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    # The hash at which the descent ended is the old root itself when it never went right.
    if start:
        path.append(subtree(start, end))
    path.reverse()
    return path


def verify_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether `proof` shows the leaf hash at `index` in the tree of `size` with this root."""
    return verify_subtree_inclusion(index, (0, size), leaf, proof, root)


def verify_subtree_inclusion(
    index: int, subtree: tuple[int, int], leaf: bytes, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether `proof` shows the leaf hash at `index` in the subtree [start, end)."""
    start, end = subtree
    if not is_subtree(start, end) or not start <= index < end or not _are_hashes(leaf, root, proof):
        return False
    position, last = index - start, end - start - 1
    result = leaf
    for sibling in proof:
        if last == 0:
            return False
        if position % 2 or position == last:
            result = node_hash(sibling, result)
            while position % 2 == 0 and position:
                position, last = position >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and result == root


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether `proof` shows the old tree to be the beginning of the new one.

    From size zero to a larger one is refused: an empty tree is the beginning of every tree, so
    such a proof would say nothing.
    """
    if old_size == 0:
        return new_size == 0 and not proof and old_root == new_root == EMPTY_ROOT
    return verify_subtree_consistency((0, old_size), new_size, old_root, new_root, proof)


def verify_subtree_consistency(
    subtree: tuple[int, int], size: int, subtree_root: bytes, root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether `proof` shows the subtree [start, end) to be part of the tree of `size`.

    The empty subtree [n, n) is part of every tree that reaches to n, whatever its root.
    """
    start, end = subtree
    if 0 <= start == end <= size:
        return not proof and subtree_root == EMPTY_ROOT
    if not is_subtree(start, end) or end > size:
        return False
    if start == 0 and end == size:
        return not proof and subtree_root == root
    if not _are_hashes(subtree_root, root, proof):
        return False
    first, last, edge = start, end - 1, size - 1
    # Climb to where the proof begins: to the subtree's own root if it is a node of the larger
    # tree, else to the largest node at its right end.
    shift = (first ^ last).bit_length()
    if last != edge:
        trailing_ones = (~last & (last + 1)).bit_length() - 1
        shift = min(shift, trailing_ones)
    first, last, edge = first >> shift, last >> shift, edge >> shift
    rest = list(proof)
    if first != last and not rest:
        return False
    start_hash = subtree_root if first == last else rest.pop(0)
    return _climb((first, last, edge), start_hash, rest) == (subtree_root, root)


def _climb(
    position: tuple[int, int, int], start_hash: bytes, proof: Sequence[bytes]
) -> tuple[bytes, bytes] | None:
    """Roots of the subtree and of the tree that a consistency proof leads to, or None."""
    first, last, edge = position
    inner = outer = start_hash
    for sibling in proof:
        if edge == 0:
            return None
        if last % 2 or last == edge:
            if first < last:
                inner = node_hash(sibling, inner)
            outer = node_hash(sibling, outer)
            while last % 2 == 0 and last:
                first, last, edge = first >> 1, last >> 1, edge >> 1
        else:
            outer = node_hash(outer, sibling)
        first, last, edge = first >> 1, last >> 1, edge >> 1
    return (inner, outer) if edge == 0 else None


def _are_hashes(first: bytes, second: bytes, proof: Sequence[bytes]) -> bool:
    # Without this a 64-byte "hash" could smuggle a node's two children in as one.
    return all(len(value) == HASH_SIZE for value in (first, second, *proof))
