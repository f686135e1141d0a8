"""The deployment of the soak: how it is made, driven from outside, and looked over."""

import ctypes
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from telefine_assets_tests.benchmarks.clustering import SYLLABLES
from telefine_assets_tests.e2e.deployment import KEY, PROGRAM, ROOT, materialise_command
from telefine_assets_tests.knn_lm import KnnLm
from telefine_assets_tests.traces.mlflow_store import WALLETS, empty_store

FIRST = "2026-03-02"
POOL = 10**21 + 1
A_DAY, SEASON_DAYS, LOOKBACK = 80, 9, 3
TEAMS = ("billing", "login", "shipping", "praise")
DISK_BYTES = 6 * 2**30
SETTINGS = """
deployment: soak
partitions: {{start: {first}, end: {last}}}
lm: {{model: openai/nearest-demos, api_base: "{api_base}", adapter: plain, max_tokens: 16, num_retries: 2}}
signer: {{kind: environment}}
programs:
  tickets:
    module: telefine_assets_tests.programs.tickets:build
    experiment: tickets
    cleaning:
      outcomes: [{{feedback: helpful, kind: boolean}}]
      expectations: {{team: team}}
    split: {{key: soak, validation_percent: 20, holdout_percent: 45}}
    compile:
      lookback_days: {lookback}
      min_train: 40
      min_validation: 15
      strategies: [{{strategy: labeled_few_shot, max_labeled_demos: 16}}]
    deltaone: {{min_items: 60, planned_discordance_ppm: 500000, target_gain_ppm: 400000}}
    payout: {{pool: "{pool}", token_symbol: TOKEN}}
"""


