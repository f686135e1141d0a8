"""What runs count is counted once, however many run at once, whatever becomes of them."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread

import pytest
from filelock import FileLock, Timeout
from hypothesis import given, settings
from hypothesis import strategies as st

from telefine_assets.lm.budget import Spent
from telefine_assets.observing import counting
from telefine_assets.observing.counting import Counts, Tally
from telefine_assets.observing.masking import Masker
from telefine_assets.observing.observer import Observer, StageWork
from telefine_assets.observing.tracing import Tracing
from telefine_assets.observing.watching import Watched
from telefine_assets.settings.observing import CountsSettings, ObservingSettings

HERE = CountsSettings()


def counted(tally, name, **labels):
    """A sample's value in the file; None where there is none."""
    samples = [each for family in tally.read() for each in family.samples]
    return next((each.value for each in samples if (each.name, each.labels) == (name, labels)), None)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.booleans()), max_size=25))
def test_however_processes_take_turns_the_file_has_the_sum_of_all_they_counted(steps):
    with TemporaryDirectory() as folder:
        processes = [(Counts(), Tally(HERE, Path(folder), "paid")) for _ in range(3)]
        for number, times, add in steps:
            counts, tally = processes[number]
            for _ in range(times):
                counts.stages.labels("triage", "traces", "succeeded").inc()
                counts.stage_seconds.labels("triage", "traces").observe(times)
            if add:
                tally.add(counts)
        for counts, tally in processes:
            tally.add(counts)
            tally.add(counts)
        everything = sum(times for _, times, _ in steps) or None
        labels = {"program": "triage", "stage": "traces"}
        assert counted(tally, "telefine_stage_runs_total", **labels, outcome="succeeded") == everything
        assert counted(tally, "telefine_stage_duration_seconds_count", **labels) == everything
        quick = sum(times for _, times, _ in steps if times <= 1) or (0 if everything else None)
        assert counted(tally, "telefine_stage_duration_seconds_bucket", **labels, le="1.0") == quick


def test_what_a_model_is_asked_is_counted_and_the_file_is_what_prometheus_reads(tmp_path):
    counts, tally = Counts(), Tally(HERE, tmp_path, "paid")
    watch = Watched(counts, Tracing(None, "", ""), "triage", "compiled_programs", "lm")
    watch.attempted(0.3, None, Spent(calls=1, input_tokens=70, output_tokens=None))
    watch.attempted(1.2, "LMRateLimitError", None)
    watch.retried()
    tally.add(counts)
    labels = {"program": "triage", "stage": "compiled_programs", "model": "lm"}
    assert counted(tally, "telefine_lm_attempts_total", **labels, outcome="answered") == 1
    assert counted(tally, "telefine_lm_attempts_total", **labels, outcome="LMRateLimitError") == 1
    assert counted(tally, "telefine_lm_attempt_duration_seconds_sum", **labels) == 1.5
    assert counted(tally, "telefine_lm_tokens_total", **labels, direction="input") == 70
    assert counted(tally, "telefine_lm_retries_total", **labels) == 1
    assert counted(tally, "telefine_lm_remembered_total", **labels) == 0
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=tally.path.read_bytes(), capture_output=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def fresh():
    counts = Counts()
    counts.retries.labels("triage", "traces", "lm").inc()
    return counts


def one(tally):
    counts = Counts()
    counts.stages.labels("triage", "traces", "failed").inc()
    tally.add(counts)
    return counted(tally, "telefine_stage_runs_total", program="triage", stage="traces", outcome="failed")


def test_node_exporter_finds_a_file_that_it_may_read_and_the_api_does_not_tell_it_again(tmp_path):
    own = CountsSettings(textfile_dir=tmp_path / "textfiles")
    assert [one(Tally(own, tmp_path, "paid")), one(Tally(own, tmp_path, "paid"))] == [1, 2]
    (file,) = (tmp_path / "textfiles").glob("*.prom")
    assert file.stat().st_mode & 0o777 == 0o644
    assert not own.told_by_api


