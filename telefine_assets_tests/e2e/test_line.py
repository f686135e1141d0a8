"""The whole line through the real command line, with the nearest-demos stand-in as the language model."""

import base64
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telefine_assets.attestation.attesting import claim_of
from telefine_assets.attestation.files import EvidenceContradiction, read_comparison
from telefine_assets.canonical import canonical_json, canonical_lines
from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.records import PairedItem, Rules
from telefine_assets_tests.e2e.deployment import DAYS, KEY, ROOT, Deployment, make_deployment, materialise_command
from telefine_assets_tests.knn_lm import KnnLm, knn_lm

LAST = DAYS[-1]


@pytest.fixture(scope="module")
def lm() -> Iterator[KnnLm]:
    with knn_lm() as running:
        yield running


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, lm: KnnLm) -> Deployment:
    """Two days of traces, killed once in the middle of the second day's run, then completed."""
    made = make_deployment(tmp_path_factory.mktemp("deployment"), lm.api_base)
    served = made.run(sys.executable, "-m", "telefine_assets_tests.e2e.production")
    assert served.returncode == 0, served.stdout
    first = made.materialise(DAYS[0])
    assert first.returncode == 0, first.stdout[-3000:]
    early = made.materialise(LAST, 'key:"tickets/traces" or key:"tickets/cleaned_traces"')
    assert early.returncode == 0, early.stdout[-3000:]
    calls = lm.calls
    killed = made.start(*materialise_command(LAST, 'key:"tickets/compiled_programs"+'))
    deadline = time.monotonic() + 120
    while lm.calls < calls + 60 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not made.record_path("compiled_programs", LAST).exists()
    again = made.materialise(LAST)
    assert again.returncode == 0, again.stdout[-3000:]
    return made


def test_the_first_day_waits_for_more_traces_and_pays_nothing(deployment: Deployment) -> None:
    assert deployment.record("compiled_programs", DAYS[0])["outcome"] == "too_few_items"
    assert deployment.record("deltaone_reports", DAYS[0])["code"] == "no_candidate"
    assert deployment.record("contributor_payouts", DAYS[0])["outcome"] == "nothing_to_pay"


def test_deltaone_is_reached_and_the_candidate_serves(deployment: Deployment) -> None:
    report = deployment.record("deltaone_reports", LAST)
    assert report["reached"], report
    assert report["public"]["delta_ppm"] >= 10_000
    champion = deployment.record("champions", LAST)
    assert champion["serves"] == deployment.record("compiled_programs", LAST)["candidate"]


def test_payments_and_escrow_sum_to_the_pool(deployment: Deployment) -> None:
    plan = deployment.record("contributor_payouts", LAST)["plan"]
    amounts = [int(each["amount"]) for each in plan["payments"] + plan["escrow"]]
    assert sum(amounts) == int(plan["pool"]) == 10**21 + 1


def test_the_improvement_report_tells_of_it_all(deployment: Deployment) -> None:
    shown = deployment.run("telefine", "improvement", "show", LAST, "--json")
    assert shown.returncode == 0, shown.stdout
    this = json.loads(shown.stdout[shown.stdout.index("{") :])["this"]
    assert (this["certified"], this["looks"], this["traces"]) == ([LAST], 1, 240)
    assert list(this["granted"].values()) == [str(10**21 + 1)]
    assert this["cost"]["calls"] > 60 and this["cost"]["took_ms"] > 0


def test_a_mistyped_wallet_gets_nothing_and_its_share_is_in_escrow(deployment: Deployment) -> None:
    weights = deployment.record("contributor_weights", LAST)["weights"]
    demos = deployment.record("compiled_programs", LAST)["demos"]
    unresolved = [demo for demo in demos if demo["contributor"] is None]
    assert bool(unresolved) == bool(weights["escrow"])
    assert {each["reason"] for each in weights["escrow"]} <= {"bad_checksum"}


