"""A receiver of webhooks: a real HTTP server on this machine that answers as a test wants it."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from telefine_assets.alerts.webhook import verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HUGE = 1 << 40


class FakeReceiver(BaseHTTPRequestHandler):
    """Keeps what it got; answers with ``status`` or in one of the ways that receivers misbehave."""

    status, headers_sent, way = 200, {}, "well"
    got: list
    url: str
    over: threading.Event

    def do_POST(self):
        kind, body = type(self), self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        kind.got.append((headers, body, self.path))
        getattr(self, f"_{kind.way}")()

    do_GET = do_POST

    def _well(self):
        self.send_response(self.status)
        for name, value in {"content-length": "0", **self.headers_sent}.items():
            self.send_header(name, value)
        self.end_headers()

    def _silent(self):
        type(self).over.wait(30)

    def _dripping(self):
        """A byte now and then, so that no single read takes long."""
        self._until_gone(b"HTTP/1.1 200 OK\r\nx: ", b"y", 0.05)

    def _huge(self):
        self._until_gone(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % HUGE, b"z" * 65_536, 0)

    def _until_gone(self, first, more, pause):
        try:
            self.wfile.write(first)
            while not type(self).over.is_set():
                self.wfile.write(more)
                self.wfile.flush()
                time.sleep(pause)
        except OSError:
            pass

    def log_message(self, *_):
        pass

    @classmethod
    def ids(cls):
        """Ids of what came, each checked as a receiver checks it."""
        return [verify(SECRET, headers, body, int(time.time())) for headers, body, _ in cls.got]


@contextmanager
def receiving():
    """A receiver of its own."""
    kind = type("Receiver", (FakeReceiver,), {"got": [], "over": threading.Event()})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = True
        kind.url = f"http://127.0.0.1:{server.server_port}/hooks/a-token-in-the-path"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield kind
        finally:
            kind.over.set()
            server.shutdown()
