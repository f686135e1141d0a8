"""No erasure takes a proof away, whatever somebody typed, and none misses words that outlive their traces."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from telefine_assets.attestation.bundle import AttestationBundle
from telefine_assets.attestation.files import REPORT
from telefine_assets.attestation.log_records import Erasure
from telefine_assets.attestation.log_writing import say
from telefine_assets.attestation.statement import parse_statement
from telefine_assets.canonical import canonical_json
from telefine_assets.keeping.erasure_list import FILE, Last, came_back, remember, remembered
from telefine_assets.keeping.erasure_plan import Deployment, Program, Theirs, quoted_to_others, said_by
from telefine_assets.keeping.proofs import read_proofs
from telefine_assets.keeping.quoting import RUN, Instructions, Quoting
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.log import LogLeaves
from telefine_assets.ledger.records import Choice
from telefine_assets.partitions import bounds_ms
from telefine_assets.settings.loading import load_settings
from telefine_assets.store.evidence import EvidenceStore
from telefine_assets.store.files import Files
from telefine_assets.traces.records import trace_schema
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, NOON, SIGNER, TUESDAY, PaidHome
from telefine_assets_tests.keeping.test_erasure import (
    CANARY,
    DEMO,
    FORMS,
    OWN,
    REASON,
    holding,
    load,
    opened,
    quoted,
    said,
    store_of,
    stored_texts,
)
from telefine_assets_tests.keeping.test_erasure import home as home
from telefine_assets_tests.keeping.test_erasure import telefine as telefine
from telefine_assets_tests.keeping.test_erasure import template as template
from telefine_assets_tests.payouts.test_plan import wallet
from telefine_assets_tests.traces.mlflow_store import empty_store, fill

CAROL, WEDNESDAY = wallet(7), "2026-11-04"


def proofs_of(home: Path) -> dict[Path, bytes]:
    """What must not change, whatever somebody typed: the evidence and the records."""
    found = [each for part in ("evidence", "records") for each in (home / ".telefine/store" / part).rglob("*")]
    return {path: path.read_bytes() for path in found if path.is_file()}


def told_by(paid: PaidHome, attestation: dict) -> list[str]:
    """What reports say in several words, whole and in part: an attested one, and one of a day without a candidate."""
    bundle = AttestationBundle.from_bytes(paid.evidence.get(attestation["bundle"]))
    evidence = {each.name: each.sha256 for each in parse_statement(bundle.statement).evidence}
    decision = json.loads(paid.evidence.get(evidence[REPORT]))["decision"]
    sentence = "No candidate to compare: 12 of 60 train items so far."
    record = {"reached": False, "sentence": sentence, "regressions": quoted("of others")}
    paid.records.write("triage", "deltaone_reports", WEDNESDAY, record)
    # As a look keeps the record that it ended with.
    paid.evidence.put(canonical_json(record))
    assert decision["grade"] == "improved by at least 1 pp"
    return [decision["grade"], decision["sentence"], decision["sentence"][10:50], sentence, sentence[3:40]]


def test_whoever_types_what_proofs_say_takes_no_proof_away(home, telefine):
    record = opened(home).records.read("triage", "attestations", MONDAY)
    versions = [each.version for each in Champions(opened(home).ledger).history("triage")]
    typed = ["statement", "contributor", "planned", "exact_match", "triage", record["uid"], BOB, "text"]
    typed += [f"sha256:{record['bundle']}", f"sha256:{versions[0]}", '"signatures":{"answer":{"inputs":', "promoted"]
    typed += told_by(opened(home), record)
    uri = f"sqlite:///{home}/.telefine/mlflow.db"
    fill(uri, len(typed), bounds_ms(MONDAY)[0], seed=7, wallets=(CAROL,), ticket=said(*typed))
    before = proofs_of(home)
    code, out, err = telefine("erase", "contributor", CAROL, "--reason", REASON, "--yes", "--json")
    assert code == 0, err
    assert (json.loads(out)["traces"], json.loads(out)["evidence"], json.loads(out)["lost"]) == (len(typed), [], [])
    assert proofs_of(home) == before


def test_a_proof_that_does_not_stand_is_told(home, telefine):
    record = opened(home).records.read("triage", "attestations", MONDAY)
    (home / ".telefine/store/evidence" / record["bundle"][:2] / record["bundle"]).unlink()
    code, out, err = telefine("erase", "contributor", ALICE, "--reason", REASON, "--yes")
    assert (code, record["uid"] in err, "NOT every proof stands" in out) == (1, True, True)


def test_a_report_that_went_for_nobodys_words_is_no_proof_that_stands(home, telefine, monkeypatch):
    """Whoever has the key can say in the log of any file that it was erased, and verification takes the word for it."""
    paid = opened(home)
    record = paid.records.read("triage", "attestations", TUESDAY)
    bundle = AttestationBundle.from_bytes(paid.evidence.get(record["bundle"]))
    (report,) = (each.sha256 for each in parse_statement(bundle.statement).evidence if each.name == REPORT)

    def take(*_):
        say(LogLeaves(paid.ledger), "paid", SIGNER, lambda _: [Erasure(f"0x{report}", REASON)])
        store_of(home).remove(EvidenceStore.name(report))
        return []

    monkeypatch.setattr("telefine_assets.cli.erase_doing._left", take)
    code, out, err = telefine("erase", "contributor", ALICE, "--reason", REASON, "--yes")
    told = f"attestation {record['uid']}: report.json was erased, in which no words can be"
    assert (code, told in err, "NOT every proof stands" in out) == (1, True, True)


def test_words_in_attested_demos_are_found_when_the_traces_are_gone(home, telefine):
    shutil.rmtree(home / ".telefine/store/tables")
    (home / ".telefine/mlflow.db").unlink()
    fill(empty_store(home / ".telefine"), 1, bounds_ms(MONDAY)[0], wallets=(BOB,))
    # As a picture in somebody's trace: an attestation of nothing, by which her words would be what is never erased.
    paid = opened(home)
    made_up = json.loads(paid.evidence.get(paid.records.read("triage", "attestations", MONDAY)["bundle"]))
    for each in made_up["statement"]["predicate"]["evidence"]:
        each["sha256"] = paid.records.read("triage", "attestations", MONDAY)["candidate"]
    paid.evidence.put(json.dumps(made_up).encode())
    assert any("evidence" in each for each in holding(home, [DEMO.encode()]))
    telefine("erase", "contributor", ALICE, "--reason", REASON, "--yes")
    assert not any("evidence" in each for each in holding(home, [DEMO.encode()]))


def test_a_trace_is_whose_mlflow_says_now_its_stored_copy_too(home, telefine):
    with closing(sqlite3.connect(home / ".telefine/mlflow.db")) as database, database:
        query = "SELECT request_id FROM trace_tags WHERE value = ? LIMIT 1"
        (trace,) = database.execute(query, (ALICE.lower(),)).fetchone()
        database.execute(
            "UPDATE trace_tags SET value = ? WHERE request_id = ? AND value = ?", (CAROL, trace, ALICE.lower())
        )
    for who in (CAROL, ALICE):
        told = json.loads(telefine("erase", "contributor", who, "--reason", REASON, "--dry-run", "--json")[1])
        assert (told["traces"], told["days"], len(told["evidence"])) == (1, [f"triage {MONDAY}"], 1)


def test_a_trace_that_named_nobody_when_it_was_stored_is_erased_once_mlflow_names_the_wallet(
    home, telefine, monkeypatch
):
    def cut_off(*_):
        raise KeyboardInterrupt

    with closing(sqlite3.connect(home / ".telefine/mlflow.db")) as database, database:
        tagged = database.execute(
            "SELECT key, value, request_id FROM trace_tags WHERE value = ?", (ALICE.lower(),)
        ).fetchall()
        database.execute("DELETE FROM trace_tags WHERE value = ?", (ALICE.lower(),))
    load(load_settings(home / "telefine.yaml"))
    with closing(sqlite3.connect(home / ".telefine/mlflow.db")) as database, database:
        database.executemany("INSERT INTO trace_tags (key, value, request_id) VALUES (?, ?, ?)", tagged)
    assert {CANARY, DEMO} <= {*stored_texts(home)}
    with monkeypatch.context() as patch:
        patch.setattr("telefine_assets.keeping.erasing._strip", cut_off)
        assert telefine("erase", "contributor", ALICE, "--reason", REASON, "--yes")[0] == 1
    code, _, err = telefine("erase", "again", "--yes")
    assert code == 0, err
    assert (holding(home, FORMS), {CANARY, DEMO} & {*stored_texts(home)}) == ([], set())
    code, out, _ = telefine("erase", "contributor", ALICE, "--reason", REASON, "--yes", "--json")
    assert (code, json.loads(out)["erased"]) == (0, False)


def test_an_erasure_that_is_cut_off_is_remembered_and_so_is_each_later_one(home, telefine, monkeypatch):
    def cut_off(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("telefine_assets.cli.erase_doing._left", cut_off)
        assert telefine("erase", "contributor", ALICE, "--reason", REASON, "--yes")[0] == 1
    store = store_of(home)
    first = remembered(store)[ALICE]
    store.remove(FILE)
    assert telefine("erase", "contributor", ALICE, "--reason", REASON, "--yes")[0] == 0
    assert remembered(store) == {ALICE: first}
    settings, ledger = load_settings(home / "telefine.yaml"), opened(home).ledger
    assert came_back(ledger, store, settings.programs).said == ()
    remember(store, {ALICE: Last(first.at_ms + 1, REASON)})
    remember(store, {ALICE: Last(first.at_ms, "older")})
    found = came_back(ledger, store, settings.programs)
    assert (found.whose, len(found.said), ALICE in found.said[0]) == ({ALICE: REASON}, 1, True)
    # Nothing is left to erase: the ledger learns of it.
    assert telefine("erase", "again", "--yes")[0] == 0
    assert came_back(ledger, store, settings.programs).said == ()
    store.write(FILE, b"{}{")
    code, _, err = telefine("erase", "again")
    assert (code, "erased.json" in err, "Traceback" in err) == (1, True, False)


@pytest.mark.parametrize("where", ["ledger.erasures.Erasures.record", "keeping.erasing._strip"])
def test_what_is_cut_off_on_one_machine_is_gone_on_with_on_another(home, telefine, monkeypatch, where):
    """The second one has another home; ledger, store and MLflow are the same."""

    def cut_off(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"telefine_assets.{where}", cut_off)
        assert telefine("erase", "contributor", ALICE, "--reason", REASON, "--yes")[0] == 1
    shutil.rmtree(home / ".telefine/dagster")
    here, other = home / ".telefine", home / "other.yaml"
    other.write_text(
        f"{OWN}\nhome: elsewhere\nledger: {{url: 'sqlite:///{here}/ledger.db'}}\nstore: {{uri: {here}/store}}\n"
        f"mlflow: {{tracking_uri: 'sqlite:///{here}/mlflow.db'}}\n"
    )
    monkeypatch.setenv("TELEFINE_CONFIG", str(other))
    found = {each["name"]: each for each in json.loads(telefine("doctor", "--no-lm", "--json")[1])}
    assert (found["erasures"]["health"], "telefine erase again" in found["erasures"]["cure"]) == ("broken", True)
    code, _, err = telefine("erase", "again", "--yes")
    assert code == 0, err
    assert holding(home, FORMS) == []


def test_instructions_that_quote_a_part_are_named_with_their_program_and_go_only_if_somebody_says_so(home, telefine):
    paid = opened(home)

    def version(instructions: str) -> str:
        said = {"answer": {"signature": {"instructions": instructions, "fields": []}, "demos": []}}
        return paid.evidence.put(canonical_json({"program": "triage", "state": said}))

    part = version("Be kind. Somebody asked: EIN 'Zebra', in the kitchen; said nobody else. Answer.")
    whole, free = version(f"Somebody asked: {CANARY}"), version("Ein Zebra stands in the kitchen, said somebody else.")
    # As MLflow's registry has it.
    copy = home / ".telefine/artifacts/models/m-2/artifacts/program.json"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(paid.evidence.get(part))
    champions = Champions(paid.ledger)
    first, last = champions.history("triage")
    champions.choose(Choice("triage", TUESDAY, part, "asked to", "ann", "by hand", last.seq), NOON)
    wanted = {part: {"program": "triage", "serves": True}}
    erase = ("erase", "contributor", ALICE, "--reason", REASON, "--yes")
    told = json.loads(telefine(*erase, "--dry-run", "--json")[1])
    assert (told["quoting"], whole in told["evidence"], part in told["evidence"]) == (wanted, True, False)
    before = proofs_of(home)
    code, _, err = telefine(*erase)
    named = f"version {part[:12]} of triage, which serves, quote a part of it"
    assert (code, named in err, "--instructions erase" in err) == (1, True, True)
    assert (proofs_of(home), remembered(store_of(home))) == (before, {})

    code, _, err = telefine(*erase, "--instructions", "erase")
    assert (code, f"triage serves {part[:12]}" in err, "rollback" in err) == (1, True, True)
    last = champions.history("triage")[-1]
    champions.choose(Choice("triage", TUESDAY, first.version, "asked to", "ann", "rollback", last.seq), NOON)
    assert telefine(*erase)[0] == 0
    assert [paid.evidence.is_there(each) for each in (part, whole, free)] == [False, False, True]
    assert not copy.exists()


def test_prompts_of_others_hide_no_words_and_ones_own_prompts_are_none(tmp_path):
    """All who are served by a version have its instructions and demos in their traces."""
    files, ledger = Files(str(tmp_path)), Ledger(f"sqlite:///{tmp_path}/ledger.db")
    words = "my neighbour in the third floor plays the drums at night"
    said = {"answer": {"signature": {"instructions": f"Be kind to all. {words}", "fields": []}, "demos": []}}
    version = EvidenceStore(files).put(canonical_json({"program": "triage", "state": said}))

    def row(who: str, text: str) -> dict[str, object]:
        typed, demos = json.dumps({"ticket": text}), [{"ticket": f"Hello. {words}! Help."}]
        prompt = json.dumps({"system": f"Be kind to all. {words}", "demos": demos})
        empty = dict.fromkeys([field.name for field in trace_schema()], "")
        numbers = {"request_time_ms": 0, "duration_ms": 0, "tokens": 0}
        own = {"trace_id": text, "inputs": typed, "outputs": typed, "spans": prompt, "assessments": "[]"}
        return empty | numbers | own | {"tags": json.dumps({"who": who})}

    def deployment_of(*rows: dict[str, object]) -> Deployment:
        program = Program("who", "signed", lambda: [pa.RecordBatch.from_pylist([*rows], trace_schema())])
        return Deployment(ledger, files, {"triage": program}, ())

    def found(*rows: dict[str, object]) -> Theirs:
        return said_by(deployment_of(*rows), ALICE, read_proofs(ledger, files))

    hers, others = row(ALICE, f"Hello. {words}! Help."), row(BOB, "nothing of hers")
    both, whole = found(hers, others), {f"Hello. {words}! Help."}
    fields = deployment_of(hers, others), ALICE, both.words
    assert quoted_to_others(*fields) == ["triage, MLflow: spans of 1 traces of others, nothing of hers for one"]
    assert (both.quoting, {*both.words}) == ({version}, whole)
    assert found(row(ALICE, "nothing of it"), others).quoting == frozenset()
    assert found(hers, row(BOB, f"As they say: {words}")).quoting == frozenset()
    assert {*found(hers, row(BOB, f"Hello. {words}! Help.")).words} == set()


def test_who_keeps_instructions_that_quote_erases_all_else(home, telefine):
    paid = opened(home)
    said = {"answer": {"signature": {"instructions": f"Ask: {CANARY[9:]}", "fields": []}, "demos": []}}
    version = paid.evidence.put(canonical_json({"program": "triage", "state": said}))
    code, _, err = telefine(
        "erase", "contributor", ALICE, "--reason", REASON, "--yes", "--instructions", "keep", "--json"
    )
    assert (code, paid.evidence.is_there(version), holding(home, FORMS)) == (0, True, []), err


def test_a_run_of_words_that_others_say_too_quotes_nobody():
    said = " ".join(f"word{number}" for number in range(RUN))
    instructions = {"1" * 64: Instructions("triage", (f"Before. {said.upper()}! After",))}
    assert Quoting(instructions, [f"{said} and more"]).versions() == {"1" * 64}
    assert Quoting(instructions, [said.removesuffix(" word7")]).versions() == frozenset()
    quoting = Quoting(instructions, [said])
    quoting.forget([f"I say {said} as well"])
    assert quoting.versions() == frozenset()