def test_every_demo_of_the_candidate_is_a_train_trace(deployment: Deployment) -> None:
    import pyarrow.parquet as pq

    store = deployment.home / ".telefine" / "store" / "tables" / "tickets" / "cleaned_traces"
    rows = [row for path in store.glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    train = {row["trace_id"] for row in rows if row["split"] == "train"}
    demos = deployment.record("compiled_programs", LAST)["demos"]
    assert demos
    assert {demo["trace_id"] for demo in demos} <= train


def test_a_contributor_can_be_told_what_became_of_a_trace(deployment: Deployment) -> None:
    demo = deployment.record("compiled_programs", LAST)["demos"][0]
    told = json.loads(deployment.run("telefine", "traces", "why", demo["trace_id"], "--json").stdout)
    assert told["cleaned"]["split"] == "train"
    used = [each for each in told["demo_in"] if each["day"] == LAST]
    assert [(each["predictor"], each["position"], each["champion"]) for each in used] == [
        (demo["predictor"], demo["position"], "promoted")
    ]


def test_the_attestation_verifies_offline(deployment: Deployment, tmp_path: Path) -> None:
    exported = deployment.run("telefine", "attest", "export", LAST, str(tmp_path / "out"))
    assert exported.returncode == 0, exported.stdout
    verified = deployment.run("telefine", "attest", "verify", str(tmp_path / "out"))
    assert verified.returncode == 0, verified.stdout
    assert deployment.record("attestations", LAST)["uid"] in verified.stdout


def test_one_changed_byte_of_any_evidence_is_named(deployment: Deployment, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    deployment.run("telefine", "attest", "export", LAST, str(folder))
    statement = json.loads((folder / "attestation.json").read_text())["statement"]
    for number, file in enumerate(statement["predicate"]["evidence"]):
        path = folder / "evidence" / file["sha256"]
        whole = path.read_bytes()
        at = (number * 7919) % len(whole)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        refused = deployment.run("telefine", "attest", "verify", str(folder))
        path.write_bytes(whole)
        assert refused.returncode == 1
        assert "evidence_digest_mismatch" in refused.stdout
        assert file["name"] in refused.stdout


def evidence_of(deployment: Deployment) -> dict[str, bytes]:
    """The evidence files of the attested day, by name."""
    store = deployment.home / ".telefine" / "store" / "evidence"
    stages = ("compiled_programs", "deltaone_reports", "contributor_weights")
    digests = {name: digest for stage in stages for name, digest in deployment.record(stage, LAST)["evidence"].items()}
    return {name: (store / digest[:2] / digest).read_bytes() for name, digest in digests.items()}


def losses_left_out(files: dict[str, bytes]) -> None:
    rows = [json.loads(line) for line in files["rows.jsonl"].splitlines()]
    kept = [row for row in rows if row["candidate_ppm"] >= row["baseline_ppm"]][:-1]
    files["rows.jsonl"] = canonical_lines(kept)
    report = json.loads(files["report.json"])
    decision = decide([PairedItem.from_record(row) for row in kept], *read_comparison(files)[1:])
    files["report.json"] = canonical_json(report | {"decision": decision.to_record()})


def looser_alpha(files: dict[str, bytes]) -> None:
    report = json.loads(files["report.json"])
    report["rules"]["alpha"] = "0.49"
    rows, _, look = read_comparison(files)
    report["decision"] = decide(rows, Rules.from_record(report["rules"]), look).to_record()
    files["report.json"] = canonical_json(report)


def trained_on_the_holdout(files: dict[str, bytes]) -> None:
    lines = [json.loads(line) for line in files["trainset.jsonl"].splitlines()]
    item = json.loads(files["rows.jsonl"].splitlines()[0])["item"]
    files["trainset.jsonl"] = canonical_lines([*lines, {**lines[0], "cluster": item}])


def better_quality(files: dict[str, bytes]) -> None:
    facts = json.loads(files["attribution.json"])
    facts["demos"][0]["quality_ppm"] -= 1
    files["attribution.json"] = canonical_json(facts)


def worth_tried_on_the_holdout(files: dict[str, bytes]) -> None:
    facts = json.loads(files["attribution.json"])
    row = json.loads(files["rows.jsonl"].splitlines()[0])
    facts["trials"]["items"][0] = [row["item"], row["group"]]
    files["attribution.json"] = canonical_json(facts)


def thief_as_contributor(files: dict[str, bytes]) -> None:
    facts = json.loads(files["attribution.json"])
    demos = {demo["trace_id"] for demo in facts["demos"]}
    row = next(row for row in facts["arrivals"] if row["trace_id"] in demos and row["contributor"])
    row["contributor"] = "0xde709f2102306220921060314715629080e2fb77"
    files["attribution.json"] = canonical_json(facts)


def another_programs_look(files: dict[str, bytes]) -> None:
    looks = json.loads(files["looks.json"])
    looks[-1]["program"] = "letters"
    files["looks.json"] = canonical_json(looks)


def asked_of_another_model(files: dict[str, bytes]) -> None:
    report = json.loads(files["report.json"])
    report["asked_with"]["lm"]["model"] = "openai/better"
    files["report.json"] = canonical_json(report)


@pytest.mark.parametrize(
    "forge",
    [
        losses_left_out,
        looser_alpha,
        trained_on_the_holdout,
        better_quality,
        worth_tried_on_the_holdout,
        thief_as_contributor,
        another_programs_look,
        asked_of_another_model,
    ],
)
def test_evidence_forged_before_it_was_signed_supports_no_claim(
    deployment: Deployment, forge: Callable[[dict[str, bytes]], None]
) -> None:
    files = evidence_of(deployment)
    claim_of("tickets", LAST, files)
    forge(files)
    with pytest.raises(EvidenceContradiction):
        claim_of("tickets", LAST, files)


def test_running_a_day_again_gives_the_same_bytes_and_asks_the_model_nothing(deployment: Deployment, lm: KnnLm) -> None:
    before, calls = deployment.stored(), lm.calls
    again = deployment.materialise(LAST)
    assert again.returncode == 0, again.stdout[-3000:]
    after = deployment.stored()
    assert {name for name in before | after if before.get(name) != after.get(name)} == set()
    assert lm.calls == calls


def test_records_that_were_lost_are_made_again_byte_for_byte(deployment: Deployment, lm: KnnLm) -> None:
    before, calls = deployment.stored(), lm.calls
    for name in before:
        if name.startswith(("records/", "tables/")) and LAST in name:
            (deployment.home / ".telefine" / "store" / name).unlink()
    again = deployment.materialise(LAST)
    assert again.returncode == 0, again.stdout[-3000:]
    after = deployment.stored()
    assert {name for name in before | after if before.get(name) != after.get(name)} == set()
    assert lm.calls == calls


def test_nothing_is_doubled_in_ledger_or_mlflow(deployment: Deployment) -> None:
    with sqlite3.connect(deployment.home / ".telefine" / "ledger.db") as ledger:
        for table in ("looks", "look_outcomes", "champions", "payouts"):
            assert ledger.execute(f"select count(*) from {table}").fetchone() == (1,), table
        # The key that the log begins with, and the attestation.
        assert ledger.execute("select count(*) from log_leaves").fetchone() == (2,)
    with sqlite3.connect(deployment.home / ".telefine" / "mlflow.db") as mlflow:
        rows = mlflow.execute(
            "select s.value, d.value, count(*), min(r.status), max(r.status) from runs r"
            " join tags s on s.run_uuid = r.run_uuid and s.key = 'telefine.stage'"
            " join tags d on d.run_uuid = r.run_uuid and d.key = 'telefine.day' group by 1, 2"
        ).fetchall()
    assert len(rows) == 16
    assert {row[2:] for row in rows} == {(1, "FINISHED", "FINISHED")}


def test_compiling_and_evaluating_leave_no_production_traces(deployment: Deployment) -> None:
    with sqlite3.connect(deployment.home / ".telefine" / "mlflow.db") as mlflow:
        assert mlflow.execute("select count(*) from trace_info").fetchone() == (240,)


def test_the_private_key_and_the_api_key_are_nowhere(deployment: Deployment) -> None:
    key = bytes.fromhex(KEY[2:])
    forms = [key, key[::-1], key.hex().encode(), str(int.from_bytes(key)).encode(), b"a-key-for-the-model"]
    # Wherever it begins within a longer text: what its neighbours have no part in.
    for shift in range(3):
        inside = base64.b64encode(b"\0" * shift + key)[4 if shift else 0 : -4]
        forms += [inside, inside.translate(bytes.maketrans(b"+/", b"-_"))]
    assert all(len(form) >= 19 for form in forms)
    for path in deployment.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(form in content or form in content.lower() for form in forms), path


def test_a_day_whose_upstream_is_missing_fails_with_the_cure(deployment: Deployment, tmp_path: Path) -> None:
    empty = make_deployment(tmp_path / "empty", "http://127.0.0.1:9/v1")
    failed = empty.materialise(LAST, 'key:"tickets/cleaned_traces"')
    assert failed.returncode != 0
    assert "make it first: telefine run " in failed.stdout


def test_records_copied_to_another_day_are_neither_attested_nor_paid(deployment: Deployment) -> None:
    stages = ("compiled_programs", "deltaone_reports", "contributor_weights")
    before = {stage: deployment.record_path(stage, DAYS[0]).read_bytes() for stage in stages}
    for stage in stages:
        deployment.record_path(stage, DAYS[0]).write_bytes(deployment.record_path(stage, LAST).read_bytes())
    copied = deployment.materialise(DAYS[0], 'key:"tickets/attestations"+')
    for stage, content in before.items():
        deployment.record_path(stage, DAYS[0]).write_bytes(content)
    assert copied.returncode != 0
    assert "EvidenceContradiction" in copied.stdout


def test_late_feedback_on_an_attested_day_changes_nothing_that_was_decided(deployment: Deployment) -> None:
    stages = ("compiled_programs", "deltaone_reports", "contributor_weights", "attestations", "champions")
    before = {stage: deployment.record_path(stage, LAST).read_bytes() for stage in (*stages, "contributor_payouts")}
    with sqlite3.connect(deployment.home / ".telefine" / "mlflow.db") as mlflow:
        mlflow.execute("update assessments set value = 'false' where name = 'helpful'")
    again = deployment.materialise(LAST)
    assert again.returncode == 0, again.stdout[-3000:]
    assert {stage: deployment.record_path(stage, LAST).read_bytes() for stage in before} == before


def test_dg_launch_materialises_too(deployment: Deployment) -> None:
    launched = deployment.run(
        "dg",
        "launch",
        "--target-path",
        str(Path(__file__).parents[2]),
        "--assets",
        "tickets/traces",
        "--partition",
        LAST,
    )
    assert launched.returncode == 0, launched.stdout[-2000:]


def test_payouts_are_shown_exactly(deployment: Deployment) -> None:
    shown = deployment.run("telefine", "payouts", "show", LAST)
    assert shown.returncode == 0
    assert "1000000000000000000001" in shown.stdout


def test_every_telefine_and_dagster_command_in_the_documents_runs(deployment: Deployment, tmp_path: Path) -> None:
    from telefine_assets_tests.test_docs import commands

    ran = 0
    trace_id = deployment.record("compiled_programs", LAST)["demos"][0]["trace_id"]
    for line in commands():
        # What serves until it is stopped is run by api/test_documented.py.
        if not line.startswith(("telefine ", "dagster asset", "dg ")) or line.startswith("telefine serve"):
            continue
        line = line.replace("film_reviews", "tickets").replace("2026-11-02", LAST).replace("2026-01-01", LAST)
        line = line.replace('group:"triage"', 'key:"tickets/traces"').replace("TRACE_ID", trace_id)
        line = line.replace("dg launch", f"dg launch --target-path {ROOT}")
        if "attest verify" in line:
            deployment.run("telefine", "attest", "export", LAST, str(tmp_path / "out"))
            line = f"telefine attest verify {tmp_path / 'out'}"
        done = deployment.run("bash", "-c", line)
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}"
        ran += 1
    assert ran >= 6
