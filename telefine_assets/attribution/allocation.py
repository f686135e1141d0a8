"""Sharing out an indivisible total: exact, by largest remainder.

Floats truncated to basis points failed to sum for every one of 2000 random
sets in an earlier system. Here everything is an integer or a ``Fraction``.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from telefine_assets.errors import TelefineError


class AllocationError(TelefineError):
    """The total cannot be shared out as asked."""


def largest_remainder(total: int, shares: Mapping[str, int | Fraction]) -> dict[str, int]:
    """Share ``total`` out in proportion to ``shares``, in whole units.

    Each key gets its exact quota rounded down; the units left over go one each
    to the largest remainders (Hare, Hamilton), ties to the lower key. A share
    of 0 always gets 0. The result does not depend on the order of ``shares``.

    Args:
        total: what is shared out, in its smallest units; 0 or more.
        shares: proportions, 0 or more, in any common unit. Keys are addresses
            or other names; they are compared in lower case, which for
            addresses is the order of the numbers they stand for.

    Returns:
        Whole units per key, in key order, summing to exactly ``total``. Empty
        for no shares and a total of 0.

    Raises:
        AllocationError: a negative total; a negative, float or boolean share;
            two keys that differ in case only; a positive total and nothing
            positive to share it by.
    """
    if isinstance(total, bool) or not isinstance(total, int) or total < 0:
        raise AllocationError(f"total: expected an integer of 0 or more, found {total!r}.")
    ordered = _ordered(shares)
    weight = sum(ordered.values(), Fraction(0))
    if weight == 0:
        if total:
            raise AllocationError(
                f"shares: nothing positive among {len(ordered)} shares, so {total} cannot be shared out. "
                "Record that nothing is given, and why, instead."
            )
        return dict.fromkeys(ordered, 0)
    result: dict[str, int] = {}
    remainders: list[tuple[Fraction, int, str]] = []
    for position, (key, share) in enumerate(ordered.items()):
        quota = share * total / weight
        result[key] = quota.numerator // quota.denominator
        remainders.append((result[key] - quota, position, key))
    left = total - sum(result.values())
    for _, _, key in sorted(remainders)[:left]:
        result[key] += 1
    return result


def _ordered(shares: Mapping[str, int | Fraction]) -> dict[str, Fraction]:
    """The shares as fractions in key order, or an error that names the bad one."""
    seen: dict[str, str] = {}
    for key, share in shares.items():
        if isinstance(share, bool) or not isinstance(share, int | Fraction):
            raise AllocationError(f"shares[{key!r}]: expected an integer or a Fraction, found {share!r}.")
        if share < 0:
            raise AllocationError(f"shares[{key!r}]: {share} is negative. Clip it to 0 and list it.")
        if key.lower() in seen:
            raise AllocationError(
                f"shares: {seen[key.lower()]!r} and {key!r} are one key in two spellings. Merge them first."
            )
        seen[key.lower()] = key
    return {key: Fraction(shares[key]) for _, key in sorted(seen.items())}