def test_a_pushgateway_gets_the_sums_of_a_deployment_on_a_machine_under_their_names(receiver, tmp_path, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "worker-3")
    away = CountsSettings(pushgateway=f"{receiver.base}/gateway/")
    units = [Tally(away, tmp_path, "paid"), Tally(away, tmp_path, "paid"), Tally(away, tmp_path / "b", "paid")]
    assert units[0].path == tmp_path / "observing" / "worker-3" / "telefine.prom"
    assert [one(units[0]), one(units[1])] == [1, 2]
    units[2].add(fresh())
    assert {method for method, _, _ in receiver.pushed()} == {"PUT"}
    own, same, other = (path for _, path, _ in receiver.pushed())
    assert re.fullmatch(r"/gateway/metrics/job/telefine_runs/home/[0-9a-f]{12}/instance/worker-3", own)
    assert own == same != other
    told = 'telefine_stage_runs_total{outcome="failed",program="triage",stage="traces"} 2.0'
    assert told in receiver.pushed()[1][2]


def test_what_is_counted_while_another_process_has_the_file_is_added_once(tmp_path):
    counts, tally = fresh(), Tally(HERE, tmp_path, "paid")
    tally.path.parent.mkdir()
    with FileLock(f"{tally.path}.lock"):
        adding = Thread(target=tally.add, args=(counts,))
        adding.start()
        with pytest.raises(Timeout):
            FileLock(f"{tally.path}.lock").acquire(timeout=0.3)  # by now the other waits, too
        counts.retries.labels("triage", "traces", "lm").inc(1000)
    adding.join()
    tally.add(counts)
    labels = {"program": "triage", "stage": "traces", "model": "lm"}
    assert counted(tally, "telefine_lm_retries_total", **labels) == 1001


def test_a_failure_is_counted_from_0_so_that_the_first_is_seen(tmp_path):
    seen = Observer(ObservingSettings(), "paid", tmp_path, Masker())
    with seen.stage(StageWork("triage", "traces", "2026-11-02", "run-1")):
        failed = {"program": "triage", "stage": "traces", "outcome": "failed"}
        assert seen.counts.registry.get_sample_value("telefine_stage_runs_total", failed) == 0
    assert counted(seen.tally, "telefine_stage_runs_total", **failed) == 0


def test_a_gateway_that_never_answers_keeps_nobody_from_the_file_nor_from_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "_PUSH_SECONDS", 0.05)
    asked, let_go = Event(), Event()

    def push(*_, **__):
        asked.set()
        let_go.wait(60)

    monkeypatch.setattr(counting, "push_to_gateway", push)
    away = CountsSettings(pushgateway="http://127.0.0.1:9")
    first, second = Tally(away, tmp_path, "paid"), Tally(away, tmp_path, "paid")
    assert [one(first), one(second), one(first)] == [1, 2, 3]
    assert asked.is_set() and not let_go.is_set()
    let_go.set()


def test_links_that_others_placed_are_not_followed_and_a_folder_into_which_they_may_write_is_refused(tmp_path, caplog):
    tally, victim = Tally(HERE, tmp_path, "paid"), tmp_path / "keystore"
    victim.write_text("a key")
    assert one(tally) == 1
    folder = tally.path.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / f"telefine.{os.getpid()}.new").symlink_to(victim)
    assert one(tally) == 2
    folder.chmod(0o770)
    assert one(tally) == 2
    assert "PermissionError" in caplog.text
    shutil.move(folder, tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    tally.add(fresh())
    assert one(tally) == 2
    assert victim.read_text() == "a key" and not tally.path.is_symlink()


def test_no_run_fails_because_a_gateway_a_disk_or_a_file_does(tmp_path, caplog):
    assert one(Tally(CountsSettings(pushgateway="http://127.0.0.1:9"), tmp_path, "paid")) == 1
    assert "could not be handed to observing.metrics.pushgateway" in caplog.text
    (tmp_path / "a-file").write_text("")
    broken = Tally(HERE, tmp_path / "a-file", "paid")
    with pytest.raises(OSError, match="Not a directory"):
        one(broken)  # reading says so; adding did not
    tally = Tally(HERE, tmp_path, "paid")
    one(tally)
    tally.path.write_text("{{{ no metrics")
    assert one(tally) == 1
    assert "counts begin anew" in caplog.text
