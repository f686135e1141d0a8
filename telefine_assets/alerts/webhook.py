"""Signed webhooks, by the Standard Webhooks specification, so that receivers verify them with any of its libraries.

A request carries an id, the time it was sent, and an HMAC-SHA256 over
``<id>.<timestamp>.<body>`` for each secret, so that a secret can be replaced
while receivers know the old one or the new one. The id is what a nonce is for:
it belongs to one alert for ever, every attempt has the same, and a receiver that
remembers the ids of the last minutes takes none twice; the time bounds how long
it must remember.

Whom it may be sent to: only addresses from the operator's environment, by HTTPS
(or to this machine). Redirects are not followed, and of an answer no more than
its status is read, so that no answer can lead a request elsewhere, fill the
memory or get into a log.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from telefine_assets.errors import TelefineError

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE_SECONDS = 300
"""How far a receiver's clock may be from the sender's; the specification's libraries have the same."""
_PREFIX = "whsec_"
_LEAST, _MOST = 24, 64
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_WHOLE = re.compile(r"[0-9]{1,12}")
_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")


class WebhookError(TelefineError):
    """A webhook cannot be believed, or not be sent; the message says why and repeats no secret."""


def secret_of(key: bytes) -> str:
    """A secret as both sides write it down; 24 to 64 random bytes."""
    return _PREFIX + base64.b64encode(key).decode()


def keys_of(secret: str) -> list[bytes]:
    """The keys of one or several secrets with blanks between them, the newest first.

    Raises:
        ValueError: one of them is none.
    """
    keys = [_key(each) for each in secret.split()]
    if not keys:
        raise ValueError("names no secret; `telefine alerts secret` makes one")
    return keys


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(_PREFIX) or not _LEAST <= len(key) <= _MOST:
        raise ValueError(
            f"must be {_PREFIX} and the base64 of {_LEAST} to {_MOST} random bytes; `telefine alerts secret` makes one"
        )
    return key


def address(url: str) -> str:
    """An address that a webhook may be sent to.

    Raises:
        ValueError: it is none.
    """
    try:
        place = urlsplit(url)
        host, _ = place.hostname, place.port
    except ValueError:
        host = None
    if not host or place.username is not None or not url.isprintable() or " " in url:
        raise ValueError("must be https://host/path, without a user in it")
    if place.scheme != "https" and not (place.scheme == "http" and host in _LOCAL):
        raise ValueError("must begin with https://; http:// is for this machine alone")
    return url


def signed(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a request; ``timestamp`` is Unix time in seconds."""
    signatures = (f"v1,{_mac(key, message_id, str(timestamp), body)}" for key in keys)
    return {ID: message_id, TIMESTAMP: str(timestamp), SIGNATURE: " ".join(signatures)}


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: int, tolerance: int = TOLERANCE_SECONDS) -> str:
    """What a receiver does with a request before it believes it.

    Args:
        secret: the secret, or several with blanks between them.
        headers: of the request, by lower-case names.
        body: of the request, byte by byte as it came.
        now: Unix time in seconds.
        tolerance: how many seconds the time of the request may be away from now.

    Returns:
        The message's id. Take each id once.

    Raises:
        WebhookError: it is not to be believed.
    """
    try:
        message_id, timestamp, signatures = (headers[each] for each in (ID, TIMESTAMP, SIGNATURE))
    except KeyError as missing:
        raise WebhookError(f"the header {missing.args[0]} is missing") from None
    if not _ID.fullmatch(message_id):
        # A dot would let another part of what was signed pass for the time or the body.
        raise WebhookError(f"{ID} is none of ours")
    if not _WHOLE.fullmatch(timestamp) or abs(now - int(timestamp)) > tolerance:
        raise WebhookError(f"{TIMESTAMP} is more than {tolerance} seconds away: an old request, or a wrong clock")
    given = [each.removeprefix("v1,").encode() for each in signatures.split() if each.startswith("v1,")]
    wanted = [_mac(key, message_id, timestamp, body).encode() for key in keys_of(secret)]
    if not any(hmac.compare_digest(one, other) for one in given for other in wanted):
        raise WebhookError(f"{SIGNATURE} is not that of this body under this secret")
    return message_id


def _mac(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    signed_content = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(key, signed_content, hashlib.sha256).digest()).decode()
