"""The references in the pages, made from the code, so that the repository and the site show the same.

``make site`` writes them. They stand between two comments; what is around them is written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import api_reference
import settings_reference

ROOT = Path(__file__).resolve().parents[2]
_PLACE = re.compile(
    r"(?<=<!-- made from the code by `make site`: edit nothing below -->\n\n).*(?=\n<!-- until here -->)", re.S
)


def pages() -> dict[Path, str]:
    """Each page that holds a reference, with the text that it should have."""
    return {path: _filled(path, made()) for path, made in _MADE.items()}


def _filled(path: Path, reference: str) -> str:
    text, places = _PLACE.subn(lambda _: reference, path.read_text(encoding="utf-8"))
    if places != 1:
        raise ValueError(f"{path}: the two comments around the reference are gone")
    return text


def _settings() -> str:
    from telefine_assets.settings.schema import Settings

    return settings_reference.markdown(Settings.model_json_schema())


def _api() -> str:
    from telefine_assets.api.app import make_app
    from telefine_assets.settings.loading import load_settings

    with TemporaryDirectory() as folder:
        settings_file = Path(folder) / "telefine.yaml"
        settings_file.write_bytes((ROOT / "telefine.yaml").read_bytes())
        # To describe itself the application asks neither Dagster, nor the clock, nor the signer.
        app = make_app(load_settings(settings_file), *cast(Any, (None, None, None)))
        return api_reference.markdown(app.openapi())


_MADE: dict[Path, Callable[[], str]] = {
    ROOT / "docs" / "configuration.md": _settings,
    ROOT / "docs" / "api-reference.md": _api,
}

if __name__ == "__main__":
    for page, written in pages().items():
        page.write_text(written, encoding="utf-8")
