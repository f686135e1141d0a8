"""Runbooks and guides are followed to the letter: a runbook in a deployment that is really broken."""

import gc
import json
import shutil
import socket
import sqlite3
import subprocess
import uuid
from pathlib import Path

import dagster as dg
import pytest

from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.pages.numbers import gain
from telefine_assets_tests.runbooks.guides import ELSEWHERE, GUIDES, commands_of, fitted
from telefine_assets_tests.runbooks.rehearsal import DAY, PROGRAM, Rehearsed, commands

OVER = "How to see that it is over"
NEW_KEY = "0x" + "5d" * 32
FORGED = "0xde709f2102306220921060314715629080e2fb77"


def record(home: Rehearsed, stage: str) -> dict:
    return json.loads((home.own / "store/records" / PROGRAM / stage / f"{DAY}.json").read_text())


def evidence(home: Rehearsed, digest: str) -> bytes:
    return (home.own / "store/evidence" / digest[:2] / digest).read_bytes()


def payouts(home: Rehearsed) -> list[str]:
    with sqlite3.connect(home.own / "ledger.db") as ledger:
        return [uid for (uid,) in ledger.execute("select attestation from payouts")]


def gain_of(attestation: dict, home: Rehearsed) -> str:
    stated = json.loads(evidence(home, attestation["bundle"]))["statement"]["predicate"]
    return gain(stated["decision"]["deltaPpm"])


def words(text: str) -> str:
    return " ".join(text.split())


def all_done(done) -> list[str]:
    """What the commands said; every one of them must have done its work."""
    assert [each for each in done if each.code] == []
    return [each.output for each in done]


def corrected(home: Rehearsed) -> None:
    """Three labels were wrong in the candidate's favour, one was withdrawn, a wallet was forged, a demo is wrong."""
    rows = map(json.loads, evidence(home, record(home, "deltaone_reports")["evidence"]["rows.jsonl"]).splitlines())
    won = [row for row in rows if row["candidate_ppm"] > row["baseline_ppm"]]
    forged, wrong, *_ = record(home, "compiled_programs")["demos"]
    with sqlite3.connect(home.own / "mlflow.db") as mlflow:
        label = "update assessments set value = ? where name = 'right_team' and trace_id = ?"
        for row in won[:3]:
            mlflow.execute(label, (json.dumps(row["baseline_output"]["team"]), row["trace_id"]))
        mlflow.execute("delete from assessments where name = 'right_team' and trace_id = ?", (won[3]["trace_id"],))
        mlflow.execute(label, ('"praise"' if '"praise"' not in str(wrong) else '"login"', wrong["trace_id"]))
        mlflow.execute(
            "update trace_tags set value = ? where key = 'telefine.contributor' and request_id = ?",
            (FORGED, forged["trace_id"]),
        )


def test_wrong_feedback(home: Rehearsed) -> None:
    uid, before = record(home, "attestations")["uid"], record(home, "contributor_payouts")
    found = record(home, "deltaone_reports")["public"]["delta_ppm"]
    at = home.own / "store/records" / PROGRAM / "attestations" / f"{DAY}.json"
    first = at.read_bytes()
    refused = home.run(f"telefine attest reissue {uid} --reason early")
    assert (refused.code, "is not revoked (attested)" in refused.output) == (1, True)
    revoke, *rest = commands("wrong-feedback")
    all_done([home.run(revoke, UID=uid)])
    assert "No claim is in force for this day." in home.run("telefine deltaone show DAY").output
    nothing = home.run("telefine attest reissue UID --reason REASON --json", UID=uid)
    assert (nothing.code, '"code": "nothing_corrected"' in nothing.output) == (1, True)
    corrected(home)
    all_done([home.run(line, UID=uid) for line in rest])
    twice = home.run("telefine attest reissue UID --reason REASON", UID=uid)
    assert (twice.code, "was issued again already" in twice.output) == (1, True)
    # Cut off between the log and the day's record, it can only be finished, not prepared in other words.
    now, signed = record(home, "attestations"), at.read_bytes()
    at.write_bytes(first)
    cut_off = home.run("telefine attest reissue UID --reason OTHER", UID=uid)
    assert (cut_off.code, f"as {now['uid']}: it stands in the log" in cut_off.output) == (1, True)
    assert home.run("telefine run attestations --day DAY").code == 0
    assert at.read_bytes() == signed
    reissue = record(home, "reissues")
    assert (reissue["items"]["relabelled"], reissue["items"]["withdrawn"]) == (3, 1)
    assert reissue["gain_ppm"] < found
    assert "feedback_withdrawn" in {line["reason"] for line in reissue["weights"]["escrow"]}
    assert (now["outcome"], now["uid"] != uid) == ("attested", True)
    assert record(home, "champions")["attestation"] == now["uid"]
    paid = record(home, "contributor_payouts")
    assert (paid["plan"], paid["root"], payouts(home)) == (before["plan"], before["root"], [uid])
    log, shown, _, report = all_done(home.follow("wrong-feedback", OVER))
    assert "**Corrected.** The look found" in report and "revoked on" in report and "because" in report
    assert f"the look, corrected: {gain_of(now, home)} is in force" in words(
        home.run("telefine improvement show DAY").output
    )
    # The wallet that was forged has its part by what is in force alone.
    forged = json.loads(home.run(f"telefine contributors show {FORGED} --json").output)["days"][0]
    assert (forged["weight_before_ppm"], forged["weight_ppm"] > 0) == (0, True)
    assert "paid before its weights were corrected" in home.run(f"telefine contributors why {FORGED}").output
    assert (log.index(f"revoke {uid}") < log.index(now["uid"]), "nothing is added" in shown) == (True, True)
    verified = [
        home.run(f"telefine attest {what}") for what in (f"export DAY {home.folder}/out", f"verify {home.folder}/out")
    ]
    assert f"instead of  {uid}, which was revoked" in all_done(verified)[1]
    _, old = (
        home.run(f"telefine attest {what}") for what in (f"export {uid} {home.folder}/old", f"verify {home.folder}/old")
    )
    assert "revoked" in old.output
    assert home.run("telefine run attestations contributor_payouts --day DAY").code == 0
    assert (record(home, "attestations"), record(home, "contributor_payouts")) == (now, paid)


