"""The guide to troubleshooting quotes messages that Telefine really says, word by word."""

import ast
import re
from functools import cache

from telefine_assets_tests.test_docs import ROOT, blocks

GUIDE = ROOT / "docs" / "troubleshooting.md"
GAP = "\0"


@cache
def said_in_source() -> str:
    """Every text of the source, with gaps where an f-string holds a value."""
    texts = []
    for path in sorted((ROOT / "telefine_assets").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                texts.append(
                    "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
    return "\n".join(re.sub(r"<[^<>\s]+>", GAP, text) for text in texts)


def quoted() -> list[str]:
    return [line for block in blocks(GUIDE, "text") for line in block.splitlines()]


def test_every_message_that_is_quoted_stands_in_the_source():
    assert len(quoted()) > 40
    missing = [line for line in quoted() if re.sub(r"<[^<>]+>", GAP, line) not in said_in_source()]
    assert missing == []
