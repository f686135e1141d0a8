"""Refuse files that look as if they held a secret: a hook of pre-commit, and a test over the whole repository.

A line that must look so (the key of a test, which guards nothing) says ``no secret`` in a comment.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_NAMED = r"(?:api_?key|secret|password|passwd|token|private_?key)"
_KINDS = {
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "an AWS key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36}\b",
    "a key of a language model's service": r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}\b",
    "a Slack token": r"\bxox[abposr]-[A-Za-z0-9-]{10,}\b",
    "an Ethereum private key": rf"(?i){_NAMED}['\"]?\s*[:=]\s*['\"]?0x[0-9a-f]{{64}}\b",
    "a value under a secret's name": rf"(?im)^[A-Z0-9_]*{_NAMED}[A-Z0-9_]*=(?!\$|['\"]?\$)['\"]?[A-Za-z0-9+/_-]{{16,}}",
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _KINDS.items()}
_NO_SOURCE = (".env", "telefine.env", "attester.json", "attester.password")


def found_in(path: Path) -> Iterator[str]:
    """What is suspicious in a file, one line for each; the secret itself is not repeated."""
    if path.name in _NO_SOURCE:
        yield f"{path}: holds keys by its name, and belongs in no repository"
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    for kind, pattern in _PATTERNS.items():
        for match in pattern.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if "no secret" not in text.splitlines()[line - 1]:
                yield f"{path}:{line}: looks like {kind}"


def main(names: Iterable[str]) -> int:
    """Print what is suspicious; 1 if anything is."""
    found = [said for name in names for said in found_in(Path(name))]
    print(*found, sep="\n", end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
