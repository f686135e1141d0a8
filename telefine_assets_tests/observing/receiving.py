"""Fake receivers: an OpenTelemetry collector, a Sentry service and a Pushgateway in one, which keep what they get."""

import gzip
import json
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class FakeReceiver:
    """What came in, as (method, path, body); bodies are unpacked."""

    port: int
    got: list[tuple[str, str, bytes]] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dsn(self) -> str:
        return f"http://a-public-key@127.0.0.1:{self.port}/7"

    def spans(self) -> list[dict]:
        """Every span that came by OTLP, decoded, the first to end first."""
        return [
            {
                "name": span.name,
                "trace": span.trace_id.hex(),
                "id": span.span_id.hex(),
                "parent": span.parent_span_id.hex(),
                "status": span.status.message,
                "about": {each.key: value_of(each.value) for each in span.attributes},
                "of": {each.key: value_of(each.value) for each in resource.resource.attributes},
            }
            for method, path, body in list(self.got)
            if (method, path) == ("POST", "/v1/traces")
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def events(self) -> list[dict]:
        """Every event that came to the fake Sentry."""
        envelopes = [body.split(b"\n") for _, path, body in list(self.got) if path == "/api/7/envelope/"]
        return [json.loads(lines[2]) for lines in envelopes]

    def pushed(self) -> list[tuple[str, str, str]]:
        """Every push of metrics."""
        return [(method, path, body.decode()) for method, path, body in list(self.got) if "/metrics/job/" in path]


def value_of(value):
    return getattr(value, value.WhichOneof("value"))


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on the terminal."""

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        unpack = {"gzip": gzip.decompress, "deflate": zlib.decompress}.get(self.headers.get("Content-Encoding", ""))
        self.server.receiver.got.append((self.command, self.path, unpack(body) if unpack else body))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_PUT = _take


@contextmanager
def receiving() -> Iterator[FakeReceiver]:
    """A receiver on a port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.receiver = FakeReceiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.receiver
    finally:
        server.shutdown()
        server.server_close()
