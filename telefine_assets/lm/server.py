"""The embedded model's server process: ``python -m telefine_assets.lm.server``.

It is started by ``embedded`` and not meant to be started by hand. It answers
OpenAI chat completions on 127.0.0.1 and leaves when nobody holds the state
directory's lease any more.
"""

from __future__ import annotations

import argparse
import fcntl
import http.client
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from telefine_assets.lm.prefix_slots import PrefixSlots

LEASE = "lease.lock"
SERVING = "serving.lock"
ADDRESS = "server.json"
POLL_SECONDS = 0.5

# A slot's context. A prompt with eight review sentences as demos has some 260 tokens.
SLOT_TOKENS = 2048
# A base model rambles until it is stopped: a request without a limit gets this one.
DEFAULT_MAX_TOKENS = 64


class RequestError(Exception):
    """The request cannot be answered; carries the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def start_llama(model: Path, threads: int, slots: int) -> Any:
    """Load the model in this process; returns the running ``xllamacpp.Server``."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.ui = False
    params.endpoint_slots = False
    params.cors_origins = ""
    params.verbosity = 1
    params.n_gpu_layers = 0
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = threads
    params.n_parallel = slots
    params.n_ctx = slots * SLOT_TOKENS
    # Without the full window a sliding-window model cannot reuse a prefix, and every call pays for it all.
    params.swa_full = True
    # A base model has no chat template. ``PrefixSlots`` sends tokens; this one serves who asks llama.cpp.
    params.use_jinja = True
    params.chat_template = "{% for m in messages %}{{ m['content'] }}{% if not loop.last %}\n\n{% endif %}{% endfor %}"
    # Equal bits whatever was computed before need all of these: kernels that treat each token alike
    # (no flash attention, no repacked weights), a prompt in one batch, and no state but the slots'.
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.no_extra_bufts = True
    params.n_batch = params.n_ubatch = SLOT_TOKENS
    params.n_ctx_checkpoints = 0
    params.cache_ram_mib = 0
    return xllamacpp.Server(params)


class LlamaClient:
    """Posts JSON to the llama.cpp server of this process, over one kept connection."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port)

    def __call__(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post ``body`` and return the answer.

        Raises:
            RequestError: If llama.cpp refuses, such as for a prompt that is too long.
        """
        try:
            self._connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = self._connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise RequestError(502, f"llama.cpp did not answer: {error!r}") from error
        if response.status != http.client.OK:
            message = answer.get("error", {}).get("message", str(answer))
            raise RequestError(response.status, message)
        return dict(answer)


def chat_completion(slots: PrefixSlots, body: dict[str, Any], model: str) -> dict[str, Any]:
    """Answer one OpenAI chat completion request.

    Raises:
        RequestError: If the request asks for what is not offered here.
    """
    if body.get("stream"):
        raise RequestError(400, "this server does not stream: leave out `stream`")
    options: dict[str, Any] = {
        "n_predict": body.get("max_completion_tokens") or body.get("max_tokens") or DEFAULT_MAX_TOKENS,
        "temperature": body.get("temperature") or 0.0,
    }
    options |= {key: body[key] for key in ("top_p", "seed") if body.get(key) is not None}
    stop = body.get("stop") or []
    options["stop"] = [stop] if isinstance(stop, str) else stop
    prompt = "\n\n".join(_text(message) for message in body.get("messages") or [])
    answers = [slots.complete(prompt, options) for _ in range(body.get("n") or 1)]
    prompt_tokens = answers[0]["tokens_evaluated"]
    completion_tokens = sum(answer["tokens_predicted"] for answer in answers)
    return {
        "id": f"chatcmpl-{time.time_ns():x}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": index,
                "message": {"role": "assistant", "content": answer["content"]},
                "finish_reason": "length" if answer["stop_type"] == "limit" else "stop",
            }
            for index, answer in enumerate(answers)
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def _text(message: dict[str, Any]) -> str:
    """A message's text, given as a string or as OpenAI's list of parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    if any(part.get("type") != "text" for part in content):
        raise RequestError(400, "the embedded model reads text only")
    return "".join(part["text"] for part in content)


class ChatServer(ThreadingHTTPServer):
    """The OpenAI-compatible face, on a free port of 127.0.0.1."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, slots: PrefixSlots, identity: dict[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.slots = slots
        self.identity = identity


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Tell who serves, so that a client can be sure of it."""
        if self.path == "/health":
            self._send(200, self.server.identity)
        elif self.path == "/v1/models":
            self._send(200, {"object": "list", "data": [{"id": self.server.identity["model"], "object": "model"}]})
        else:
            self._send(404, {"error": {"message": f"no such path: {self.path}"}})

    def do_POST(self) -> None:
        """Answer a chat completion."""
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/v1/chat/completions":
            self._send(404, {"error": {"message": f"no such path: {self.path}"}})
            return
        try:
            answer = chat_completion(self.server.slots, json.loads(raw), self.server.identity["model"])
        except RequestError as error:
            self._send(error.status, {"error": {"message": str(error)}})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self._send(400, {"error": {"message": f"not a chat completion request: {error!r}"}})
        else:
            self._send(200, answer)

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log failures only: thousands of good answers would bury them."""
        if str(code) != "200":
            super().log_request(code, size)


def take_serving_lock(state_dir: Path, patience_seconds: float = 2) -> bool:
    """Become the one server of this state directory, for as long as this process lives.

    A user that looks whether there is a server holds the lock for an instant,
    hence the patience.
    """
    serving = os.open(state_dir / SERVING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(serving, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def wait_until_unused(state_dir: Path) -> int:
    """Return when nobody holds the lease, holding it exclusively.

    Users share the lease's flock, which the kernel drops when they end,
    however they end. The returned descriptor stays open until this process is
    gone: who comes meanwhile waits for that, instead of meeting a server that
    is about to leave.
    """
    lease = os.open(state_dir / LEASE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while True:
        try:
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(POLL_SECONDS)
        else:
            return lease


def main(arguments: list[str] | None = None) -> int:
    """Serve until nobody uses it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--model-path", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--digest", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--slots", type=int, required=True)
    args = parser.parse_args(arguments)

    if not take_serving_lock(args.state_dir):
        print("another server already serves this state directory", file=sys.stderr)
        return 0
    llama = start_llama(args.model_path, args.threads, args.slots)
    identity = {"pid": os.getpid(), "model": args.model, "digest": args.digest}
    server = ChatServer(PrefixSlots(LlamaClient(llama.listening_address), args.slots), identity)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    address = args.state_dir / ADDRESS
    written = address.with_suffix(".tmp")
    written.write_text(json.dumps({**identity, "api_base": f"http://127.0.0.1:{server.server_port}/v1"}))
    written.replace(address)
    wait_until_unused(args.state_dir)
    address.unlink(missing_ok=True)
    # Not sys.exit: nothing is left to tidy up, and llama.cpp's threads may take seconds to join.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
