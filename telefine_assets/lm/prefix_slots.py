"""Prompt prefixes that the embedded server keeps, so that answers are fast and exact.

Few-shot prompts share all but their last line, and llama.cpp keeps what it
computed of a prompt in a slot. How it computes a token depends on how many are
computed together, though: below eight it takes other kernels, which round
differently, and a label on the edge may flip. Left alone, an answer therefore
depends on which prompts came before. Here every prompt token is computed in a
run of eight or more, one request at a time, which (with the server settings
that ``server`` chooses) gives the same bits whatever came before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

# Measured with xllamacpp 2026.10 on AVX2: runs of one to seven tokens differ from longer ones; eight
# to 75, tried one by one, and whole few-shot prompts agree in every bit.
SHORTEST_RUN = 8

Post = Callable[[str, dict[str, Any]], dict[str, Any]]


@dataclass
class _Slot:
    """What one of llama.cpp's slots holds, as far as it may be reused."""

    number: int
    tokens: list[int] = field(default_factory=list)
    used: int = 0


class PrefixSlots:
    """Asks llama.cpp's ``/completion`` one prompt at a time, reusing prefixes exactly.

    Calls in flight wait for each other. That costs nothing on a processor (a
    batch of four prompts takes as long as four prompts) and keeps the shape of
    every computation independent of the callers' timing.
    """

    def __init__(self, post: Post, slots: int) -> None:
        """Take the function that posts a JSON body to a path of the llama.cpp server."""
        self._post = post
        self._slots = [_Slot(number) for number in range(slots)]
        self._clock = 0
        self._lock = threading.Lock()

    def complete(self, prompt: str, options: dict[str, Any]) -> dict[str, Any]:
        """Complete ``prompt``; ``options`` are fields of llama.cpp's ``/completion``."""
        with self._lock:
            tokens = self._post("/tokenize", {"content": prompt, "add_special": True})["tokens"]
            slot, common = self._choose(tokens)
            keep = min(common, len(tokens) - SHORTEST_RUN)
            request = {**options, "prompt": tokens, "id_slot": slot.number, "cache_prompt": True}
            if keep < SHORTEST_RUN:
                request["cache_prompt"] = False
            elif keep < common or common == len(slot.tokens):
                self._cut(slot, tokens, keep, options)
            # Unknown until it has succeeded: a failed request may leave anything behind.
            slot.tokens = []
            answer = self._post("/completion", request)
            if len(tokens) >= SHORTEST_RUN:
                slot.tokens = tokens
            return answer

    def _choose(self, tokens: list[int]) -> tuple[_Slot, int]:
        """The slot that shares most with ``tokens``, else the one longest unused.

        A slot of which less than half could be kept belongs to another program,
        whose prefix is worth more to its next prompt.
        """
        self._clock += 1
        best = max(self._slots, key=lambda slot: common_prefix(slot.tokens, tokens))
        common = common_prefix(best.tokens, tokens)
        if 2 * common < len(best.tokens) or not common:
            best = min(self._slots, key=lambda slot: slot.used)
            common = common_prefix(best.tokens, tokens)
        best.used = self._clock
        return best, common

    def _cut(self, slot: _Slot, tokens: list[int], keep: int, options: dict[str, Any]) -> None:
        """Make the slot forget everything behind ``tokens[:keep]``.

        llama.cpp reuses as much as it can, tokens that it generated one by one
        included. A prompt that goes on differently after ``keep`` tokens makes
        it drop the rest.
        """
        other = tokens[keep] - 1 if tokens[keep] > SHORTEST_RUN else tokens[keep] + SHORTEST_RUN
        # The slot is unknown while the cut is under way.
        slot.tokens = []
        self._post(
            "/completion",
            {
                **options,
                "prompt": [*tokens[:keep], other],
                "id_slot": slot.number,
                "cache_prompt": True,
                "n_predict": 0,
            },
        )


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many leading tokens the two have in common."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))
