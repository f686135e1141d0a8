"""Content clusters and the splits that hang on them."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from typing import Any

from telefine_assets.canonical import canonical_json, digest_of
from telefine_assets.traces.clustering.shingles import SEPARATOR
from telefine_assets.traces.invisible import visible
from telefine_assets.traces.records import Split


def normalised(value: Any) -> Any:
    """Fold what does not change the meaning of an input: Unicode form, case, white space and what nobody sees.

    Names are folded as texts are, unless two of one object would be the same then.
    """
    if isinstance(value, str):
        # Left out first: between a letter and its accent an invisible character keeps them apart.
        return " ".join(unicodedata.normalize("NFKC", visible(value)).casefold().split())
    if isinstance(value, dict):
        names = [str(key) for key in value]
        folded = [normalised(name) for name in names]
        distinct = len(set(folded)) == len(names)
        return dict(zip(folded if distinct else names, map(normalised, value.values()), strict=True))
    if isinstance(value, list):
        return [normalised(item) for item in value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) >= 2**53):
        return repr(value)
    return value


def cluster_of(inputs: dict[str, Any]) -> str:
    """The content cluster of a trace: SHA-256 of its normalised inputs."""
    return digest_of(normalised(inputs))


def text_of(inputs: dict[str, Any]) -> str:
    """The normalised inputs as one text, in which near-copies can be looked for.

    The values stand in the order of their fields' names, with ``SEPARATOR``
    between them, which no value contains. What is not a string is canonical
    JSON.
    """
    values = normalised(inputs)
    texts = (value if isinstance(value, str) else canonical_json(value).decode() for _, value in sorted(values.items()))
    return SEPARATOR.join(texts)


def split_of(group: str, key: str, validation_percent: int, holdout_percent: int) -> Split:
    """The side on which a group stands, now and for ever.

    HMAC-SHA-256 keyed with the deployment's ``key``: nobody who lacks it can
    word an input so that it lands in train. Neither row order, nor the day,
    nor the other groups matter. See ``clustering.assigning`` for what a group
    is.
    """
    mac = hmac.new(key.encode(), bytes.fromhex(group), hashlib.sha256).digest()
    bucket = int.from_bytes(mac, "big") % 10_000
    if bucket < holdout_percent * 100:
        return "holdout"
    return "validation" if bucket < (holdout_percent + validation_percent) * 100 else "train"
