"""A deployment in which looks are taken, for the tests: real ledger, evidence and programs, a stand-in model."""

import json
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from telefine_assets.deltaone.bench import Bench
from telefine_assets.deltaone.day import record_day, report_day
from telefine_assets.ledger.answers import Answers
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.looks import Looks
from telefine_assets.lm.opening import open_lm
from telefine_assets.programs.state import dump_state
from telefine_assets.programs.versions import first_version, make_version
from telefine_assets.settings.deltaone import DeltaOneSettings
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets_tests.knn_lm import KnnLm, lm_settings
from telefine_assets_tests.programs.examples import KEY, cleaned_tickets, items, tickets_spec

SPEC = tickets_spec()
MONDAY, TUESDAY, WEDNESDAY = "2026-11-16", "2026-11-17", "2026-11-18"
CLEANED = cleaned_tickets(110)
MORE = cleaned_tickets(110, start=1000)
FEW = {"min_items": 25, "min_power_ppm": 0, "max_unresolved_ppm": 50_000}
"""So few items are enough because candidates are so much better, or worse."""
SETTINGS = DeltaOneSettings(**FEW)
WORSE = {"demos": 1, "seed": 3}
"""A candidate that is worse than the baseline."""


@dataclass
class House:
    """A deployment's ledger, evidence and model; every ``bench`` opens them as a new process would."""

    folder: Path
    knn: KnnLm
    settings: DeltaOneSettings = SETTINGS
    said: list[str] = field(default_factory=list)

    @property
    def evidence(self):
        return EvidenceStore(Files(str(self.folder / "store")))

    @contextmanager
    def bench(self, spec=SPEC, **changes):
        ledger = Ledger(f"sqlite:///{self.folder / 'ledger.db'}")
        try:
            with open_lm(lm_settings(self.knn, **changes), Answers(ledger)) as lm:
                evidence = self.evidence
                yield Bench(spec, self.settings, Looks(ledger), evidence.put, evidence.get, lm, self.said.append, KEY)
        finally:
            ledger.close()

    def compiled(self, demos=16, seed=0, spec=SPEC):
        """The record of a compile whose candidate has so many labelled demos; None: no candidate."""
        with self.bench(spec) as bench:
            first = first_version(spec, bench.lm.identity)
            record = {"baseline": bench.put(first.document), "candidate": None, "reason": "nothing beat the baseline"}
            if demos is not None:
                module = spec.build()
                module.sort.demos = [item.example() for item in items(demos, 5000 + 100 * seed)]
                better = make_version(spec, dump_state(module), {"strategy": "test"}, "", bench.lm.identity)
                record["candidate"] = bench.put(better.document)
            return record

    def record(self, day=MONDAY, cleaned=CLEANED, compiled=None, spec=SPEC, **changes):
        """What the day's stage stores."""
        compiled = compiled or self.compiled(spec=spec)
        with self.bench(spec, **changes) as bench:
            return record_day(bench, day, compiled, cleaned)

    def report(self, day=MONDAY, cleaned=CLEANED, compiled=None, spec=SPEC, **changes):
        """The same with its pages, which take a while to draw."""
        compiled = compiled or self.compiled(spec=spec)
        with self.bench(spec, **changes) as bench:
            return report_day(bench, day, compiled, cleaned)

    def looks(self):
        """Every look in the ledger, as (day, epoch, k or None, the items' clusters)."""
        with sqlite3.connect(self.folder / "ledger.db") as database:
            rows = database.execute(
                "select day, looks.epoch, k, item_list from looks left join look_numbers using (look_key) order by seq"
            ).fetchall()
        return [(day, epoch, k, json.loads(self.evidence.get(listed))) for day, epoch, k, listed in rows]

    def rows(self, record, name="rows.jsonl"):
        """A record's per-item results."""
        return [json.loads(line) for line in self.evidence.get(record["evidence"][name]).splitlines()]
