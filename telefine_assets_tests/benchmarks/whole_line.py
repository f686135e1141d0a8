"""A day of 100,000 traces, from MLflow to the payout, as an operator runs it.

Run: python -m telefine_assets_tests.benchmarks.whole_line [traces]
Limits: 20 minutes and 2 GB on two cores, with a model that takes 5 ms for an answer.

The traces lie in MLflow's SQLite, of 1,000 contributors, each with the right answer. Every
setting that bounds the work has its default: up to 500 items to train on, 300 to choose by, and
2,000 held-out ones that both programs answer. The model is the nearest-demos stand-in, in
a process of its own. The memory is that of all processes of the run together. The day must
be attested and paid, and the attestation is verified at the end; otherwise there is no result.
"""

import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from telefine_assets_tests.benchmarks.bootstrapping import slow_model
from telefine_assets_tests.benchmarks.measuring import measured
from telefine_assets_tests.benchmarks.results import Result, report
from telefine_assets_tests.e2e.deployment import PROGRAM, Deployment, make_deployment, materialise_command

HERE = "telefine_assets_tests.benchmarks.whole_line"
DAY = "2026-03-02"
STAGES = (
    "traces", "cleaned_traces", "compiled_programs", "deltaone_reports", "contributor_weights", "attestations",
    "champions", "contributor_payouts",
)  # fmt: skip
SECONDS, MEGABYTES = 20 * 60, 2_000
LATENCY_SECONDS = 0.005
SETTINGS = """
deployment: whole-line
partitions: {{start: 2026-03-02, end: 2026-03-02}}
lm: {{model: openai/nearest-demos, api_base: "{api_base}", adapter: plain, max_tokens: 16}}
signer: {{kind: environment}}
programs:
  tickets:
    module: telefine_assets_tests.programs.tickets:build
    experiment: tickets
    cleaning:
      outcomes: [{{feedback: resolved, kind: boolean}}]
      expectations: {{team: right_team}}
    split: {{key: whole-line}}
    compile:
      lookback_days: 1
      strategies:
        - {{strategy: labeled_few_shot, max_labeled_demos: 16}}
        - {{strategy: bootstrap_few_shot_with_random_search, max_labeled_demos: 16, candidates: 8}}
    payout: {{pool: "1000000000000000000001", token_symbol: TOKEN}}
"""


def ticket(rng: random.Random) -> tuple[str, str]:
    """A ticket of one team's words and many of everybody's."""
    from telefine_assets_tests.benchmarks.clustering import SYLLABLES
    from telefine_assets_tests.programs.tickets import TEAMS, WORDS

    team = rng.choice(TEAMS)
    noise = ("".join(rng.choices(SYLLABLES, k=3)) for _ in range(rng.randint(8, 40)))
    words = [*rng.sample(WORDS[team], 5), *noise]
    rng.shuffle(words)
    return " ".join(words), team


def stored(home: str, count: int) -> None:
    """Fill the MLflow of a deployment."""
    from telefine_assets.attribution.addresses import checksum_address
    from telefine_assets.partitions import bounds_ms
    from telefine_assets_tests.traces.mlflow_store import empty_store, fill

    wallets = [checksum_address(number.to_bytes(20, "big")) for number in range(1, 1_001)]
    fill(empty_store(Path(home) / ".telefine"), count, bounds_ms(DAY)[0], ticket=ticket, wallets=wallets)


def timed(here: Deployment, *command: str) -> tuple[float, int]:
    """Seconds of a command, and the most megabytes that it and its children held together."""
    begun = time.perf_counter()
    with (here.home / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=here.home, env=here.environment, stdout=log, stderr=log)
    peaks: list[int] = [0]
    watcher = threading.Thread(target=_watch, args=(process, peaks), daemon=True)
    watcher.start()
    if process.wait():
        raise SystemExit((here.home / "log").read_text()[-4_000:])
    seconds = time.perf_counter() - begun
    watcher.join()
    return seconds, max(peaks) // 2**20


def _watch(process: subprocess.Popen[bytes], peaks: list[int]) -> None:
    import psutil

    try:
        whole = psutil.Process(process.pid)
        while process.poll() is None:
            peaks.append(sum(each.memory_info().rss for each in (whole, *whole.children(recursive=True))))
            time.sleep(0.2)
    except psutil.NoSuchProcess:
        return


def main(count: int = 100_000) -> Iterator[Result]:
    """Run the line stage by stage, and verify what came out."""
    with tempfile.TemporaryDirectory() as folder, slow_model(LATENCY_SECONDS) as model:
        here = make_deployment(Path(folder), model.api_base)
        (here.home / "telefine.yaml").write_text(SETTINGS.format(api_base=model.api_base))
        measured(HERE, "stored", folder, count)
        whole, most = 0.0, 0
        for stage in STAGES:
            seconds, megabytes = timed(here, *materialise_command(DAY, f"{PROGRAM}/{stage}"))
            print(f"  {stage}: {seconds:.1f} s, {megabytes} MB", flush=True)
            whole, most = whole + seconds, max(most, megabytes)
        if here.record("contributor_payouts", DAY)["outcome"] != "planned":
            raise SystemExit(f"nothing was paid: {here.record('contributor_payouts', DAY)['reason']}")
        for command in (("export", DAY, "exported"), ("verify", "exported")):
            if (done := here.run("telefine", "attest", *command)).returncode:
                raise SystemExit(f"the attestation does not verify: {done.stdout}")
        what = f"{count:,} traces from MLflow to the payout"
        limited = count == 100_000
        yield Result(what, whole, "s", SECONDS if limited else None)
        yield Result(f"{what}: memory", most, "MB", MEGABYTES if limited else None)


if __name__ == "__main__":
    report(main)
