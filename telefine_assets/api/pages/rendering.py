"""A page: a template with its values, and the headers that keep it harmless."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from fastapi import Request
from starlette.responses import Response

from telefine_assets.api.answers import PRIVATE, stored
from telefine_assets.api.pages import static_files, words
from telefine_assets.api.security import Caller
from telefine_assets.attestation.standing_shown import STANDINGS, sentence_of
from telefine_assets.pages.page import named

if TYPE_CHECKING:
    from jinja2 import Environment

HTML = "text/html; charset=utf-8"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Authorization, Cookie",
}

# Whoever signs out leaves nothing behind.
SIGNED_IN = {name: HEADERS[name] for name in ("Vary", "Cross-Origin-Opener-Policy")} | {"Cache-Control": "no-store"}


def render(template: str, deployment: str, visitor: str | None, /, **values: Any) -> bytes:
    """A page's bytes; ``visitor`` says who is signed in."""
    made = _templates().get_template(f"{template}.html.j2")
    return made.render(deployment=deployment, visitor=visitor, **values).encode("utf-8", "replace")


def page(request: Request, caller: Caller, template: str, status: int = 200, /, **values: Any) -> Response:
    """A page as an answer; a browser keeps what everybody may see, and asks whether it is still so."""
    deployment: str = request.app.state.deployment.settings.deployment
    visitor = caller.key.holder if caller.key else None
    content = render(template, deployment, visitor, **values)
    if visitor is None and status == 200:
        return stored(request, content, HTML, PRIVATE, HEADERS)
    return Response(content, status, HEADERS | {"Cache-Control": "no-store"}, HTML)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("telefine_assets.api.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["static"] = static_files.address
    templates.filters["named"] = named
    # What belongs together stays on one line.
    templates.filters["tied"] = lambda text: text.replace(" %", "\u00a0%").replace(" pp", "\u00a0pp")
    for each in (words.long_day, words.short_day, words.moment, words.gain, words.at_least, words.share, words.size):
        templates.filters[each.__name__] = each
    templates.filters["sentence_of"] = sentence_of
    templates.filters["in_words"] = STANDINGS.__getitem__
    return templates
