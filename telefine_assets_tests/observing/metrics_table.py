"""The table of metrics in the guide, as what is exported makes it."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

GUIDE = Path(__file__).parents[2] / "docs" / "observing.md"
_SUFFIX = {"counter": "_total"}


def wanted(text):
    """Rows for Markdown, of what a server tells."""
    told = (each for each in text_string_to_metric_families(text) if each.name.startswith("telefine_"))
    # When a count began is no figure of its own.
    families = (each for each in told if not each.name.endswith("_created"))
    return [_row(each) for each in sorted(families, key=lambda each: each.name)]


def written():
    """The rows that the guide has."""
    return re.findall(r"^\| `telefine_.*$", GUIDE.read_text(), re.MULTILINE)


def _row(family):
    labels = sorted({label for sample in family.samples for label in sample.labels} - {"le", "version"})
    name = family.name + _SUFFIX.get(family.type, "")
    return f"| `{name}` | {family.type} | {', '.join(labels)} | {family.documentation} |"
