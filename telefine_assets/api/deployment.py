"""What the API answers from: one deployment, opened once for all requests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from fastapi import Request

from telefine_assets.api.limits import Buckets, Places
from telefine_assets.api.problems import Problem
from telefine_assets.api.stored import Kept, KeptRecords
from telefine_assets.control.records import Control
from telefine_assets.ledger.api_keys import ApiKeys
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.cosignatures import Cosignatures
from telefine_assets.ledger.erasures import EVIDENCE, Erasures
from telefine_assets.ledger.log import LogLeaves
from telefine_assets.ledger.records import AuditEntry
from telefine_assets.observing.observer import Observer
from telefine_assets.settings.schema import Settings
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files

if TYPE_CHECKING:
    from telefine_assets.attestation.signatures import Signer
    from telefine_assets.attestation.snapshot import CheckedLog
    from telefine_assets.attestation.trust import Trust
    from telefine_assets.programs.catalogue import Catalogue
    from telefine_assets.programs.versions import Version

Clock = Callable[[], datetime]
"""Now, with a time zone."""


class Deployment:
    """Store, ledger and Dagster of one deployment, with the limits of those who ask."""

    def __init__(self, settings: Settings, control: Control, clock: Clock, signer: Callable[[], Signer]) -> None:
        """Open the ledger; ``signer`` opens the key that signs the log's heads, when the first one is asked for.

        Raises:
            LedgerError: when the ledger cannot be opened.
            MissingExtra: when ``observing`` asks for what is not installed.
        """
        self.settings, self.control, self.clock = settings, control, clock
        self.files = Files(settings.store.uri)
        self.records, self.evidence = KeptRecords(self.files), EvidenceStore(self.files)
        self.ledger = Ledger(settings.ledger.url)
        self.keys, self.champions, self.leaves = ApiKeys(self.ledger), Champions(self.ledger), LogLeaves(self.ledger)
        own = settings.api
        self.callers = Buckets(own.requests_per_second, own.requests_burst)
        self.strangers = Buckets(own.anonymous_per_minute / 60, own.anonymous_burst)
        # What all share, and what callers name: none of them can push out what the others need.
        self.kept, self.asked_for = Kept(2_000), Kept(500)
        self.verifying, self.following = BoundedSemaphore(1), Places(own.max_followers)
        self._open_signer = signer
        self.observer = Observer.of(settings).opened()

    @cached_property
    def signer(self) -> Signer:
        """The key that signs the log's heads.

        Raises:
            TelefineError: the settings name no usable key.
        """
        return self._open_signer()

    def audit(self, actor: str, action: str, subject: str, **details: object) -> None:
        """Write down what somebody is about to do.

        Raises:
            LedgerError: it cannot be written, and so must not be done.
        """
        Audit(self.ledger).append(AuditEntry(actor, action, subject, details), self.clock())

    def require_unerased(self, digest: str) -> None:
        """Say of evidence that is gone at a person's request that it is.

        Raises:
            Problem: 410.
        """
        if not self.files.exists(EvidenceStore.name(digest)) and digest in Erasures(self.ledger).names(EVIDENCE):
            raise Problem(
                410,
                "erased",
                f"evidence {digest} was erased at the request of a person whose words were in it; what is left "
                "of an attestation is handed on by the operator: telefine evidence export",
            )

    def trust(self) -> Trust:
        """Whom the deployment trusts, by its own log."""
        from telefine_assets.attestation.eas import EasDomain
        from telefine_assets.attestation.trust import Trust

        own = self.settings.signer
        domain = EasDomain(own.eas_version, own.chain_id, own.eas_contract)
        kept, attesters = Cosignatures(self.ledger), frozenset(own.attesters)
        return Trust(domain, self.settings.deployment, self.leaves, kept, own.required, attesters)

    def log(self) -> CheckedLog:
        """The log as it stands; replayed once for each size, since its leaves never change."""
        return self.kept.get("log", self.leaves.size(), self.trust().log)

    def catalogue(self, program: str) -> Catalogue:
        """The versions of a program.

        Raises:
            ProgramError: when the program's own code cannot be imported.
        """
        from telefine_assets.programs.catalogue import Catalogue

        first, history = self._first(program), self.champions.history(program)
        return Catalogue(program, first, self.records, history, self.evidence.find, self.evidence.get)

    def _first(self, program: str) -> Version:
        from telefine_assets.lm.opening import identity_of
        from telefine_assets.programs.spec import load_spec
        from telefine_assets.programs.versions import first_version

        def made() -> Version:
            own = self.settings.program(program)
            return first_version(load_spec(program, own), identity_of(self.settings.lm))

        return self.kept.get(("first", program), "code", made)


async def deployment(request: Request) -> Deployment:
    """The deployment that a request is about."""
    here: Deployment = request.app.state.deployment
    return here
