"""Ways to people: any service that apprise knows, and signed webhooks. Nothing that is said here names an address."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Protocol

from telefine_assets.alerts.apart import Loop, begun
from telefine_assets.alerts.records import Raised, Severity
from telefine_assets.alerts.webhook import keys_of, signed
from telefine_assets.canonical import canonical_json

if TYPE_CHECKING:
    from apprise import NotifyBase

_GONE = 410
_LONGEST_WAIT_SECONDS = 86_400
_HANGING = 8
"""So many attempts at one service may hang; each holds a thread until the service lets go."""
_TALKATIVE = ("apprise", "httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "urllib3.connectionpool")
"""Loggers of libraries that write down addresses, and with them the tokens in them."""
_SENDING: ContextVar[bool] = ContextVar("_SENDING", default=False)


@dataclass(frozen=True)
class Answer:
    """What came of an attempt.

    Attributes:
        delivered: whether the other side took it.
        reason: why it did not, in one line without an address or a secret; empty where it did.
        final: whether the other side wants no further attempt.
        wait_seconds: how long the other side asks to wait before the next.
    """

    delivered: bool
    reason: str = ""
    final: bool = False
    wait_seconds: int = 0


class Channel(Protocol):
    """A way to people."""

    def send(self, raised: Raised, at_ms: int) -> Answer:
        """Send an alert once, within a bounded time; must not raise for what the other side does."""
        ...


def webhook_body(raised: Raised, deployment: str) -> bytes:
    """What a webhook says: canonical JSON, the same bytes in every attempt."""
    at = datetime.fromtimestamp(raised.raised_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    data = raised.alert.to_record() | {"deployment": deployment}
    return canonical_json({"type": f"telefine.{raised.alert.kind}", "timestamp": at, "data": data})


@dataclass(frozen=True, repr=False)
class WebhookChannel:
    """Signed requests to one address."""

    url: str
    secret: str
    deployment: str
    seconds: float

    def send(self, raised: Raised, at_ms: int) -> Answer:
        """See :class:`Channel`."""
        body = webhook_body(raised, self.deployment)
        headers = signed(keys_of(self.secret), raised.alert.message_id(self.deployment), at_ms // 1000, body)
        try:
            with _hushed(), asyncio.Runner(loop_factory=Loop) as runner:
                return runner.run(self._posted(body, headers))
        except TimeoutError:
            return Answer(False, f"no answer within {self.seconds:g} seconds")

    async def _posted(self, body: bytes, headers: dict[str, str]) -> Answer:
        import httpx

        # Before the time begins to run: reading all certificates takes long, once.
        headers, tls = {**headers, "content-type": "application/json", "user-agent": "telefine"}, _tls()
        try:
            # The timeouts of httpx are of single reads: who sends a byte now and then would hold us for ever.
            async with (
                asyncio.timeout(self.seconds),
                httpx.AsyncClient(verify=tls, follow_redirects=False, timeout=self.seconds) as client,
                client.stream("POST", self.url, content=body, headers=headers) as response,
            ):
                return _answer(response.status_code, response.headers.get("retry-after", ""))
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            # Messages of httpx name hosts; an address may hold a secret.
            return Answer(False, f"cannot be reached ({type(error).__name__})")


@lru_cache
def _tls() -> ssl.SSLContext:
    """What servers are checked by."""
    import httpx

    return httpx.create_ssl_context()


@contextmanager
def _hushed() -> Iterator[None]:
    """No library writes an address to a log in this block; what others send meanwhile is logged as ever."""
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_heard)
    token = _SENDING.set(True)
    try:
        yield
    finally:
        _SENDING.reset(token)


def _heard(_: logging.LogRecord) -> bool:
    return not _SENDING.get()


def _answer(status: int, retry_after: str) -> Answer:
    if 200 <= status < 300:
        return Answer(True)
    if 300 <= status < 400:
        return Answer(False, f"answered {status}: redirects are not followed; set the address that it leads to")
    # Whatever else stands there, a date among others, is as good as nothing.
    wait = min(int(retry_after), _LONGEST_WAIT_SECONDS) if re.fullmatch("[0-9]{1,9}", retry_after) else 0
    return Answer(False, f"answered {status}", final=status == _GONE, wait_seconds=wait)


@dataclass(frozen=True, repr=False)
class AppriseChannel:
    """One service by its apprise URL."""

    url: str
    seconds: float

    def send(self, raised: Raised, at_ms: int) -> Answer:
        """See :class:`Channel`."""
        import apprise

        service = apprise_service(self.url)
        if service is None:
            return Answer(False, "its url is none that apprise knows", final=True)
        kinds = {
            Severity.INFO: apprise.NotifyType.INFO,
            Severity.WARNING: apprise.NotifyType.WARNING,
            Severity.ERROR: apprise.NotifyType.FAILURE,
        }
        alert, thread = raised.alert, f"telefine-apprise-{hash(self)}"
        if sum(each.name == thread for each in threading.enumerate()) >= _HANGING:
            return Answer(False, f"{_HANGING} earlier attempts still hang: the service neither answers nor lets go")
        notify = partial(
            apprise.Apprise(services=[service]).notify,
            title=_unaddressed(alert.subject),
            body=_unaddressed(alert.text),
            notify_type=kinds[alert.severity],
            body_format=apprise.NotifyFormat.TEXT,
        )
        taken = self._taken(notify, thread)
        return Answer(True) if taken else Answer(False, f"the service did not take it within {self.seconds:g} seconds")

    def _taken(self, notify: Callable[[], object], thread: str) -> bool:
        """Whether the service took it in time; its timeouts are of single reads, as those of httpx."""
        with _hushed():
            sending = begun(notify, thread)
        try:
            return bool(sending.result(self.seconds))
        except TimeoutError:
            return False


def _unaddressed(text: str) -> str:
    """The text without calls upon people: an alert quotes strangers, and chats ring for ``@everyone``."""
    return text.replace("@", "@\N{ZERO WIDTH SPACE}")


def apprise_service(url: str) -> NotifyBase | None:
    """What apprise sends to under a URL; None when it knows no such service."""
    import apprise

    # A timeout of apprise's own would have it send in a thread that the end of the process waits for.
    asset = apprise.AppriseAsset(storage_mode=apprise.PersistentStoreMode.MEMORY, service_timeout=0)
    with _hushed():
        return apprise.Apprise.instantiate(url, asset=asset)
