"""A real server gives up on requests that do not come, and on no others."""

import asyncio
import socket
import time
from contextlib import contextmanager
from threading import Thread

import pytest
import uvicorn

from telefine_assets.api.patience import PatientProtocol
from telefine_assets.cli.serve import _options

BEGUN = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n"


async def app(scope, receive, send):
    """Answer once the body is whole; follow for a while where the path says so."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    length = [(b"content-length", b"%d" % len(str(len(body))))]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    if scope["path"] == "/slow":
        await asyncio.sleep(1.0)
    await send({"type": "http.response.body", "body": b"%d" % len(body)})


@contextmanager
def listening(seconds):
    """A server that waits so long for at least 50 bytes; yields how to connect to it."""
    patient = type("Patient", (PatientProtocol,), {"SECONDS": seconds, "LEAST_BYTES": 50})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, http=patient, lifespan="off", log_config=None, timeout_keep_alive=60)
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield lambda: socket.create_connection(listener.getsockname(), timeout=15)
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nX: ", BEGUN, BEGUN + b"x" * 20],
    ids=["silent", "half a line", "half a header", "no body", "half a body"],
)
def test_a_request_that_does_not_come_is_given_up(sent):
    with listening(0.2) as connect, connect() as connection:
        connection.sendall(sent)
        assert connection.makefile("rb").read() == b""


def test_so_is_a_second_one():
    with listening(0.2) as connect, connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        heard = connection.makefile("rb")
        while heard.readline().strip():
            pass
        assert heard.read(1) == b"0"
        connection.sendall(b"GET / HT")
        assert heard.read() == b""


def test_a_drop_now_and_then_is_no_request():
    with listening(0.3) as connect, connect() as connection:
        connection.sendall(BEGUN)
        with pytest.raises(OSError):
            for _ in range(200):
                connection.sendall(b"x")
                time.sleep(0.05)


def test_a_slow_body_that_comes_is_waited_for():
    with listening(0.6) as connect, connect() as connection:
        connection.sendall(BEGUN)
        for _ in range(30):
            connection.sendall(b"x" * 100)
            time.sleep(0.05)
        assert connection.recv(1_000).endswith(b"3000")


def test_an_answer_may_take_its_time():
    with listening(0.2) as connect, connect() as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert connection.makefile("rb").read().endswith(b"0")


def test_the_server_is_run_with_it(served):
    assert _options(served.settings)["http"] is PatientProtocol
    assert PatientProtocol.SECONDS == 20
