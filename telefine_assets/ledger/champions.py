"""Which version of a program serves, and since which day."""

from __future__ import annotations

from sqlalchemy import insert, select

from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.records import Champion
from telefine_assets.ledger.schema import champions


class Champions:
    """Promotions of all programs."""

    def __init__(self, ledger: Ledger) -> None:
        """Use ``ledger``."""
        self._ledger = ledger

    def before(self, program: str, day: str) -> Champion | None:
        """The champion that served during ``day``: promoted on an earlier one. None: the first version.

        Days decide, not the order of runs, so that running an old day again
        compares against what served then.
        """
        return self._latest(select(champions).where(champions.c.program == program, champions.c.day < day))

    def current(self, program: str) -> Champion | None:
        """The champion that serves now. None: the first version."""
        return self._latest(select(champions).where(champions.c.program == program))

    def of(self, attestation: str) -> Champion | None:
        """The promotion that an attestation brought about, or None."""
        return self._latest(select(champions).where(champions.c.attestation == attestation))

    def promote(self, champion: Champion) -> None:
        """Record a promotion; the same promotion again changes nothing.

        Raises:
            LedgerError: when the attestation already promoted something else, or
                a later day's candidate serves already.
        """
        with self._ledger.writing() as connection:
            row = (
                connection.execute(select(champions).where(champions.c.attestation == champion.attestation))
                .mappings()
                .first()
            )
            if row is None:
                later = select(champions.c.day).where(
                    champions.c.program == champion.program, champions.c.day >= champion.day
                )
                day = connection.scalar(later.limit(1))
                if day is not None:
                    raise LedgerError(
                        f"{champion.program}: the candidate of {day} serves already; {champion.day} comes too late"
                    )
                connection.execute(insert(champions).values(**vars(champion)))
            elif any(row[key] != value for key, value in vars(champion).items()):
                raise LedgerError(f"attestation {champion.attestation} already promoted {row['version']}")

    def _latest(self, query) -> Champion | None:  # type: ignore[no-untyped-def]
        with self._ledger.reading() as connection:
            row = (
                connection.execute(query.order_by(champions.c.day.desc(), champions.c.seq.desc()).limit(1))
                .mappings()
                .first()
            )
        return Champion(**{key: row[key] for key in Champion.__dataclass_fields__}) if row else None
