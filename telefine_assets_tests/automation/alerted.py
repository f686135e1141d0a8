"""A deployment of one program with alerts, whose store and ledger a test fills by hand."""

import time
from datetime import UTC, datetime, timedelta

import dagster as dg
import pyarrow as pa
import yaml

from telefine_assets.automation.alerting import NAME
from telefine_assets.definitions import build_defs
from telefine_assets.ledger.alerts import Alerts
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.looks import Looks
from telefine_assets.ledger.payouts import Payouts
from telefine_assets.ledger.records import Promotion, Token
from telefine_assets.settings.loading import load_settings
from telefine_assets.traces.records import cleaned_schema
from telefine_assets_tests.alerts.receiver import SECRET
from telefine_assets_tests.ledger.workers import take
from telefine_assets_tests.small_settings import smallest

TODAY = datetime.fromtimestamp(time.time(), UTC).date()
CLEANED = dg.AssetKey(["tickets", "cleaned_traces"])
_TYPES = {pa.string(): "", pa.int64(): 0}


def back(days: int) -> str:
    """The day so many days ago."""
    return (TODAY - timedelta(days=days)).isoformat()


class Alerted:
    """A deployment with one webhook, ``ops``."""

    def __init__(self, folder, receiver, monkeypatch, automation=None, **alerts) -> None:
        values = smallest() | {"deployment": "shop", "partitions": {"start": back(200)}, "automation": automation or {}}
        channels = {"ops": {"kind": "webhook"}}
        values["alerts"] = {"enabled": True, "channels": channels, "first_pause_seconds": 200} | alerts
        values["programs"]["tickets"]["module"] = "telefine_assets_tests.programs.tickets:build"
        (folder / "telefine.yaml").write_text(yaml.safe_dump(values))
        monkeypatch.setenv("TELEFINE_ALERTS__CHANNELS__OPS__URL", receiver.url)
        monkeypatch.setenv("TELEFINE_ALERTS__CHANNELS__OPS__SECRET", SECRET)
        self.settings = load_settings(folder / "telefine.yaml")
        self.defs = build_defs(self.settings)
        self.store, self.ledger = (self.defs.resources[name] for name in ("store", "ledger"))
        self.book = Alerts(self.ledger.open())

    def tick(self, instance, cursor=None):
        """One tick of the sensor, as the daemon evaluates it."""
        resources = {"store": self.store, "ledger": self.ledger}
        context = dg.build_sensor_context(instance=instance, cursor=cursor, definitions=self.defs, resources=resources)
        return self.defs.resolve_sensor_def(NAME).evaluate_tick(context)

    def told(self) -> list[str]:
        """Keys of all alerts that are in the ledger for a channel, oldest first."""
        found = reversed(self.book.latest(10_000))
        return [each.alert.key for each in found if self.book.deliveries(each.alert.key)]

    def promote(self, number: int) -> None:
        """Another version serves."""
        day = back(100 - number)
        promotion = Promotion("tickets", day, f"v{number}", f"v{number - 1}", f"0x{number}")
        Champions(self.ledger.open()).promote(promotion, datetime.now(UTC))

    def pay(self, number: int) -> None:
        """A payout for the gain of that version."""
        Payouts(self.ledger.open()).record(
            attestation=f"0x{number}", program="tickets", day=back(100 - number), pool=70, plan="p",
            token=Token("TOKEN", 18), lines={"0xA": 70},
        )  # fmt: skip

    def reach(self, key: str, reached: bool) -> None:
        """A look that ends."""
        looks = Looks(self.ledger.open())
        take(looks, key)
        looks.conclude(key, reached, "report")

    def clean(self, instance, day: str, traces: int, dropped: int = 0, score_ppm: int = 900_000) -> None:
        """A day as cleaning leaves it."""
        kept = traces - dropped
        record = {"traces_in": traces, "kept": kept, "dropped": {"no_outcome": dropped} if dropped else {}}
        self.store.records.write("tickets", "cleaned_traces", day, record)
        schema = cleaned_schema()
        columns = [
            pa.array([score_ppm if each.name == "score_ppm" else _TYPES[each.type]] * kept, each.type)
            for each in schema
        ]
        self.store.tables.write("tickets", "cleaned_traces", day, pa.table(columns, schema=schema))
        if instance is not None:
            instance.report_runless_asset_event(dg.AssetMaterialization(CLEANED, partition=day))


def check_that(passes: bool, *, blocking: bool = True):
    """A stage with one check, to be materialised."""

    @dg.asset(key=CLEANED, partitions_def=dg.DailyPartitionsDefinition(back(200)))
    def cleaned_traces():
        pass

    @dg.asset_check(asset=cleaned_traces, blocking=blocking)
    def nothing_is_odd():
        problems = dg.MetadataValue.table(
            [dg.TableRecord({"day": back(1), "problem": f"trace {each} is odd"}) for each in range(7)]
        )
        severity = dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN
        return dg.AssetCheckResult(passed=passes, severity=severity, metadata={"problems": problems})

    return [cleaned_traces, nothing_is_odd]


def run(instance, *made, day):
    """A run of it on a day."""
    return dg.materialize([*made], instance=instance, partition_key=day, raise_on_error=False)