def test_leaked_key(home: Rehearsed, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = record(home, "attestations"), LocalKeySigner(NEW_KEY).address
    look, rotate, again, restate = commands("leaked-key")
    names = {"NEW_ADDRESS": new, "FROM": "1", "FOLDER": str(home.folder / "out")}
    listed, rotated = all_done([home.run(line, **names) for line in (look, rotate)])
    assert old["uid"] in listed
    assert f"check: position 1, {old['uid']}" in rotated
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", NEW_KEY)
    _, restated = all_done([home.run(line, **names) for line in (again, restate)])
    assert "nothing must be said again" in restated
    now = record(home, "attestations")
    assert (now["uid"], now["signer"]) == (old["uid"], new)
    keys, _, verified = all_done(home.follow("leaked-key", OVER, **names))
    assert new in keys and f"signed by   {new}" in verified


def test_lm_outage(home: Rehearsed, lm) -> None:
    """As on the first day: no answer is in the ledger, no day is decided."""
    shutil.rmtree(home.own / "store/records")
    (home.own / "ledger.db").unlink()
    home.run("telefine run traces cleaned_traces --day DAY")
    lm.always = (503, "0.01")
    try:
        down = home.run("telefine run compiled_programs --day DAY")
    finally:
        lm.always = None
    assert (down.code, "Unreachable" in down.output) == (1, True)
    asked = lm.calls
    _, *rest = commands("lm-outage")
    all_done([home.run(line) for line in rest])
    assert lm.calls > asked
    (told,) = all_done(home.follow("lm-outage", OVER))
    assert "reached" in told


def test_mlflow_upgrade(home: Rehearsed) -> None:
    def revision(found: str) -> str:
        with sqlite3.connect(home.own / "mlflow.db") as mlflow:
            (known,) = mlflow.execute("select version_num from alembic_version").fetchone()
            mlflow.execute("update alembic_version set version_num = ?", (found,))
        return known

    known = revision("ffffffffffff")
    failed = home.run("telefine run traces --day DAY")
    assert (failed.code, "Detected out-of-date database schema" in failed.output) == (1, True)
    doctor, *_ = commands("mlflow-upgrade")
    told = home.run(doctor)
    assert told.code == 1
    assert "broken   experiments: MLflow's database has another schema than the MLflow that is installed" in told.output
    # As the MLflow that wrote it would find it.
    revision(known)
    all_done(home.follow("mlflow-upgrade", OVER))


@pytest.fixture
def small_disk(home: Rehearsed):
    """The store on a file system of its own, which has no room left."""
    store, disk = home.own / "store", home.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"needs to mount a tmpfs: {mounted.stderr.decode().strip()}")
    try:
        shutil.copytree(store, disk / "store")
        home.telefine.write_text(home.telefine.read_text() + f"store: {{uri: {disk}/store}}\n")
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def test_disk_full(home: Rehearsed, small_disk: Path) -> None:
    filler = small_disk / "other"
    with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as stream:
        while True:
            stream.write(b"x" * 4096)
    before = record(home, "attestations")
    full = home.run("telefine run traces --day DAY")
    assert (full.code, "No space left on device" in full.output) == (1, True)
    told = home.run("telefine doctor --no-lm")
    assert "No space left on device" in told.output and "make room on the disk" in told.output
    filler.unlink()
    all_done(home.follow("disk-full", STAGE="traces"))
    all_done(home.follow("disk-full", OVER))
    assert json.loads((small_disk / f"store/records/{PROGRAM}/attestations/{DAY}.json").read_text()) == before


