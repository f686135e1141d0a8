"""Near-copies of texts, told as the cluster index tells them (see ``traces.clustering``), every pair compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from telefine_assets.settings.traces import NearDuplicateSettings
from telefine_assets.traces.clustering.signatures import least_equal, least_similarity, signatures_of


class Alike:
    """Texts of which near-copies can be looked for; none is found where ``settings`` switch that off."""

    def __init__(self, texts: Iterable[str], settings: NearDuplicateSettings) -> None:
        """Sign the texts, which are normalised (see ``clusters.text_of``)."""
        self._similarity = least_similarity(settings.similarity_percent)
        self._least = least_equal(settings.similarity_percent)
        signed = signatures_of(sorted(set(texts)) if settings.enabled else (), self._similarity)
        self._rows = signed.rows[: signed.texts]

    def among(self, texts: Sequence[str]) -> set[str]:
        """Those of ``texts`` that have a near-copy here."""
        if not texts or not len(self._rows):
            return set()
        asked = signatures_of(texts, self._similarity)
        return {texts[at] for row, at in zip(asked.rows, asked.owners, strict=True) if self._has(row)}

    def _has(self, row: Any) -> bool:
        return bool((self._rows == row).sum(axis=1).max() >= self._least)