def traces_of(number: int, noon: datetime) -> list[dict[str, Any]]:
    """What comes in on a day: tickets in the words of the season, each with the right answer."""
    rng, season = random.Random(f"soak {number}"), number // SEASON_DAYS
    own = {team: random.Random(f"{season} {team}").choices(SYLLABLES, k=40) for team in TEAMS}
    words = {team: ["".join(own[team][at : at + 3]) for at in range(0, 30, 5)] for team in TEAMS}
    made = []
    for each in range(A_DAY):
        team = rng.choice(TEAMS)
        noise = ["".join(rng.choices(SYLLABLES, k=3)) for _ in range(rng.randint(8, 20))]
        text = " ".join([*rng.sample(words[team], 5), *noise])
        made.append(
            {
                "id": f"{number}-{each}",
                "inputs": {"ticket": text},
                "outputs": {"team": rng.choice(TEAMS)},
                "expectations": {"team": team},
                "feedback": [{"name": "helpful", "value": rng.random() < 0.5, "by": "ann"}],
                "contributor": rng.choice(WALLETS),
                "time_ms": int(noon.timestamp() * 1000) + each * 1000,
            }
        )
    return made


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Leave the disk of ``folder`` with a few kilobytes for the length of a block."""
    filler = folder / "filler"
    state = os.statvfs(folder)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, state.f_bavail * state.f_frsize - 300_000))
    try:
        yield
    finally:
        filler.unlink()


class SoakHome:
    """A deployment in ``folder``, driven by its commands and its server at whatever time it is there."""

    def __init__(self, folder: Path, lm: KnnLm, days: int) -> None:
        last = date.fromisoformat(FIRST) + timedelta(days=days - 1)
        text = SETTINGS.format(first=FIRST, last=last, api_base=lm.api_base, lookback=LOOKBACK, pool=POOL)
        (folder / "telefine.yaml").write_text(text)
        (folder / "dagster").mkdir()
        (folder / "dagster" / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
        empty_store(folder / ".telefine")
        self.folder = folder
        made = self.run(datetime.fromisoformat(FIRST), "telefine", "keys", "create", "soak", "--scope", "submit")
        self.key = made.strip().splitlines()[-1]

    @classmethod
    @contextmanager
    def on_its_own_disk(cls, folder: str, lm: KnnLm, days: int) -> Iterator["SoakHome"]:
        """A deployment on a file system of its own, which may be full."""
        libc = ctypes.CDLL(None, use_errno=True)
        place = folder.encode()
        if libc.mount(b"tmpfs", place, b"tmpfs", 0, f"size={DISK_BYTES}".encode()):
            raise SystemExit(f"cannot mount a file system that may be full: {os.strerror(ctypes.get_errno())}; be root")
        try:
            yield cls(Path(folder), lm, days)
        except SystemExit:
            print(f"what failed is kept in {shutil.copytree(folder, f'{folder}-failed', symlinks=True)}", flush=True)
            raise
        finally:
            libc.umount2(place, 2)

    def undisturbed(self) -> nullcontext[None]:
        """No fault."""
        return nullcontext()

    def environment(self, now: datetime) -> dict[str, str]:
        """What a shell has there and then."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        clock = Path(__file__).parent / "moved_clock"
        return kept | {
            "SOAK_CLOCK": now.isoformat(),
            "TELEFINE_CONFIG": str(self.folder / "telefine.yaml"),
            "TELEFINE_SIGNER__PRIVATE_KEY": KEY,
            "TELEFINE_LM__API_KEY": "a-key-for-the-model",
            "DAGSTER_HOME": str(self.folder / "dagster"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{clock}:{ROOT}",
            "PYTHONUNBUFFERED": "1",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        }

    def start(self, now: datetime, *command: str) -> subprocess.Popen[bytes]:
        """Start a command at a moment; what it says goes to the log."""
        with Path(f"{self.folder}.log").open("wb") as log:  # not on the disk that may be full
            return subprocess.Popen(
                command, cwd=self.folder, env=self.environment(now), stdout=log, stderr=log, start_new_session=True
            )

    def log(self) -> str:
        """What the last command said, its end."""
        return Path(f"{self.folder}.log").read_text()[-6_000:]

    def run(self, now: datetime, *command: str) -> str:
        """Run a command to its end; what it said on its standard output."""
        done = subprocess.run(command, cwd=self.folder, env=self.environment(now), capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout[-3_000:]}\n{done.stderr[-3_000:]}")
        return done.stdout

    def start_line(self, day: str, now: datetime) -> subprocess.Popen[bytes]:
        """Start the whole line of a day."""
        return self.start(now, *materialise_command(day))

    def hand_in(self, now: datetime, traces: list[dict[str, Any]], killed: bool, times: int) -> None:
        """Hand traces in to a server, and wait until they are in MLflow; ``killed`` right after it has answered."""
        body, key = {"traces": traces}, f"day-{now.date()}"
        if killed:
            with self._server(now) as (process, port):
                self._post(port, body, key)
                os.killpg(process.pid, signal.SIGKILL)
        with self._server(now) as (_, port):
            for time_number in range(times):
                self._post(port, body, key if time_number == 0 else f"{key}-again")
            deadline = time.monotonic() + 300
            while json.loads(self.run(now, "telefine", "spool", "status", "--json"))[PROGRAM]["waiting"]:
                if time.monotonic() > deadline:
                    raise SystemExit(f"the spool is not drained\n{self.log()}")

    @contextmanager
    def _server(self, now: datetime) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
        process = self.start(now, "telefine", "serve", "--port", "0")
        try:
            for _ in range(600):
                if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", self.log()):
                    break
                time.sleep(0.1)
            else:
                raise SystemExit(f"the server does not start\n{self.log()}")
            yield process, int(found[1])
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(timeout=60)

    def _post(self, port: int, body: Mapping[str, Any], key: str) -> None:
        import httpx

        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": key}
        url = f"http://127.0.0.1:{port}/v1/programs/{PROGRAM}/traces"
        answer = httpx.post(url, json=body, headers=headers, timeout=60)
        if answer.status_code != 202:
            raise SystemExit(f"{answer.status_code}: {answer.text[:2_000]}")

    def record(self, stage: str, day: str) -> dict[str, Any]:
        """What a stage stored for a day."""
        return dict(json.loads((self.folder / f".telefine/store/records/{PROGRAM}/{stage}/{day}.json").read_text()))

    def attested(self, day: str) -> bool:
        """Whether the day has an attestation; one that has is verified at once."""
        if not self.record("attestations", day).get("uid"):
            return False
        self.check_attestation(day)
        return True

    def check_attestation(self, day: str) -> None:
        """Export and verify, by the commands."""
        now, folder = datetime.fromisoformat(day) + timedelta(days=2), f"{self.folder}/exported-{day}"
        if not Path(folder).exists():
            self.run(now, "telefine", "attest", "export", day, folder)
        self.run(now, "telefine", "attest", "verify", folder)

    def check_day(self, day: str, given: int) -> None:
        """The day's traces are those that were handed in, each once."""
        import pyarrow.parquet as pq

        table = self.folder / f".telefine/store/tables/{PROGRAM}/traces/{day}.parquet"
        ids = pq.read_table(table, columns=["trace_id"])["trace_id"].to_pylist()
        if len(ids) != given or len(set(ids)) != given:
            raise SystemExit(
                f"{day}: {given} traces were handed in, {len(ids)} loaded, {len(set(ids))} of them different"
            )

    def check_traces(self, given: Mapping[str, int]) -> None:
        """MLflow holds what was handed in."""
        import sqlite3

        with sqlite3.connect(self.folder / ".telefine" / "mlflow.db") as database:
            (found,) = database.execute("SELECT count(*) FROM trace_info").fetchone()
        if found != sum(given.values()):
            raise SystemExit(f"{sum(given.values())} traces were handed in, MLflow has {found}")

    def payouts(self) -> list[dict[str, Any]]:
        """Day and sum of every payout in the ledger."""
        import sqlite3

        with sqlite3.connect(self.folder / ".telefine" / "ledger.db") as ledger:
            lines = ledger.execute(
                "SELECT day, p.attestation, amount FROM payouts p JOIN payout_lines USING (attestation)"
            )
            totals: dict[tuple[str, str], int] = {}
            for day, attestation, amount in lines:
                totals[day, attestation] = totals.get((day, attestation), 0) + int(amount)
        return [{"day": day, "total": total} for (day, _), total in sorted(totals.items())]

    def check_audit(self) -> None:
        """The audit log is whole."""
        self.run(datetime.fromisoformat(FIRST), "telefine", "audit", "verify")
