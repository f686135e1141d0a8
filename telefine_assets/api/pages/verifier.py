"""Verification in the reader's own browser, with no trust in the server that handed out the page.

The modules in ``static/verify`` do what ``telefine attest verify`` does on what a bundle
alone can prove. They come in two forms, from the same bytes:

**On a page of ours.** It holds, once::

    <link rel="stylesheet" href="/static/verify/verify.css">
    <script type="module" src="/static/verify/main.js"></script>

and, wherever the verifier shall stand, any number of::

    <section data-verify data-bundle="/v1/attestations/0x..." data-uid="0x..." data-log="/v1/log"></section>

``main.js`` mounts itself on every ``[data-verify]`` when the document is ready; it also exports
``mountVerifier(element)``. What stands within the section is replaced (put a ``<noscript>`` or a
"needs JavaScript" sentence there).

- ``data-bundle``: where the bytes of ``attestation.json`` are; fetched with GET, same origin, no
  credentials. Without it the reader is asked for a file.
- ``data-uid`` (may be left out): the attestation that the page is about; another one is refused.
- ``data-log`` (may be left out): where ``log.json`` is; if it cannot be had, revocation is "not checked here".

The page's policy must allow ``script-src 'self'; style-src 'self'; connect-src 'self'``; nothing inline
is used, no markup is ever parsed from data. When it is done the section has the attribute
``data-verdict``: ``valid``, ``undecided`` (all holds, nobody said whom he trusts) or ``invalid``.
Headings in it begin with h3, so that the section may stand under an h2.
Whom to trust is typed by the reader, or stands in the fragment that he came with:
``#trust=0x...,0x...``. It is never taken from the page.

**As one file** (``standalone``): style and modules in it, a policy that allows these by digest and no
connection at all; it works from a disk. Readers get it from the package (``telefine attest verifier``)
rather than from a server that they do not trust.

``router`` serves both: ``/verify``, and ``/static/verify/NAME``.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import Response

from telefine_assets.api.answers import PUBLIC, stored
from telefine_assets.api.problems import not_found

router = APIRouter(include_in_schema=False)

STYLE = "verify.css"
# In the order in which they build on each other; each may use those before it.
MODULES = (
    "bytes.js",
    "sha256.js",
    "keccak.js",
    "secp256k1.js",
    "address.js",
    "json.js",
    "records.js",
    "eip712.js",
    "envelope.js",
    "data.js",
    "claim.js",
    "statement.js",
    "merkle.js",
    "receipt.js",
    "cosigning.js",
    "replay.js",
    "policy.js",
    "checks.js",
    "verify.js",
    "archive.js",
    "words.js",
    "show.js",
    "main.js",
)
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./[a-z0-9]+\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(async )?function|const|class)", re.MULTILINE)


@router.get("/verify")
def verify_page(request: Request) -> Response:
    """Get the stand-alone verifier; its own policy is all that it needs."""
    headers = {"Content-Security-Policy": f"{policy()}; frame-ancestors 'none'"}
    return stored(request, standalone(), "text/html; charset=utf-8", PUBLIC, headers)


@router.get("/static/verify/{name}")
def verify_file(request: Request, name: str) -> Response:
    """Get one of the verifier's modules, or its style."""
    if name not in (*MODULES, STYLE):
        raise not_found("the verifier has no such file")
    return stored(request, _read(name), _TYPES[name[name.index(".") :]], PUBLIC)


@cache
def standalone() -> bytes:
    """The verifier as one HTML file, UTF-8: the same package gives the same bytes."""
    parts = {"POLICY": policy(), "STYLE": _style(), "SCRIPT": _script()}
    page = _read("page.html").decode()
    return re.sub("{{([A-Z]+)}}", lambda found: parts[found[1]], page).encode()


@cache
def policy() -> str:
    """The content security policy of the one file: its own style and script, by digest, and nothing else."""
    return (
        f"default-src 'none'; script-src '{_digest(_script())}'; style-src '{_digest(_style())}'; connect-src 'none'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _style() -> str:
    return "\n" + _read(STYLE).decode()


def _script() -> str:
    """All modules as one: in one file there is nothing to import from."""
    return "".join(f"\n// ---- {name}\n{_joined(_read(name).decode())}" for name in MODULES)


def _joined(module: str) -> str:
    return _EXPORT.sub("", _IMPORT.sub("", module))


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _read(name: str) -> bytes:
    return (files("telefine_assets.api.pages") / "static" / "verify" / name).read_bytes()
