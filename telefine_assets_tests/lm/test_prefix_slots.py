"""Which tokens llama.cpp is made to compute together, against a model of its cache."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.lm.prefix_slots import SHORTEST_RUN, PrefixSlots, common_prefix


class LlamaCache:
    """llama.cpp's rules: reuse the longest common prefix, compute at least one token, then generate.

    Remembers of each cached token how long the run was that computed it. This
    is the service outside; the tokens of a prompt are its code points.
    """

    def __init__(self) -> None:
        self.slots: dict[int, list[tuple[int, int]]] = {}
        self.last: list[tuple[int, int]] = []
        self.computed = 0

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        if path == "/tokenize":
            return {"tokens": [ord(letter) for letter in body["content"]]}
        prompt = body["prompt"]
        cached = self.slots.get(body["id_slot"], []) if body["cache_prompt"] else []
        reused = min(common_prefix([token for token, _ in cached], prompt), len(prompt) - 1)
        run = len(prompt) - reused
        self.computed += run
        self.last = [*cached[:reused], *((token, run) for token in prompt[reused:])]
        # Two generated tokens, each computed alone, that a next prompt may well contain.
        generated = [] if body.get("n_predict") == 0 else [(ord("a"), 1), (ord("b"), 1)]
        self.slots[body["id_slot"]] = self.last + generated
        return {"content": "ab"}


@settings(deadline=None)
@given(prompts=st.lists(st.text("ab", min_size=1, max_size=40), min_size=1, max_size=12), slots=st.integers(1, 3))
def test_every_prompt_token_is_computed_in_a_long_run(prompts: list[str], slots: int) -> None:
    cache = LlamaCache()
    asked = PrefixSlots(cache.post, slots)
    for prompt in prompts:
        asked.complete(prompt, {"n_predict": 8})
        runs = [run for _, run in cache.last]
        # A prompt that is itself shorter is always computed whole.
        assert min(runs) >= min(SHORTEST_RUN, len(prompt))
        assert len(runs) == len(prompt)


def test_two_programs_taking_turns_keep_their_prefixes() -> None:
    cache = LlamaCache()
    asked = PrefixSlots(cache.post, 2)
    for turn in range(20):
        for program in "xy":
            asked.complete(program * 500 + f"{turn:03d}" * 10, {})
    assert cache.computed < 2 * 500 + 40 * 60
