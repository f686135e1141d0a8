"""A page as one HTML file that needs nothing else: no script, no address, no font, no clock."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any

from telefine_assets.pages.page import Code, Page

if TYPE_CHECKING:
    from jinja2 import Environment


def html(page: Page) -> bytes:
    """Write a page as UTF-8 HTML. The same page gives the same bytes."""
    return rendered("page.html.j2", page=page)


def rendered(template: str, **values: Any) -> bytes:
    """Write what a template makes of ``values`` as UTF-8; every text in them is escaped."""
    return _templates().get_template(template).render(**values).encode()


def noted(page: bytes, notes: Sequence[str]) -> bytes:
    """A stored page with notes at its top: what was said since it was made. Without any, its bytes as they are."""
    if not notes:
        return page
    lines = "".join(f'<p role="note"><strong>Since this was made:</strong> {escape(note)}</p>\n' for note in notes)
    return page.replace(b"<main>\n", b"<main>\n" + lines.encode(), 1)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("telefine_assets.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["data"] = lambda png: "data:image/png;base64," + base64.b64encode(png).decode()
    templates.filters["share"] = lambda ppm: f"{ppm / 10_000:.2f}"
    templates.filters["kind"] = lambda block: type(block).__name__.lower()
    templates.filters["tied"] = lambda text: text.replace(" %", "\u00a0%").replace(" pp", "\u00a0pp")
    templates.tests["code"] = lambda text: isinstance(text, Code)
    return templates
