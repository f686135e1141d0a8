"""Keccak-256, the hash of Ethereum (not the SHA3-256 of the standard library)."""

from __future__ import annotations

from collections.abc import Callable

Hasher = Callable[[bytes], bytes]


def keccak_hasher() -> Hasher:
    """The hash as a plain function, for loops that call it many thousand times.

    Looking the backend up and checking argument types costs as much as the
    hash itself; a tree of 100,000 leaves pays that 300,000 times.
    """
    from eth_hash.auto import keccak

    # The first call installs the backend's own function in place of the chooser.
    keccak(b"")
    hasher: Hasher = keccak.hasher
    return hasher


def keccak256(data: bytes) -> bytes:
    """Keccak-256 of ``data``, 32 bytes."""
    from eth_hash.auto import keccak

    return keccak(data)
