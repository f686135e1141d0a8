"""Who is signed in with a browser.

A session is a random token in a cookie, and here, in this process's memory, the id
of the key that opened it. So the key itself is kept by nobody, a cookie that is
stolen opens pages and nothing else, and a restart signs everybody out. That the
key is still good is asked at every request.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from threading import Lock

from telefine_assets.canonical import sha256_hex

COOKIE = "telefine_session"
SECONDS = 12 * 3_600
"""How long a session lasts."""


class Sessions:
    """The sessions of a server."""

    def __init__(self, most: int = 1_000, of_a_key: int = 20) -> None:
        """Keep the ``most`` that were opened last, and ``of_a_key`` of one key: it pushes nobody else's out."""
        self._most, self._of_a_key, self._lock = most, of_a_key, Lock()
        self._open: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def open(self, key_id: str, now: float) -> str:
        """A new session of a key; returns its token. ``now`` is in seconds."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            own = [name for name, (opener, _) in self._open.items() if opener == key_id]
            if len(own) >= self._of_a_key:
                del self._open[own[0]]
            self._open[_name(token)] = (key_id, now + SECONDS)
            if len(self._open) > self._most:
                self._open.popitem(last=False)
        return token

    def key_of(self, token: str, now: float) -> str | None:
        """Id of the key that opened a session; None where there is none, or none any more."""
        with self._lock:
            key_id, until = self._open.get(_name(token), ("", 0.0))
        return key_id if now < until else None

    def close(self, token: str) -> None:
        """End a session."""
        with self._lock:
            self._open.pop(_name(token), None)


def _name(token: str) -> str:
    """Only the digest is kept, and looked up: how long that takes tells nothing of a token."""
    return sha256_hex(token.encode("utf-8", "replace"))
