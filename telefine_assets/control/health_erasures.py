"""A check of what was erased: that it did not come back with a backup, and that verifiers are told so by a good key."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from telefine_assets.control.health import Broken, Check

if TYPE_CHECKING:
    from telefine_assets.attestation.trust import Trust
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.settings.schema import Settings
    from telefine_assets.store.files import Files

_CURE = "erase it again: telefine erase again"
_RESTATE = "the key leaked that said it: telefine erase restate"


def erasures(settings: Settings) -> str:
    """Nothing of what was erased stands in the ledger or the store, and what is gone is excused in the log."""
    from telefine_assets.keeping.erasure_list import came_back
    from telefine_assets.ledger.connection import Ledger
    from telefine_assets.ledger.erasures import Erasures
    from telefine_assets.resources.signing import SignerResource
    from telefine_assets.store.files import Files

    with closing(Ledger(settings.ledger.url)) as opened:
        files = Files(settings.store.uri)
        found = came_back(opened, files, settings.programs)
        erased = Erasures(opened).contributors()
        unexcused = _unexcused(opened, files, SignerResource.of(settings.signer, settings.deployment).trust(opened))
    if found.said:
        raise Broken("; ".join(found.said), _CURE)
    if unexcused:
        raise Broken(f"{len(unexcused)} files of evidence are gone that no word in the log excuses any more", _RESTATE)
    return f"the words of {len(erased)} contributors, and none of them came back" if erased else "none so far"


def _unexcused(ledger: Ledger, files: Files, trust: Trust) -> list[str]:
    from telefine_assets.keeping.restating import plan_restating
    from telefine_assets.store.evidence import EvidenceStore

    log, evidence = trust.log(), EvidenceStore(files)
    doubtful = (
        file
        for file, words in log.state.erased.items()
        if not any(log.policy.counts(word.signer, word.position) for word in words)
    )
    # Whether an attestation rests on them is only known from all of the evidence.
    if all(evidence.is_there(file) for file in doubtful):
        return []
    found = plan_restating(ledger, files, log)
    return [*found.again, *found.missing]


ERASURES = Check("erasures", erasures, _CURE, seconds=300)
