"""Many days of a deployment, one after the other, while things go wrong.

Run: python -m telefine_assets_tests.benchmarks.soak [days] [seed]   (as root, for the full disk)
Limits: no trace is lost or doubled, every attestation verifies, no day is paid twice, and no sum
of payments is another than the pool.

Every process lives at the simulated day's time. Traces are handed in to a real ``telefine serve``,
are drained to MLflow, and the whole line runs as ``dagster asset materialize``. What is asked
for changes every few days, so that the program that serves grows old and a new one is better.
Each day one fault, chosen by the seed, happens: a kill of the server right after its
answer, a kill of the run, a model that answers 429 or not at all, a full disk, a clock that
jumped, or everything delivered twice. Then the fault is over, and the same command must succeed.
"""

import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from telefine_assets_tests.benchmarks.results import Result, report
from telefine_assets_tests.benchmarks.soak_home import FIRST, POOL, SoakHome, full_disk, traces_of
from telefine_assets_tests.knn_lm import KnnLm, knn_lm

FAULTS = ("none", "server_killed", "run_killed", "too_many_requests", "model_down", "disk_full", "clock", "twice")
TRIES = 4


@dataclass
class Story:
    """What happened so far.

    Attributes:
        given: unique traces handed in, by day.
        faults: how often each fault happened.
        again: runs that failed or were killed, and were asked for again.
        attested: days with an attestation.
    """

    given: dict[str, int] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    again: int = 0
    attested: set[str] = field(default_factory=set)


def live(home: SoakHome, lm: KnnLm, number: int, rng: random.Random, story: Story) -> None:
    """One day: traces come in, the line runs, and what it left is checked."""
    day = date.fromisoformat(FIRST) + timedelta(days=number)
    fault = rng.choice(FAULTS)
    story.faults[fault] += 1
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    traces = traces_of(number, noon)
    home.hand_in(noon, traces, killed=fault == "server_killed", times=2 if fault == "twice" else 1)
    story.given[day.isoformat()] = len(traces)
    run_through(home, lm, day.isoformat(), noon + timedelta(hours=13), fault, rng, story)
    home.check_day(day.isoformat(), len(traces))
    if home.attested(day.isoformat()):
        story.attested.add(day.isoformat())


def run_through(
    home: SoakHome, lm: KnnLm, day: str, now: datetime, fault: str, rng: random.Random, story: Story
) -> None:
    """Run the line of a day under a fault, and again without it until it succeeds."""
    lm.fail_share = 0.3 if fault == "too_many_requests" else 0.0
    lm.refuses = (lambda prompt: True) if fault == "model_down" else (lambda prompt: False)
    # Set back, the day is not over yet and cannot be made; set on, it can.
    jump = timedelta(hours=rng.choice((-11, 30))) if fault == "clock" else timedelta()
    with full_disk(home.folder) if fault == "disk_full" else home.undisturbed():
        process = home.start_line(day, now + jump)
        if fault == "run_killed":
            time.sleep(rng.uniform(1, 14))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        failed = process.wait(timeout=600) != 0
    lm.fail_share, lm.refuses = 0.0, lambda prompt: False
    for _ in range(TRIES):
        if not failed:
            return
        story.again += 1
        failed = home.start_line(day, now).wait(timeout=600) != 0
    raise SystemExit(f"{day}: does not recover from {fault}\n{home.log()}")


def verify(home: SoakHome, story: Story) -> tuple[int, int]:
    """Verify everything; how many attestations there are, and how many days were paid."""
    home.check_traces(story.given)
    for day in sorted(story.attested):
        home.check_attestation(day)
    paid = home.payouts()
    if len(paid) != len({each["day"] for each in paid}):
        raise SystemExit(f"a day is paid twice: {paid}")
    if total := [each["day"] for each in paid if int(each["total"]) != POOL]:
        raise SystemExit(f"not the pool is paid on {total}")
    if missing := {each["day"] for each in paid} - story.attested:
        raise SystemExit(f"paid without an attestation: {sorted(missing)}")
    home.check_audit()
    return len(story.attested), len(paid)


def main(days: int = 200, seed: int = 0) -> Iterator[Result]:
    """Live through the days, then verify all of them."""
    rng, story, begun = random.Random(seed), Story(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, knn_lm() as lm, SoakHome.on_its_own_disk(folder, lm, days) as home:
        for number in range(days):
            live(home, lm, number, rng, story)
            done = time.monotonic() - begun
            print(
                f"day {number + 1} of {days}, {done:,.0f} s: {len(story.attested)} attested, {story.again} again, "
                + ", ".join(f"{name} {times}" for name, times in sorted(story.faults.items())),
                flush=True,
            )
        attested, paid = verify(home, story)
    what = f"soak of {days} days with {sum(story.faults.values()) - story.faults['none']} faults"
    yield Result(f"{what}: attestations, each verified", attested, "attestations")
    yield Result(f"{what}: payouts, each once and of the whole pool", paid, "payouts")
    yield Result(f"{what}: traces, none lost or doubled", sum(story.given.values()), "traces")


if __name__ == "__main__":
    report(main)