def test_restore(home: Rehearsed, tmp_path: Path) -> None:
    backup = str(tmp_path / "backup")
    before = record(home, "attestations")
    all_done([home.run(f"telefine backup {backup}")])
    # Whatever ran in this process has let go of the ledger, once nothing refers to it.
    gc.collect()
    shutil.rmtree(home.own / "store/evidence")
    for file in home.own.glob("ledger.db*"):
        file.unlink()
    assert home.run("telefine attest export DAY FOLDER", FOLDER=str(tmp_path / "out")).code == 1
    gc.collect()
    all_done(home.follow("restore", BACKUP=backup))
    check, *rest = commands("restore", OVER)
    all_done([home.run(line, BACKUP=backup) for line in (check, rest[0])])
    assert (record(home, "attestations"), payouts(home)) == (before, [before["uid"]])


def test_stuck_run_lost_daemon_and_corrupt_partition(home: Rehearsed) -> None:
    """A power cut: a run without a process, one that waits for a daemon that is gone, a record and a table cut off."""
    before, store = record(home, "attestations"), home.own / "store"
    (store / f"records/{PROGRAM}/deltaone_reports/{DAY}.json").write_text("{")
    table = store / f"tables/{PROGRAM}/cleaned_traces/{DAY}.parquet"
    whole = table.read_bytes()
    table.write_bytes(whole[: len(whole) // 2])
    failed = home.run("telefine run contributor_weights --day DAY")
    assert (failed.code, "Parquet" in failed.output) == (1, True)
    stuck, waiting = str(uuid.uuid4()), str(uuid.uuid4())
    here = {"telefine/here": stuck, "telefine/host": socket.gethostname()}
    with dg.DagsterInstance.get() as instance:
        instance.add_run(
            dg.DagsterRun(job_name="__ASSET_JOB", run_id=stuck, status=dg.DagsterRunStatus.STARTED, tags=here)
        )
        instance.add_run(dg.DagsterRun(job_name="__ASSET_JOB", run_id=waiting))
    look, stop, loaded = commands("stuck-run")
    told = home.run(look)
    assert told.code == 1
    assert f"broken   runs: 1 whose process is gone: {stuck}" in told.output
    assert "broken   Dagster daemon: never ran here; what waits for it: 1 runs in the queue" in told.output
    assert f"broken   records: the record of {PROGRAM}/deltaone_reports for {DAY} is no JSON" in told.output
    daemon, corrupt = commands("lost-daemon"), commands("corrupt-partition")
    assert (daemon[0], corrupt[0], corrupt[1]) == (look, look, loaded)
    all_done([home.run(line, RUN=stuck) for line in (stop, *corrupt[1:], daemon[1])])
    assert table.read_bytes() == whole
    with dg.DagsterInstance.get() as instance:
        assert instance.get_run_by_id(stuck).status is dg.DagsterRunStatus.CANCELED
        # As the daemon would when it is back.
        instance.report_run_canceled(instance.get_run_by_id(waiting))
    status, well, *_ = all_done(home.follow("stuck-run", OVER))
    assert (json.loads(status)["runs"], commands("lost-daemon", OVER)) == ([], [look])
    assert "ok       runs: 0 go on or wait" in well
    over = commands("corrupt-partition", OVER)
    assert over[0] == look
    all_done([home.run(line, FOLDER=str(home.folder / "out")) for line in over[1:]])
    assert record(home, "attestations") == before


@pytest.mark.parametrize("guide", [each for each in GUIDES if commands_of(each)], ids=lambda each: each.stem)
def test_every_command_of_a_guide_does_its_work(guide: Path, home: Rehearsed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.folder)
    assert home.run("telefine attest export DAY exported").code == 0
    for line in fitted(commands_of(guide), home):
        done = home.run(line)
        assert done.code == 0, f"{line}\n{done.output}"


def test_what_of_the_guides_is_run_elsewhere_is_still_written_there() -> None:
    text = "\n".join(each.read_text() for each in GUIDES)
    assert [line for line in ELSEWHERE if line not in text] == []
