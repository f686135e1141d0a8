"""Addresses that can be shown: URLs without what lets their reader in.

What is certain to be no secret stays; where it could be one, more is hidden than must be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote, unquote_plus

from pydantic import AfterValidator

if TYPE_CHECKING:
    from telefine_assets.settings.schema import Settings

ADDRESSES = (
    ("mlflow", "tracking_uri"),
    ("mlflow", "artifacts"),
    ("ledger", "url"),
    ("store", "uri"),
    ("lm", "api_base"),
)
"""Settings that are URLs, and may carry a password; so may ``lms.*.api_base``."""
MASK = "**********"
_WEB = frozenset({"http", "https", "ws", "wss"})
"""Schemes whose paths may hold any sign, and whose user without a password is a token."""
_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "wasb", "wasbs", "hdfs"})
"""Schemes whose paths may hold any sign, and in which a container may stand before an @."""
_FILES = frozenset({"sqlite", "file", "local", "memory"})
"""Schemes that nobody logs in to."""
# Tried at the beginning of a word only: a log may have very long ones.
_SCHEME = re.compile(r"(?<![A-Za-z0-9+.-])([A-Za-z0-9+.-]+)://")
_HOST = re.compile(r"([^@:]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30}://)(?:([A-Za-z0-9_.-]*)(?=(?::\d{0,5})?(?:[/?#]|$)))?")
_PARAMETER = re.compile(r"(?<=[?&;#])([\w.%+-]+=)((?:(?!&[\w.%+-]+=).)+)", re.DOTALL)
_INSIDE = re.compile(r"(?:^|[\s;&?{])([\w.-]+(?: id)?)\s*=")
"""A name within a parameter's value, as ODBC and JDBC write them."""
_SECRET = re.compile(
    r".*(passw|passphrase|secret|token|credential|signature).*|(.*[._-])?(pass|pwd|sig|sas|auth|key)"
    r"|.*(api|access|account|private|shared)key",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r".*(file|path|dir|url|uri|type|name|[._-]id)|ssl[._-]?key", re.IGNORECASE)
"""Names that say where a secret is, or of what kind."""
_WORD = re.compile(r"[^\s\"']+")
_WHOLE = re.compile(r"[^@:/?#\s]*(:[^@/?#\s]*)?")
"""A user and password that every reader of a URL reads alike: of two @, libpq ends them at the first one."""


def without_password(address: str) -> str:
    """An address that can be shown.

    Hidden are the password, in the web's schemes the user with it, and parameters that are
    keys. A user and password reach to the last @: whoever writes them seldom encodes them.
    What any reader takes for a port (``https://host:5000/of@team``) begins no password.
    """
    return _PARAMETER.sub(_shown, _without_logins(address))


def has_password(address: str) -> bool:
    """Whether an address carries a password or a key."""
    return bool(secrets_in(address))


def secrets_in(address: str) -> list[str]:
    """What is hidden of an address, as it stands there."""
    passwords = [address[secret:end] for _, secret, end in _logins(address)]
    parameters = _PARAMETER.finditer(_without_logins(address))
    return [*passwords, *(found[2] for found in parameters if _is_secret(found))]


def addresses_of(settings: Settings) -> dict[tuple[str, ...], str]:
    """The addresses of a deployment that may hold a password, by their place in the settings."""
    named: dict[tuple[str, ...], str | None]
    named = {(group, name): getattr(getattr(settings, group), name) for group, name in ADDRESSES}
    named |= {("lms", name, "api_base"): lm.api_base for name, lm in settings.lms.items()}
    return {place: address for place, address in named.items() if address}


def in_text(text: str) -> str:
    """A text whose addresses can be shown; one ends at a blank or a quotation mark."""
    return _WORD.sub(lambda word: without_password(word[0]), text)


def place_of(address: str) -> str:
    """What is told of an address that was refused: its scheme, and its host where nothing can be hidden in that."""
    named = _NAMED.match(address)
    if named is None or named[2] is None or "@" in address:
        return f"{named[1] if named else ''}{MASK}"
    return named[0] + ("/..." if len(address) > named.end() else "")


def _whole(address: str) -> str:
    """Refuse a password that a reader would cut in two: the rest would be a host, and errors name hosts."""
    if any(not _WHOLE.fullmatch(address[start:end]) for start, _, end in _logins(address)):
        raise ValueError(
            "cannot be read in one way only; write @ in a user or password, or behind the host, as %40, "
            ": in a user as %3A, / as %2F, ? as %3F, # as %23 and a blank as %20"
        )
    return address


Address = Annotated[str, AfterValidator(_whole)]
"""An address that may hold a password, which then comes from the environment."""


def _logins(address: str) -> Iterator[tuple[int, int, int]]:
    """Of each user with a password, in every URL of it: where the user begins, where what is secret does, the end."""
    for found in _SCHEME.finditer(address):
        start, end = found.end(), address.rfind("@")
        secret = _secret_from(found[1], address[start:end]) if start < end else None
        if secret is not None:
            yield start, start + secret, end


def _secret_from(scheme: str, login: str) -> int | None:
    """Where the secret part begins of what stands between :// and the last @; None where there is none."""
    kinds = {*scheme.lower().lstrip("0123456789+.-").split("+")}
    authority = re.split("[/?#]", login, maxsplit=1)[0]
    if kinds & _FILES:
        return None
    if kinds & _WEB:
        # Not a login, but a host before a path that holds an @.
        is_host = authority != login and _HOST.fullmatch(authority) and ":" not in login[len(authority) :]
        return None if is_host else 0
    # Of a database the user ends at the first colon, wherever that is.
    colon = (authority if kinds & _BUCKETS else login).find(":")
    return colon + 1 if 0 <= colon < len(login) - 1 else None


def _without_logins(address: str) -> str:
    # All end at the last @: the first one has the others in it.
    for _, secret, end in _logins(address):
        return f"{address[:secret]}{MASK}{address[end:]}"
    return address


def _shown(found: re.Match[str]) -> str:
    return f"{found[1]}{MASK}" if _is_secret(found) else found[0]


def _is_secret(parameter: re.Match[str]) -> bool:
    """Whether a parameter is a key, or holds one."""
    value = unquote_plus(parameter[2])
    names = [unquote(parameter[1][:-1]), *_INSIDE.findall(value)]
    return any(_SECRET.fullmatch(name) and not _HARMLESS.fullmatch(name) for name in names) or (any(_logins(value)))
