"""A home with two weeks of stored records, as the stages write them: the second reached DeltaOne."""

from __future__ import annotations

from dataclasses import replace

import pytest

from telefine_assets.attestation.standing import DayStanding, LogNow, standing_of_day
from telefine_assets.improvement.gathering import Gathered, Sources, gather
from telefine_assets.improvement.opening import sources_of
from telefine_assets.ledger.records import Spending, Work
from telefine_assets.ledger.spending import Spendings
from telefine_assets.programs.choosing import Standing
from telefine_assets.store.tables import TableStore
from telefine_assets.traces.cleaning.report import DropReport, by_contributor, drops_by_rule
from telefine_assets.traces.records import cleaned_to_table
from telefine_assets_tests.attribution.signing import trace
from telefine_assets_tests.cli import attested_home
from telefine_assets_tests.cli.attested_home import ALICE, BOB, PaidHome
from telefine_assets_tests.deltaone.rows import look, rows
from telefine_assets_tests.deltaone.told import RULES, record_of, story, tickets

PPM = 1_000_000
LAST, MISSING = "2026-11-15", "2026-11-11"
FAILED, REACHED = "2026-11-09", "2026-11-12"
HOSTILE = "<script>alert(1)</script>\r\nBcc: eve@example.org\n\u202eevil|`*"


def day_of(number: int) -> str:
    return f"2026-11-{number:02d}"


class TwoWeeks(PaidHome):
    """Its report is of ``LAST``."""

    def __init__(self, home) -> None:
        super().__init__(home)
        from telefine_assets.store.files import Files

        self.tables = TableStore(Files(self.settings.store.uri))

    def fill(self) -> TwoWeeks:
        """All that happened."""
        for number in range(2, 16):
            if day_of(number) != MISSING:
                # From the ninth on fewer answers are good, and more traces come.
                good = 3 if number < 9 else 2
                self.clean(day_of(number), [PPM if at % 4 < good else 0 for at in range(40 + number * 4)])
        self.compile("2026-11-04", None)
        self.compile(FAILED, "c" * 64)
        self.compile(REACHED, "c" * 64)
        self.look(FAILED, tickets(30, 33, 420, 0))
        self.look(REACHED, None)
        self.spend("2026-11-04", "compiled_programs", 900, 1_200_000)
        self.spend(FAILED, "compiled_programs", 1_200, 2_345_678)
        self.spend(REACHED, "compiled_programs", 300, 500_000)
        self.spend(REACHED, "deltaone_reports", 928, 1_000_000)
        self.weigh(REACHED, {ALICE: 600_000, BOB: 150_000}, escrow=250_000)
        with pytest.MonkeyPatch.context() as patched:
            # What is attested is what the report of the day says.
            patched.setattr(attested_home, "rows", lambda *_: rows(61, 23, 380))
            self.attest(REACHED, [ALICE, BOB, None])
        self.pay(REACHED)
        return self

    def clean(
        self,
        day: str,
        scores: list[int | None],
        rules: tuple[str, ...] = ("failed", "failed", "failed", "raters_disagree"),
        who=ALICE,
    ) -> None:
        """Record a cleaned day: its usable traces with their scores, and the rules that dropped the others."""
        kept = [
            trace(at, f"asked {at}", (who, BOB)[at % 3 == 0], day=day, score_ppm=score, split=_split(at))
            for at, score in enumerate(scores)
        ]
        self.tables.write("triage", "cleaned_traces", day, cleaned_to_table(kept))
        ids = [*(each.trace_id for each in kept), *(f"dropped-{at}" for at in range(len(rules)))]
        found = [*(None for _ in kept), *rules]
        givers = [*(each.contributor for each in kept), *(None for _ in rules)]
        report = DropReport(
            **drops_by_rule(ids, found),
            audit={},
            careless=(),
            values_ignored={},
            values_clipped={},
            scales=(),
            flagged={},
            outliers={},
            balance=None,
            splits={},
            contributors=by_contributor(givers, found),
        )
        record = report.to_record()
        del record["drops"]
        self.records.write("triage", "cleaned_traces", day, record)

    def compile(self, day: str, candidate: str | None, name: str = "few_shot", error: str | None = None) -> None:
        """Record a compile with three contenders."""
        standings = [
            Standing("baseline", 2, 74_000_000, 100, None, None, None),
            Standing(name, 8, 81_250_000, 100, 900_000, None, None),
            Standing("copro", 0, 0, 0, None, None, error or "TimeoutError: the server did not answer"),
        ]
        record = {
            "outcome": "candidate" if candidate else "baseline_kept",
            "reason": f"{name} won on validation" if candidate else "no contender beat the baseline beyond noise",
            "baseline": "b" * 64,
            "candidate": candidate,
            "winner": name if candidate else "baseline",
            "standings": [each.to_record() for each in standings],
            "demos": [{"contributor": who} for who in (ALICE, ALICE, BOB, None)] if candidate else [],
        }
        self.records.write("triage", "compiled_programs", day, record)

    def weigh(self, day: str, lines: dict[str, int], escrow: int) -> None:
        """Record the weights of a day's candidate."""
        table = {
            "lines": [{"address": who, "weight_ppm": ppm} for who, ppm in lines.items()],
            "escrow": [{"reason": "missing", "weight_ppm": escrow}],
        }
        self.records.write("triage", "contributor_weights", day, {"weights": table})

    def look(self, day: str, items) -> None:
        """Record a comparison; of ``tickets()`` it reaches DeltaOne."""
        if items is None:
            record, _, _ = story()
        else:
            from telefine_assets.deltaone.decision import decide

            record = record_of(decide(items, replace(RULES, guardrails=()), look(3)))
        self.records.write("triage", "deltaone_reports", day, record)

    def spend(self, day: str, stage: str, calls: int, cost_micros: int | None, tokens: int | None = 250_000) -> None:
        """Tell the ledger what a stage asked."""
        work = Work("triage", stage, day, "run")
        Spendings(self.ledger).add(Spending(work, calls, calls // 10, tokens, cost_micros, 95_000))

    def sources(self) -> Sources:
        """Where a report reads."""
        now = LogNow.of(self.trust(), self.ledger)

        def standing(day: str) -> DayStanding:
            return standing_of_day(self.records, "triage", day, now, self.evidence.get)

        return sources_of("triage", self.records, self.tables, self.ledger, standing)

    def gathered(self, day: str = LAST, days: int = 7, sources: Sources | None = None) -> Gathered:
        """What a report of ``day`` rests on."""
        sources, own = sources or self.sources(), self.settings.programs["triage"]
        return gather("triage", own.description, own.metric.label, day, days, self.settings.partitions.start, sources)


def _split(at: int) -> str:
    return ("train", "train", "validation", "holdout")[at % 4 if at % 8 < 4 else 0]
