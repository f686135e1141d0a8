"""What the site has beside its pages: the files of the repository's top.

MkDocs loads this file by its path and calls the functions that are named after its events.
"""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).resolve().parents[2]
_TOP = {"contributing.md": "CONTRIBUTING.md", "reporting.md": "SECURITY.md", "changes.md": "CHANGELOG.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files of the repository's top that readers look for."""
    for page, file in _TOP.items():
        text = (_ROOT / file).read_text(encoding="utf-8").replace("](docs/", "](")
        for other, name in _TOP.items():
            text = text.replace(f"]({name})", f"]({other})")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead to the files of the top as pages."""
    for name, file in _TOP.items():
        markdown = markdown.replace(f"](../{file})", f"]({name})")
    return markdown
