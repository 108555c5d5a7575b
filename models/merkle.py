"""Merkle trees of RFC 6962: one hash for a whole list, and short proofs about it.

The tree over n entries splits at the largest power of two below n. A proof lists sibling hashes, innermost
first. Inclusion of entry i and consistency of a prefix of m entries are the same proof, about the ranges
[i, i+1) and [0, m); hence one builder and one verifier. Complete nodes are addressed (level, index): node
(h, j) covers entries [j * 2**h, (j+1) * 2**h). References: RFC 6962 section 2.1; RFC 9162 section 2.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from features.errors import VerificationFailed

#: The hash of a tree without entries.
EMPTY_ROOT = hashlib.sha256(b"").digest()

#: A reader of complete nodes: (level, index) -> 32 bytes.
NodeReader = Callable[[int, int], bytes]

_MAX_SIZE = 1 << 63


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry: SHA-256(0x00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def completed_nodes(index: int, leaf: bytes, read: NodeReader) -> list[tuple[int, int, bytes]]:
    """Return the nodes (level, index, hash) that become complete when a leaf is appended, itself included."""
    nodes = [(0, index, leaf)]
    level = 0
    while index >> level & 1:
        position = index >> level
        leaf = node_hash(read(level, position - 1), leaf)
        level += 1
        nodes.append((level, position >> 1, leaf))
    return nodes


def range_hash(start: int, end: int, read: NodeReader) -> bytes:
    """Return the hash of the entries [start, end), where start is a multiple of the range's span."""
    size = end - start
    if size == 0:
        return EMPTY_ROOT
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return read(level, start >> level)
    middle = start + _split(size)
    return node_hash(range_hash(start, middle, read), range_hash(middle, end, read))


def prove(start: int, end: int, size: int, read: NodeReader) -> list[bytes]:
    """Return the proof that [start, end) is a part of the tree of `size` entries."""
    if start == end:
        return []
    return _prove((start, end), (0, size), True, read)


def prove_each(first: int, end: int, size: int, read: NodeReader) -> list[list[bytes]]:
    """Return what `prove` returns for every single entry of [first, end), at a fraction of the cost of one by one."""
    proofs: list[list[bytes]] = []

    def descend(low: int, high: int, outer: list[bytes]) -> None:
        if high <= first or low >= end:
            return
        if high - low == 1:
            proofs.append(outer)
            return
        middle = low + _split(high - low)
        descend(low, middle, [range_hash(middle, high, read), *outer] if first < middle else outer)
        descend(middle, high, [range_hash(low, middle, read), *outer] if end > middle else outer)

    descend(0, size, [])
    return proofs


def _prove(part: tuple[int, int], whole: tuple[int, int], known: bool, read: NodeReader) -> list[bytes]:
    if part == whole:
        return [] if known else [range_hash(*whole, read)]
    (start, end), (low, high) = part, whole
    middle = low + _split(high - low)
    if end <= middle:
        return [*_prove(part, (low, middle), known, read), range_hash(middle, high, read)]
    left = range_hash(low, middle, read)
    if start >= middle:
        return [*_prove(part, (middle, high), known, read), left]
    return [*_prove((middle, end), (middle, high), False, read), left]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise VerificationFailed unless the leaf hash stands at `index` in the tree of that size and root."""
    if len(leaf) != 32:
        raise VerificationFailed("Merkle proof: a leaf hash has 32 bytes")
    verify_range(leaf, (index, index + 1), size, proof, root)


def verify_consistency(old_root: bytes, old_size: int, root: bytes, size: int, proof: Sequence[bytes]) -> None:
    """Raise VerificationFailed unless the tree of `old_size` is a prefix of the tree of `size`.

    An empty tree is a prefix of anything and proves nothing: it is accepted only against the empty tree.
    """
    if old_size == 0 and (size, root) != (0, EMPTY_ROOT):
        raise VerificationFailed("Merkle proof: consistency with an empty tree says nothing")
    verify_range(old_root, (0, old_size), size, proof, root)


def verify_range(part: bytes, span: tuple[int, int], size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raise VerificationFailed unless `part` is the hash of [start, end) in the tree of that size and root.

    Only subtrees are legal: start is a multiple of the smallest power of two that holds the span.
    """
    start, end = span
    width = 1 << max(end - start - 1, 0).bit_length()
    if not (0 <= start <= end <= size < _MAX_SIZE) or start % width:
        raise VerificationFailed("Merkle proof: the range is not a part of a tree of this size")
    if start == end:
        if proof or part != EMPTY_ROOT:
            raise VerificationFailed("Merkle proof: an empty range has an empty proof and the empty root")
        return
    rest = list(proof)
    try:
        rebuilt = _rebuild(span, size, part, rest)
    except IndexError:
        raise VerificationFailed("Merkle proof: too short") from None
    if rest or rebuilt != (part, root):
        raise VerificationFailed("Merkle proof: it does not lead to the root")


def _rebuild(span: tuple[int, int], size: int, part: bytes | None, rest: list[bytes]) -> tuple[bytes, bytes]:
    """Return the hashes of the span and of the whole, taking siblings from the end of `rest`.

    `part` is the hash of the span, or None where it must come out of the proof too.
    """
    start, end = span
    if span == (0, size):
        inner = rest.pop() if part is None else part
        return inner, inner
    middle = _split(size)
    sibling = rest.pop()
    if end <= middle:
        inner, whole = _rebuild(span, middle, part, rest)
        return inner, node_hash(whole, sibling)
    if start >= middle:
        inner, whole = _rebuild((start - middle, end - middle), size - middle, part, rest)
        return inner, node_hash(sibling, whole)
    inner, whole = _rebuild((0, end - middle), size - middle, None, rest)
    return node_hash(sibling, inner), node_hash(sibling, whole)


def _split(size: int) -> int:
    """Return the largest power of two below `size` (> 1)."""
    return 1 << (size - 1).bit_length() - 1
