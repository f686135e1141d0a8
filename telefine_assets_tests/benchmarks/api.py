"""Reads of the API under a steady load, over a year of days.

Run: python -m telefine_assets_tests.benchmarks.api [seconds]
Limit: at 200 requests a second for 30 s, 99 of 100 answers within 50 ms.

A real server answers, in a process of its own. Requests go out at fixed times,
whatever became of those before, and a request that waits for its turn counts
from collections.abc import Iterator
from the time at which it was due: nothing is left out for being slow. The store
has a year of days with records of every stage and 365 candidates; some 73,000 traces of
1,000 contributors are counted in the records. Programs, reports, attestations, payouts,
contributors, runs and health are read; single versions, log proofs, verifications and
evidence are not.
"""

import asyncio
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from telefine_assets.settings.loading import load_settings
from telefine_assets.store.files import Files
from telefine_assets.store.records import RecordStore
from telefine_assets_tests.api.served import BUILT, paid_home
from telefine_assets_tests.benchmarks.results import Result, report
from telefine_assets_tests.cli.attested_home import ALICE, MONDAY
from telefine_assets_tests.payouts.test_plan import wallet

LIMIT_MS, RATE, CONNECTIONS = 50.0, 200, 32
TRACES, DAYS, CONTRIBUTORS = 100_000, 365, 1_000
PROGRAM = "/v1/programs/triage"


def filled(folder: Path) -> str:
    """A home with a year of records; returns the uid of an attestation in it."""
    home = paid_home(folder)
    uid = home.records.read("triage", "attestations", MONDAY)["uid"]
    counts = {"given": TRACES // DAYS // 100, "kept": 1, "dropped": {}}
    template = home.records.read("triage", "compiled_programs", MONDAY)
    report = home.records.read("triage", "deltaone_reports", MONDAY)
    records = RecordStore(Files(home.settings.store.uri))
    for number in range(1, DAYS):
        day = (date.fromisoformat(MONDAY) - timedelta(days=number)).isoformat()
        people = {wallet(1 + (number * 100 + each) % CONTRIBUTORS): counts for each in range(100)}
        records.write("triage", "cleaned_traces", day, {"contributors": people})
        document = {"program": "triage", "strategy": {"strategy": "labeled_few_shot"}, "day": day}
        digest = home.evidence.put(json.dumps(document).encode())
        records.write("triage", "compiled_programs", day, template | {"candidate": digest})
        records.write("triage", "deltaone_reports", day, report | {"candidate": digest})
    (folder / "telefine.yaml").write_text(f"{BUILT}\napi: {{requests_per_second: 10000, requests_burst: 100000}}\n")
    load_settings(folder / "telefine.yaml")
    return uid


def paths(uid: str) -> list[str]:
    """The reads, in turn."""
    return [
        "/v1/programs",
        f"{PROGRAM}/versions?limit=50",
        f"{PROGRAM}/reports?limit=50",
        f"{PROGRAM}/reports/{MONDAY}",
        f"{PROGRAM}/reports/{MONDAY}/page",
        "/v1/attestations",
        f"/v1/attestations/{uid}",
        f"/v1/attestations/{uid}/receipt",
        f"{PROGRAM}/contributors?limit=50",
        f"{PROGRAM}/contributors/{ALICE}",
        f"{PROGRAM}/contributors/{ALICE}/payouts",
        f"{PROGRAM}/contributors/{ALICE}/claim",
        "/v1/runs?limit=20",
    ]


class Connection:
    """A plain HTTP connection: a client with more comfort would take as much time as the server."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> None:
        """Read one answer, which must be a good one."""
        reader, writer = self._streams = self._streams or await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self._key}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))
        assert b" 200 OK" in head[:20], (path, body[:300])


async def load(port: int, key: str, asked: list[str], seconds: float) -> list[tuple[float, str]]:
    """Ask at a steady rate; returns how long each took from when it was due, in ms."""
    took: list[tuple[float, str]] = []
    free: asyncio.Queue[Connection] = asyncio.Queue()

    async def ask(path: str, due: float) -> None:
        connection = await free.get()
        await connection.get(path)
        free.put_nowait(connection)
        took.append(((time.perf_counter() - due) * 1000, path))

    for path in asked:
        # The first answers take seconds, after which the server would have closed an idle connection.
        free.put_nowait(Connection(port, key))
        await ask(path, time.perf_counter())
        free.get_nowait()
    print("first reads: " + ", ".join(f"{ms:.0f} ms {path}" for ms, path in took if ms > LIMIT_MS), flush=True)
    took.clear()
    for _ in range(CONNECTIONS):
        free.put_nowait(Connection(port, key))
    # Making the home imported a million objects; a collection that goes through them would be counted as the server's.
    gc.collect()
    gc.freeze()
    began, tasks = time.perf_counter(), []
    for number in range(int(seconds * RATE)):
        due = began + number / RATE
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(ask(asked[number % len(asked)], due)))
    await asyncio.gather(*tasks)
    return took


def measure(folder: str, seconds: float) -> list[tuple[float, str]]:
    """Serve a filled home, and load it."""
    uid = filled(Path(folder))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TELEFINE_", "DAGSTER_"))}
    environment = kept | {"TELEFINE_CONFIG": f"{folder}/telefine.yaml", "PYTHONUNBUFFERED": "1"}
    command, log = [sys.executable, "-m", "telefine_assets.cli.main"], Path(folder) / "server.log"
    made = [*command, "keys", "create", "benchmark", "--scope", "read"]
    key = subprocess.run(made, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    with log.open("w") as stream:
        server = subprocess.Popen([*command, "serve", "--port", "0"], env=environment, stderr=stream)
    try:
        return sorted(asyncio.run(load(_port(log), key, paths(uid), seconds)))
    finally:
        print(f"the server took {_cpu_seconds(server.pid):.1f} s of processor time, its start included", flush=True)
        server.terminate()
        server.wait(timeout=20)


def main(seconds: int = 30) -> Iterator[Result]:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        took = measure(folder, float(seconds))
    median, slow = took[len(took) // 2][0], took[int(len(took) * 0.99)][0]
    print(f"slowest {took[-1][0]:.0f} ms: {took[-1][1]}; load of the machine {os.getloadavg()[0]:.1f}")
    yield Result(f"{len(took):,} reads of the API at {RATE}/s, median", median, "ms")
    yield Result(f"{len(took):,} reads of the API at {RATE}/s, 99 of 100 within", slow, "ms", LIMIT_MS)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _port(log: Path) -> int:
    for _ in range(600):
        if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", log.read_text()):
            return int(found[1])
        time.sleep(0.1)
    raise RuntimeError(log.read_text())


if __name__ == "__main__":
    report(main)
