"""A deterministic stand-in for a language model: nearest demos, on loopback.

An OpenAI-compatible server that answers a plain few-shot prompt (the layout of
``telefine_assets.lm.plain_adapter``) with the majority label of the three demos
in the prompt that share most words with the question. It ignores instructions
and knows nothing of its own; more and cleaner demos make it better, as they make
a real model. Without demos it says ``unknown``.
"""

import hashlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from telefine_assets.settings.lm import LmSettings

K = 3
MODEL = "openai/nearest-demos"
"""The model string that goes with ``api_base`` in ``LmSettings``."""


class KnnLm:
    """The running stand-in: where it is, what it was asked, and which faults it shows.

    Attributes:
        api_base: what DSPy is told.
        calls: requests that arrived, failed ones included.
        failed: requests that a fault hit.
        prompts: the prompts, in order of arrival.
        fail_share: share of different prompts that fail when they are asked for the
            first time, in equal parts with HTTP 429, with a connection cut before the
            answer, with one cut in the middle of it, and with an answer that is slow.
        slow_seconds: how long a slow answer takes, to be set to more than clients
            wait; at 0 no answer is slow.
        refuses: prompts for which this is true fail with HTTP 429 every time.
        instead: its text, if any, is the answer to a prompt.
        too_long: prompts for which this is true are refused with HTTP 400.
        always: status and ``Retry-After`` of every answer, if given.
        latency_seconds: how long it takes over an answer.
        usage: whether it says how many tokens were used.
        seed: chooses the prompts that fail.
    """

    def __init__(self, api_base: str) -> None:
        self.api_base = api_base
        self.calls = 0
        self.failed = 0
        self.prompts: list[str] = []
        self.fail_share = 0.0
        self.slow_seconds = 0.0
        self.refuses: Callable[[str], bool] = lambda prompt: False
        self.instead: Callable[[str], str | None] = lambda prompt: None
        self.always: tuple[int, str] | None = None
        self.too_long: Callable[[str], bool] = lambda prompt: False
        self.latency_seconds = 0.0
        self.usage = True
        self.seed = 0
        self._asked: set[str] = set()
        self._lock = threading.Lock()

    def fault(self, prompt: str) -> str | None:
        """Count a request; ``429``, ``cut``, ``half``, ``slow`` or nothing is to happen to it."""
        kinds = ("429", "cut", "half", "slow") if self.slow_seconds else ("429", "cut", "half")
        chance = int.from_bytes(hashlib.sha256(f"{self.seed}:{prompt}".encode()).digest()[:8], "big")
        with self._lock:
            first = prompt not in self._asked
            self._asked.add(prompt)
            self.calls += 1
            self.prompts.append(prompt)
            kind = None
            if self.refuses(prompt):
                kind = "429"
            elif first and chance // len(kinds) % 1_000_000 < self.fail_share * 1_000_000:
                kind = kinds[chance % len(kinds)]
            self.failed += kind is not None
            return kind

    def forget(self) -> None:
        """Take every prompt for new again."""
        with self._lock:
            self._asked.clear()

    def answer(self, prompt: str) -> str:
        """The answer to a prompt that no fault hit."""
        return self.instead(prompt) or nearest_demos_answer(prompt)


def nearest_demos_answer(prompt: str) -> str:
    """The majority label of the nearest demos; ties go to the nearer, then to the earlier demo.

    A demo that shares no word with the question has a vote only when none shares any.
    """
    *shown, question = prompt.strip().split("\n\n")
    *asked, label = question.split("\n")
    label = label.strip().rstrip(":")
    words = _words(asked)
    demos: list[tuple[float, str]] = []
    for paragraph in shown:
        fields = [line.partition(": ")[::2] for line in paragraph.split("\n")]
        answer = dict(fields).get(label)
        if answer:
            demos.append((_overlap(words, _words(line for line in paragraph.split("\n"))), answer))
    nearest = sorted(demos, key=lambda demo: -demo[0])[:K]
    near = [answer for overlap, answer in nearest if overlap] or [answer for _, answer in nearest]
    return Counter(near).most_common(1)[0][0] if near else "unknown"


def _words(lines: object) -> set[str]:
    """Words of the values, without the fields' labels."""
    return {word for line in lines for word in line.partition(": ")[2].casefold().split()}  # type: ignore[attr-defined]


def _overlap(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    lm: KnnLm

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on the terminal."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.endswith("/chat/completions"):
            self._send(404, {"error": {"message": f"no {self.path} here"}})
            return
        prompt = "\n\n".join(message["content"] for message in body["messages"])
        lm = self.server.lm
        fault = lm.fault(prompt)
        time.sleep(lm.slow_seconds if fault == "slow" else lm.latency_seconds)
        if lm.too_long(prompt):
            self._send(400, {"error": {"message": "the prompt is too long", "type": "invalid_request_error"}})
        elif lm.always:
            self._send(lm.always[0], {"error": {"message": "always", "type": "fault"}}, lm.always[1])
        elif fault == "cut":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault == "429":
            self._send(429, {"error": {"message": "too many requests", "type": "rate_limit_error"}}, "0.01")
        else:
            self._send(200, _completion(body["model"], prompt, lm.answer(prompt), lm.usage), half=fault == "half")

    def _send(self, status: int, content: dict[str, object], retry_after: str = "", half: bool = False) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.close_connection = self.close_connection or half
        self.wfile.write(data[: len(data) // 2] if half else data)


def _completion(model: str, prompt: str, answer: str, tells_usage: bool) -> dict[str, object]:
    usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(answer.split())}
    message = {"role": "assistant", "content": f" {answer}"}
    return {
        "id": "chatcmpl-knn",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    } | ({"usage": {**usage, "total_tokens": sum(usage.values())}} if tells_usage else {})


@contextmanager
def knn_lm() -> Iterator[KnnLm]:
    """Run the stand-in on a free loopback port for the length of a block."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.lm = KnnLm(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.lm
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def lm_settings(knn: KnnLm, **changes: object) -> LmSettings:
    """Settings under which programs run on the stand-in."""
    values = {"api_key": "any", "adapter": "plain", "max_tokens": 8, "num_retries": 2, **changes}
    return LmSettings.model_validate({"model": MODEL, "api_base": knn.api_base, **values})
