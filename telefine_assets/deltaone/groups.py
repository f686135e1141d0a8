"""Which items are not independent of one another."""

from __future__ import annotations

from collections.abc import Sequence


def joined(groups: Sequence[str], contributors: Sequence[str | None]) -> list[str]:
    """Join the groups that a contributor has items in, and those of one group's contributors, and so on.

    These are the connected components of groups and contributors, by union-find
    (Tarjan 1975). A component has the name of the smallest of its groups, whatever
    the order of the items.

    Args:
        groups: the group of each item.
        contributors: who contributed each item; None: nobody who is known, which joins nothing.

    Returns:
        The component of each item, in their order.
    """
    parents: dict[tuple[int, str], tuple[int, str]] = {}

    def root(node: tuple[int, str]) -> tuple[int, str]:
        while (parent := parents.setdefault(node, node)) != node:
            parents[node] = parents[parent]
            node = parent
        return node

    for group, contributor in zip(groups, contributors, strict=True):
        if contributor is not None:
            # Groups sort before contributors, so that the root is a group.
            least, other = sorted((root((0, group)), root((1, contributor))))
            parents[other] = least
    return [root((0, group))[1] for group in groups]
