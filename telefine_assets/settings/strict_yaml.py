"""YAML that people write, read so that nothing in it is lost: a key that stands twice is a mistake.

YAML 1.2.2 (section 3.2.1.1) wants the keys of a mapping to be unique; PyYAML takes the last and says nothing.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"


class RepeatedKey(yaml.YAMLError):
    """A key stands twice in one mapping."""


class _UniqueKeys(yaml.SafeLoader):
    """PyYAML's safe loader, but for keys that stand twice. What `<<` merges in may be overridden, as ever."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._looked_at: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Look at the keys as they were written: merging adds those of others, and may come by several ways."""
        if id(node) not in self._looked_at:
            self._looked_at.add(id(node))
            self._require_unique(node)
        super().flatten_mapping(node)

    def _require_unique(self, node: yaml.MappingNode) -> None:
        lines: dict[Hashable, int] = {}
        for written, _ in node.value:
            key = written.value if written.tag == _MERGE else self.construct_object(written, deep=True)
            if not isinstance(key, Hashable):
                continue  # PyYAML refuses it, and says where it is
            line = written.start_mark.line + 1
            if key in lines:
                raise RepeatedKey(f"{key}: stands twice, in lines {lines[key]} and {line}: keep one of them")
            lines[key] = line


def load_yaml(text: str) -> Any:
    """What a YAML document says, in plain Python values.

    Raises:
        RepeatedKey: a key stands twice in one mapping; the message names it and both lines.
        yaml.YAMLError: it is not YAML.
    """
    # A subclass of the safe loader makes nothing but plain values.
    return yaml.load(text, Loader=_UniqueKeys)  # noqa: S506
