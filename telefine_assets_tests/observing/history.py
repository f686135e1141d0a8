"""A deployment with a small real history of everything that metrics tell of, and its API on a port."""

import threading
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import dagster as dg
import httpx
import pytest
import uvicorn
import yaml
from dagster._daemon.types import DaemonHeartbeat
from sqlalchemy import insert

from telefine_assets.api.app import make_app
from telefine_assets.control.driver import DagsterControl
from telefine_assets.control.instance import open_instance
from telefine_assets.definitions import build_defs
from telefine_assets.ledger.api_keys import ApiKeys, NewKey, scopes_named
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.schema import look_numbers
from telefine_assets.ledger.spool import Spool
from telefine_assets.partitions import bounds_ms
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.api import served
from telefine_assets_tests.automation.ticking import ticked
from telefine_assets_tests.cli.attested_home import MONDAY, SIGNER
from telefine_assets_tests.knn_lm import MODEL
from telefine_assets_tests.ledger.spooling import batch, offer
from telefine_assets_tests.traces.mlflow_store import copy_store, fill

PROGRAM = "tickets"
STAGES = ("traces", "cleaned_traces", "compiled_programs")
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TICKETS = {
    "module": "telefine_assets_tests.programs.tickets:build",
    "experiment": "tickets",
    "cleaning": {
        "outcomes": [{"feedback": "resolved", "kind": "boolean"}],
        "expectations": {"team": "right_team"},
    },
    "split": {"key": "test"},
    "compile": {
        "lookback_days": 1,
        "min_train": 10,
        "min_validation": 5,
        "strategies": [{"strategy": "labeled_few_shot"}],
    },
}


def prepared(folder, template, api_base, receiver):
    """A deployment in ``folder`` of two programs: one is paid, the other has traces in MLflow and a model."""
    values = yaml.safe_load(served.BUILT)
    values["lm"] = {"model": MODEL, "api_base": api_base, "adapter": "plain", "max_tokens": 8}
    values["programs"][PROGRAM] = TICKETS
    values["observing"] = {"otlp_endpoint": receiver.base}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(served, "BUILT", yaml.safe_dump(values))
        served.paid_home(folder)
    settings = load_settings(folder / "telefine.yaml")
    fill(copy_store(template, settings.home), 150, bounds_ms(MONDAY)[0])
    return settings


def let_happen(settings):
    """What no run of the API's does: traces are handed in, a look is taken, ticks tick, a stage fails."""
    now = time.time()
    with closing(Ledger(settings.ledger.url)) as ledger, open_instance(settings) as instance:
        assert not fails(build_defs(settings), instance).success
        spool = Spool(ledger)
        spool.accept(batch(*(offer(f"{each}") for each in range(3)), program=PROGRAM), round(now * 1000) - 60_000)
        with ledger.writing() as connection:
            numbered = {"look_key": "1" * 64, "program": PROGRAM, "epoch": 1, "k": 1}
            connection.execute(insert(look_numbers).values(**numbered))
        ticked(instance, "telefine_lost_runs", True)
        instance.add_daemon_heartbeat(DaemonHeartbeat(now, "SENSOR", "a-daemon", []))


def fails(defs, instance):
    """A run of a stage that lacks what it needs."""
    return defs.resolve_job_def(f"{PROGRAM}_line").execute_in_process(
        asset_selection=[dg.AssetKey([PROGRAM, "attestations"])],
        partition_key=MONDAY,
        instance=instance,
        raise_on_error=False,
    )


def asked(api):
    """Have the API run three stages, as a client does that has a trace of its own; returns the run as it ended."""
    headers = {"Authorization": f"Bearer {api.key}", "traceparent": f"00-{TRACE}-{SPAN}-01"}
    wanted = {"program": PROGRAM, "stages": list(STAGES), "first": MONDAY, "last": MONDAY}
    base = f"http://127.0.0.1:{api.port}/v1/runs"
    answer = httpx.post(base, headers=headers, json=wanted, timeout=120, trust_env=False)
    assert answer.status_code == 202, answer.text
    *_, ended = api.app.state.deployment.control.follow(answer.json()["runs"][0])
    return ended


@contextmanager
def serving(settings):
    """The deployment's API on a port of this machine, with its own Dagster, and a key that reads."""
    with closing(DagsterControl(settings)) as control:
        app = make_app(settings, control, lambda: datetime.now(UTC), lambda: SIGNER)
        new = NewKey("prometheus", scopes_named(["read", "operate"]), None)
        key = ApiKeys(app.state.deployment.ledger).create(new, bytes(range(40)), "a test", datetime.now(UTC))[1]
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.02)
            (port,) = {each.getsockname()[1] for each in server.servers[0].sockets}
            yield SimpleNamespace(port=port, key=key, app=app)
        finally:
            server.should_exit = True
            thread.join()
