"""A deterministic stand-in for a language model that answers by rules.

It reads the layout of ``dspy.ChatAdapter`` and answers in it, or in JSON when it
is asked to: a rule gets the fields of the question, as text, and gives the
outputs that are asked for, None for one to leave out. Only the model is made up;
signatures, adapters, parsing and optimisers are DSPy's.
"""

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dspy
from dspy.lm15 import Message, Request, Response, TextPart, Usage

Rule = Callable[[Mapping[str, str], list[str]], Mapping[str, Any]]
"""From the inputs of a question and the names of the outputs that it wants to the outputs."""

_FIELD = re.compile(r"^\[\[ ## (\w+) ## \]\]\n", re.MULTILINE)
_WANTED = re.compile(r"`(?:\[\[ ## )?(\w+)(?: ## \]\])?`")
_ASKS = "Respond with "


class ScriptedLm:
    """A DSPy engine that asks a rule, and keeps the prompts, each as one text."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.prompts: list[str] = []
        self._lock = threading.Lock()

    def complete(self, request: Request) -> Response:
        """Answer one question."""
        texts = [_text(message.parts) for message in request.messages]
        with self._lock:
            self.prompts.append("\n\n".join([_text(request.system), *texts]))
        asked, _, wanted = texts[-1].partition(_ASKS)
        names = [name for name in _WANTED.findall(wanted) if name != "completed"]
        outputs = self.rule(_sections(asked), names)
        given = {name: outputs[name] for name in names if outputs[name] is not None}
        answer = json.dumps(given) if "JSON object" in wanted else _chat(given)
        message = Message(role="assistant", parts=(TextPart(answer),))
        return Response(id="1", model="scripted", message=message, finish_reason="stop", usage=Usage())

    @contextmanager
    def context(self, *callbacks: Any) -> Iterator[None]:
        """Run DSPy on this model, with callbacks."""
        lm = dspy.LM("scripted", engine=self, async_engine=_Async(self), cache=False, num_retries=0)
        with dspy.context(lm=lm, adapter=dspy.ChatAdapter(), callbacks=list(callbacks), track_usage=False):
            yield


class _Async:
    def __init__(self, lm: ScriptedLm) -> None:
        self._lm = lm

    async def complete(self, request: Request) -> Response:
        await asyncio.sleep(0)
        return self._lm.complete(request)


def _chat(given: Mapping[str, Any]) -> str:
    parts = [f"[[ ## {name} ## ]]\n{_written(value)}" for name, value in given.items()]
    return "\n\n".join([*parts, "[[ ## completed ## ]]"])


def _sections(text: str) -> dict[str, str]:
    _, *parts = _FIELD.split(text)
    return {name: value.strip() for name, value in zip(parts[::2], parts[1::2], strict=True)}


def _text(parts: Any) -> str:
    return parts if isinstance(parts, str) else "".join(getattr(part, "text", "") for part in parts or ())


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
