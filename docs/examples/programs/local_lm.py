"""A stand-in for a language model, so that the examples run offline: ``python local_lm.py``.

An OpenAI-compatible server on 127.0.0.1:8089 that knows the four examples by rule,
and nothing else. It is no language model. Like an untaught one it is careless: of the
questions that come without an example of how to answer, it gets most wrong, always the same
ones. With demos in the prompt it takes care. So a compile has something to gain, and two
runs give the same answers.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PORT = 8089
HERE = Path(__file__).resolve().parent
Outputs = dict[str, Any]
_FIELD = re.compile(r"^\[\[ ## (\w+) ## \]\]\n", re.MULTILINE)
_WANTED = re.compile(r"`(?:\[\[ ## )?(\w+)(?: ## \]\])?`")


def labels_of(example: str) -> dict[str, Outputs]:
    """The right answers of an example, by the text of its one input."""
    lines = (HERE / example / "data.jsonl").read_text(encoding="utf-8").splitlines()
    return {next(iter(row["inputs"].values())): row["label"] for row in map(json.loads, lines)}


BANK, ORDERS, HANDBOOK = labels_of("classification"), labels_of("extraction"), labels_of("rag")


def queue(asked: Mapping[str, str], careful: bool) -> Outputs:
    """Without care every message is somebody else's."""
    return BANK[asked["message"]] if careful else {"queue": "other"}


def order(asked: Mapping[str, str], careful: bool) -> Outputs:
    """Without care everything comes in pieces, and can wait."""
    right = ORDERS[asked["mail"]]
    return right if careful else {"order": {**right["order"], "unit": "piece"}, "urgency": "whenever"}


def query(asked: Mapping[str, str], careful: bool) -> Outputs:
    """The words that mean something; without care, those that every question begins with."""
    words = re.findall(r"[a-z-]+", asked["question"].casefold())
    return {"query": " ".join(word for word in words if (len(word) > 4) == careful)}


def answer(asked: Mapping[str, str], careful: bool) -> Outputs:
    """What the handbook says, if it stands in a passage."""
    right = HANDBOOK[asked["question"]]["answer"]
    return {"answer": right if right in asked["passages"] else "the handbook does not say"}


def act(asked: Mapping[str, str], careful: bool) -> Outputs:
    """First the distance, then the hours; without care it knows enough once it has the distance."""
    start, end, vehicle = _journey(asked["question"])
    seen = re.findall(r"\[\[ ## observation_\d+ ## \]\]\s*([\d.]+)", asked["trajectory"])
    if not seen:
        return _call("distance_km", {"start": start, "end": end})
    if len(seen) == 1 and careful:
        return _call("travel_hours", {"kilometres": int(seen[0]), "vehicle": vehicle})
    return _call("finish", {})


def hours(asked: Mapping[str, str], careful: bool) -> Outputs:
    """What the last tool said."""
    *_, last = re.findall(r"\[\[ ## observation_\d+ ## \]\]\s*([\d.]+)", asked["trajectory"])
    return {"reasoning": "The last tool says so.", "hours": float(last)}


def _journey(question: str) -> tuple[str, str, str]:
    start, end = re.findall(r"\b(Bergen|Berlin|Gdansk|Hamburg|Lund|Oslo|Riga|Turku)\b", question)
    return start, end, re.findall(r"\b(van|truck|train)\b", question)[0]


def _call(tool: str, arguments: Outputs) -> Outputs:
    return {"next_thought": f"I call {tool}.", "next_tool_name": tool, "next_tool_args": arguments}


RULES: dict[str, Callable[[Mapping[str, str], bool], Outputs]] = {
    "queue": queue, "order": order, "query": query, "answer": answer, "next_tool_name": act, "hours": hours,
}  # fmt: skip
"""By an output that only one of the examples' predictors has."""


def completion(messages: list[dict[str, str]]) -> str:
    """The answer to a prompt of ``dspy.ChatAdapter``, in its layout."""
    asked, _, wanted = messages[-1]["content"].partition("Respond with ")
    _, *parts = _FIELD.split(asked)
    fields = {name: value.strip() for name, value in zip(parts[::2], parts[1::2], strict=True)}
    shown = any(message["role"] == "assistant" for message in messages)
    first = next(iter(fields.values()))
    careful = shown or hashlib.sha256(first.encode()).digest()[0] % 3 == 0
    names = [name for name in _WANTED.findall(wanted) if name != "completed"]
    given = RULES[next(name for name in names if name in RULES)](fields | {"trajectory": asked}, careful)
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    return "\n\n".join([*(f"[[ ## {name} ## ]]\n{text}" for name, text in texts.items()), "[[ ## completed ## ]]"])


class Handler(BaseHTTPRequestHandler):
    """``POST /v1/chat/completions``, as far as DSPy uses it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on the terminal."""

    def do_POST(self) -> None:
        """Answer one question."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            text = completion(asked["messages"])
        except (LookupError, ValueError, StopIteration):
            self._send(400, {"error": {"message": "the stand-in knows the data of docs/examples, and nothing else"}})
            return
        counts = {"prompt_tokens": len(str(asked["messages"]).split()), "completion_tokens": len(text.split())}
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {**counts, "total_tokens": sum(counts.values())}
        fixed = {"id": "1", "object": "chat.completion", "created": 0, "model": asked["model"]}
        self._send(200, {**fixed, "choices": [choice], "usage": usage})

    def _send(self, status: int, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    print(f"listening on http://127.0.0.1:{PORT}/v1, until Ctrl-C", flush=True)
    ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
