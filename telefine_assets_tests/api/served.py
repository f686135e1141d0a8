"""A deployment with an attested and paid day, behind the API, with a clock that tests move."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import shake_128
from itertools import count

import pytest
import yaml
from starlette.testclient import TestClient

from telefine_assets.api.app import make_app
from telefine_assets.canonical import canonical_json, canonical_lines
from telefine_assets.ledger.api_keys import ApiKeys, NewKey, scopes_named
from telefine_assets.settings.loading import load_settings
from telefine_assets.settings.schema import Settings
from telefine_assets_tests.api.fake_control import FakeControl
from telefine_assets_tests.attribution.trail_home import Home
from telefine_assets_tests.cli import attested_home
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, SIGNER, TUESDAY, PaidHome
from telefine_assets_tests.deltaone.rows import look
from telefine_assets_tests.deltaone.told import no_look, story

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BUILT = attested_home.SETTINGS.replace("nowhere.to:be_found", "telefine_assets_tests.programs.tickets:build")


class Served:
    """The API of a home, without a server: requests go straight to it."""

    def __init__(self, settings: Settings, **api: object) -> None:
        generous = {"requests_burst": 10_000, "anonymous_burst": 10_000}
        own = settings.api.model_copy(update=generous | api)
        self.settings = settings.model_copy(update={"api": own})
        self.control, self.now, self._numbers = FakeControl(), NOW, count(1)
        self.app = make_app(self.settings, self.control, lambda: self.now, lambda: SIGNER)
        self.here = self.app.state.deployment
        self.client = TestClient(self.app, raise_server_exceptions=True)

    def key(self, *scopes: str, days: int | None = None) -> str:
        """A new key."""
        expires = self.now + timedelta(days=days) if days else None
        random = shake_128(b"%d" % next(self._numbers)).digest(40)
        return ApiKeys(self.here.ledger).create(NewKey("a test", scopes_named(scopes), expires), random, "me", NOW)[1]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def lenient(self) -> TestClient:
        """A client that gets the answer where the server has a defect."""
        return TestClient(self.app, raise_server_exceptions=False)

    def get(self, path: str, key: str | None = None, **headers: str):
        return self.client.get(path, headers=self.headers(key) | headers)

    def post(self, path: str, key: str | None = None, body: object = None):
        return self.client.post(path, headers=self.headers(key), json=body)

    @staticmethod
    def headers(key: str | None) -> dict[str, str]:
        return {} if key is None else {"Authorization": f"Bearer {key}"}


def paid_home(folder, days: Sequence[str] = (MONDAY, TUESDAY)) -> PaidHome:
    """Days that are attested; Monday is paid, has traces of Alice and Bob, and a report."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(attested_home, "SETTINGS", BUILT)
        made = PaidHome(folder)
    for day in days:
        made.attest(day, [ALICE, "carol.eth"])
    made.pay(MONDAY)
    told, trace = Home(made.settings.store.uri), f"tr-{MONDAY}-0"
    told.trace(trace, ALICE, content="x")
    told.trace("tr-other", ALICE, rule="unlabelled")
    told.trace("tr-copy", BOB, TUESDAY, content="x")
    told.weigh(MONDAY, [(trace, "x")], [(ALICE, 500_000, ["x"])], [("ens_name", 500_000, ["y"])])
    told.write()
    weighed = made.records.read("triage", "compiled_programs", MONDAY)
    compiled = {"baseline": "b" * 64, "winner": "one", "standings": [{"name": "one", "mean_ppm": 900_000}]}
    made.records.write("triage", "compiled_programs", MONDAY, weighed | compiled)
    counts = {"given": 2, "kept": 1, "dropped": {"unlabelled": 1}}
    told.record("cleaned_traces", MONDAY, contributors={ALICE: counts})
    report(made)
    return made


def report(home: PaidHome) -> None:
    """Monday's report reached DeltaOne; on Tuesday there was no look."""
    record, decision, context = story()
    documents = {
        "report.json": canonical_json(
            {"decision": decision.to_record(), "rules": context.rules.to_record(), "look": look(3).to_record()}
        ),
        "rows.jsonl": canonical_lines(row.to_record() for row in context.items),
    }
    evidence = {name: home.evidence.put(document) for name, document in documents.items()}
    home.records.write("triage", "deltaone_reports", MONDAY, {**record, "evidence": evidence})
    home.records.write("triage", "deltaone_reports", TUESDAY, no_look(sentence="There is no candidate."))


def small_home(folder) -> Settings:
    """The settings of a deployment in which nothing has happened."""
    folder.mkdir(exist_ok=True)
    (folder / "telefine.yaml").write_text(yaml.safe_dump(yaml.safe_load(BUILT)))
    return load_settings(folder / "telefine.yaml")
