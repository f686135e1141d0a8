"""A contributor's words are gone from every byte of the deployment, and every proof stands."""

import gc
import html
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from telefine_assets.cli.main import main
from telefine_assets.keeping.erasure_list import Last, remember, remembered
from telefine_assets.keeping.words import texts_in
from telefine_assets.ledger.answers import Answers
from telefine_assets.ledger.audit import Audit
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.erasures import Erasures
from telefine_assets.ledger.log import LogLeaves
from telefine_assets.ledger.records import Choice
from telefine_assets.ledger.spool import Spool
from telefine_assets.partitions import bounds_ms
from telefine_assets.settings.loading import load_settings
from telefine_assets.store.files import Files
from telefine_assets.store.kept import RemovedError, require_kept
from telefine_assets.store.tables import TableStore
from telefine_assets.traces.days import clean_stored_day, load_day
from telefine_assets.traces.records import ERASED, table_to_window
from telefine_assets_tests.cli.attested_home import ALICE, BOB, KEY, MONDAY, SETTINGS, TUESDAY, PaidHome
from telefine_assets_tests.ledger.spooling import batch, offer, sha
from telefine_assets_tests.traces.mlflow_store import empty_store, fill

CANARY = 'Überall ein "Zebra" <in> the \\ kitchen, said nobody else'
DEMO = f"asked on {MONDAY}, 0"
"""What Alice asked, by ``attested_home``: a demo of Monday's version, which is attested and no longer serves."""
SERVED = f"asked on {TUESDAY}, 0"
"""What Bob asked: a demo of the version that serves."""
FORMS = {form.encode() for text in (CANARY, DEMO) for form in (text, json.dumps(text)[1:-1], html.escape(text))}
REASON = "asked by mail"
OWN = SETTINGS.replace("nowhere.to:be_found", "telefine_assets_tests.programs.tickets:build").replace(
    "    split:",
    "    cleaning: {outcomes: [{feedback: resolved, kind: boolean}], expectations: {team: right_team}}\n    split:",
)


def quoted(text):
    """As a report shows the items on which a candidate is worse."""
    return {"regressed": [{"item": "1" * 64, "inputs": {"ticket": text}, "label": {"team": "billing"}}], "count": 1}


def said(*texts):
    """Tickets in turn, each with a team that others have as well."""
    left = iter(texts)
    return lambda _rng: (next(left), "billing")


def build(folder: Path) -> None:
    """Two attested and paid days; Alice's words in all places, among those of others."""
    home = PaidHome(folder)
    (folder / "telefine.yaml").write_text(OWN)
    settings = home.settings = load_settings(folder / "telefine.yaml")
    for day, who in ((MONDAY, [ALICE, "carol.eth"]), (TUESDAY, [BOB])):
        home.attest(day, who)
        home.pay(day)
    uri, start = empty_store(folder / ".telefine"), bounds_ms(MONDAY)[0]
    fill(uri, 30, start, wallets=(BOB, "0x8617E340B3D01FA5F11F306F4090FD50E238070D"))
    fill(uri, 2, start, seed=1, wallets=(ALICE.lower(),), ticket=said(CANARY, DEMO))
    fill(uri, 1, bounds_ms(TUESDAY)[0], seed=2, wallets=(BOB,), ticket=said(SERVED))
    load(settings)
    spool = Spool(home.ledger)
    body = json.dumps({"inputs": {"ticket": CANARY}, "contributor": ALICE})
    spool.accept(batch(offer("hers"), offer("others", "nothing of hers"), program="triage"), 1)
    spool.accept(batch(type(offer("x"))(sha("words"), sha("all"), body), program="triage"), 1)
    spool.drained("triage", 2, {}, 2)
    Answers(home.ledger).keep(sha("asked"), json.dumps({"text": f"You said: {CANARY}"}))
    Answers(home.ledger).keep(sha("asked something else"), json.dumps({"text": "billing"}))
    home.evidence.put(f"<p>{html.escape(CANARY)}</p>".encode())
    model = folder / ".telefine/artifacts/models/m-1/artifacts/program.json"
    model.parent.mkdir(parents=True)
    model.write_text(json.dumps({"demos": [{"ticket": DEMO}]}))
    model.with_name("other.json").write_text(json.dumps({"demos": [{"ticket": "of others"}]}))
    home.records.write("triage", "deltaone_reports", TUESDAY, {"regressions": quoted(CANARY), "reached": True})
    home.records.write("triage", "compiled_programs", TUESDAY, {"candidate": None, "baseline": "b" * 64})
    home.ledger.close()
    talk(folder / ".telefine/dagster")


def talk(folder: Path) -> None:
    """Two runs of Dagster: one quotes her, and one does not."""
    import dagster as dg

    @dg.op
    def say(context):
        context.log.info(f"an item: {context.run.tags['says'][:40]}...")

    @dg.job
    def talk():
        say()

    folder.mkdir()
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        for text in (CANARY, "nothing of hers"):
            talk.execute_in_process(instance=instance, tags={"says": text})


def runs_of(home: Path) -> list[str]:
    """What the runs that Dagster has say."""
    import dagster as dg

    with dg.DagsterInstance.from_config(str(home / ".telefine/dagster")) as instance:
        return [run.tags["says"] for run in instance.get_runs()]


def load(settings, uri=None) -> None:
    """What the first two stages do."""
    from telefine_assets.programs.spec import load_spec
    from telefine_assets.store.records import RecordStore
    from telefine_assets.traces.sources.opening import open_source, query_of

    files, program = Files(settings.store.uri), settings.programs["triage"]
    tables, fields = TableStore(files), load_spec("triage", program).fields
    source = open_source("auto", uri or settings.mlflow.tracking_uri)
    for day in (MONDAY, TUESDAY):
        query = query_of(program, tuple(fields.inputs), *bounds_ms(day))
        load_day(source, query, tables, lambda _: "", "triage", day)
        clean_stored_day(tables, RecordStore(files), "triage", day, fields, program)


TEMPLATES: list[Path] = []


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A filled home, made once for all modules."""
    if not TEMPLATES:
        folder = tmp_path_factory.mktemp("erasing")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
            build(folder)
        TEMPLATES.append(folder)
    gc.collect()
    # What Dagster and MLflow leave is looked through after every command otherwise.
    gc.freeze()
    yield TEMPLATES[0]
    gc.unfreeze()


@pytest.fixture
def home(template, tmp_path, monkeypatch):
    """A copy; MLflow's database is told where its files are now."""
    folder = tmp_path / "home"
    shutil.copytree(template, folder)
    with closing(sqlite3.connect(folder / ".telefine/mlflow.db")) as database, database:
        here = str(folder / ".telefine/artifacts")
        database.execute("UPDATE experiments SET artifact_location = ? WHERE name = 'tickets'", (here,))
        database.execute("UPDATE experiments SET artifact_location = ? WHERE name <> 'tickets'", (f"{here}-of-none",))
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
    monkeypatch.setenv("TELEFINE_CONFIG", str(folder / "telefine.yaml"))
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return folder


@pytest.fixture
def telefine(home, capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([*map(str, arguments)])
        gc.collect()
        done = capsys.readouterr()
        return int(caught.value.code or 0), done.out, done.err

    return run


def opened(home: Path) -> PaidHome:
    (home / "telefine.yaml").write_text(SETTINGS)
    paid = PaidHome(home)
    (home / "telefine.yaml").write_text(OWN)
    return paid


def holding(folder: Path, forms) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in forms)
    )


def store_of(home: Path) -> Files:
    return Files(f"{home}/.telefine/store")


def others_of(home: Path):
    table = TableStore(Files(f"{home}/.telefine/store")).read("triage", "traces", MONDAY).to_pylist()
    return [row for row in table if ALICE.lower() not in row["tags"]]


def stored_texts(home: Path):
    """What stands in the store's tables, which are compressed."""
    tables = TableStore(Files(f"{home}/.telefine/store"))
    for path in (home / ".telefine/store/tables").glob("*/*/*.parquet"):
        for row in tables.read(*path.with_suffix("").parts[-3:]).to_pylist():
            yield from texts_in([*row.values()])


def test_no_byte_of_the_words_is_left_and_every_proof_stands(home, telefine):
    assert {Path(each).parts[1] for each in holding(home, FORMS)} >= {"ledger.db", "mlflow.db", "store", "artifacts"}
    before, whole = others_of(home), telefine("audit", "verify", "--json")
    assert {CANARY, DEMO} <= {*stored_texts(home)}
    code, out, _ = telefine("erase", "contributor", ALICE, "--reason", REASON, "--dry-run", "--json")
    told = json.loads(out)
    assert (code, told["traces"], told["spooled"], told["answers"], told["mlflow_files"]) == (0, 2, 1, 1, 1)
    assert (told["days"], len(told["evidence"]), len(told["attested"])) == ([f"triage {MONDAY}"], 2, 1)
    assert holding(home, FORMS) != []

    code, out, err = telefine("erase", "contributor", ALICE.lower(), "--reason", REASON, "--yes", "--by", "ann")
    assert code == 0, err
    assert "every proof stands, 1 of the attestations by the log's word" in out
    assert holding(home, FORMS) == []
    assert others_of(home) == before
    assert runs_of(home) == ["nothing of hers"]
    assert holding(home, [CANARY[:30].encode(), json.dumps(CANARY)[1:30].encode()]) == []
    assert {who: last.reason for who, last in remembered(store_of(home)).items()} == {ALICE: REASON}
    report = opened(home).records.read("triage", "deltaone_reports", TUESDAY)
    assert report == {"regressions": quoted("(erased)"), "reached": True}
    assert not {CANARY, DEMO} & {*stored_texts(home)}
    assert (home / ".telefine/artifacts/models/m-1/artifacts/other.json").exists()

    paid = opened(home)
    assert Audit(paid.ledger).verify(json.loads(whole[1])["last"]) > json.loads(whole[1])["rows"]
    assert Answers(paid.ledger).find(sha("asked something else")) is not None
    row = [each for each in Audit(paid.ledger).rows() if each.actor == "ann"][-1]
    assert (row.subject, row.details["reason"], row.details["trace"], row.details["evidence"]) == (ALICE, REASON, 2, 2)
    monday = paid.records.read("triage", "attestations", MONDAY)
    for day in (MONDAY, TUESDAY):
        paid.pay(day)
    gc.collect()
    code, _, err = telefine("attest", "export", MONDAY, home / "out")
    assert code == 0, err
    code, _, err = telefine("attest", "verify", home / "out")
    assert (code, "evidence_erased: candidate.json" in err) == (1, True)
    code, out, _ = telefine("attest", "verify", home / "out", "--accept-erased", "--json")
    found = json.loads(out)
    assert (code, found["uid"], found["unchecked"]) == (0, monday["uid"], ["decision"])
    assert [(each["name"], each["reason"]) for each in found["erased"]] == [("candidate.json", REASON)]
    code, out, _ = telefine("attest", "verify", home / "out", "--accept-erased")
    assert "1 files of evidence were erased at a person's request" in out
    assert telefine("payouts", "proof", ALICE)[0] == 0
    assert telefine("backup", home / "backup", "--without", "dagster")[0] == 0
    assert remembered(Files(str(home / "backup"))) == remembered(store_of(home))
    assert holding(home, FORMS) == []


def test_a_second_run_changes_nothing_and_what_was_made_is_not_made_again_without_the_words(home, telefine):
    shutil.copy(home / ".telefine/mlflow.db", home / "earlier.db")
    assert telefine("erase", "contributor", ALICE, "--reason", REASON, "--yes")[0] == 0
    tables = TableStore(Files(f"{home}/.telefine/store"))
    stub = [row for row in tables.read("triage", "traces", MONDAY).to_pylist() if row["fingerprint"] == ERASED]
    assert {json.loads(row["tags"])["telefine.contributor"] for row in stub} == {ALICE.lower()}
    cleaned = tables.read("triage", "cleaned_traces", MONDAY)
    kept = {row["trace_id"] for row in cleaned.to_pylist()}
    assert {row["trace_id"] for row in stub} <= kept
    assert not {each.trace_id for each in table_to_window(cleaned).traces} & {row["trace_id"] for row in stub}
    records = opened(home).records
    with pytest.raises(RemovedError, match="words were erased since"):
        require_kept(records, "triage", [MONDAY, TUESDAY])
    require_kept(records, "triage", [MONDAY, TUESDAY, "2026-11-04"])
    gc.collect()

    load(load_settings(home / "telefine.yaml"), f"sqlite:///{home}/earlier.db")
    assert not {CANARY, DEMO} & {*stored_texts(home)}
    assert [row for row in tables.read("triage", "traces", MONDAY).to_pylist() if row["fingerprint"] == ERASED] == stub
    assert not {row["trace_id"] for row in stub} & {
        *tables.read("triage", "cleaned_traces", MONDAY)["trace_id"].to_pylist()
    }

    state = {
        path: path.read_bytes()
        for path in (home / ".telefine").rglob("*")
        if path.suffix in ("", ".json", ".parquet") and path.is_file()
    }
    audited = telefine("audit", "verify", "--json")[1]
    code, out, _ = telefine("erase", "contributor", ALICE, "--reason", "again", "--yes", "--json")
    assert (code, json.loads(out)["left"]) == (0, [])
    assert telefine("audit", "verify", "--json")[1] == audited
    assert {path: path.read_bytes() for path in state} == state


def test_words_that_an_older_backup_brings_back_are_erased_again_by_the_restore(home, telefine):
    assert telefine("backup", home / "backup", "--without", "dagster")[0] == 0
    # As if they had been erased since, and all but the place with backups was lost: MLflow, in this process, would go
    # on with the file that the restore replaces.
    remember(Files(str(home / "backup")), {ALICE: Last(1, REASON)})
    code, out, err = telefine("restore", home / "backup", "--without", "dagster", "--replace", "--yes", "--json")
    assert (code, f"older than the erasure of what {ALICE} said" in err) == (0, True)
    assert json.loads(out)["came_back"] == [f"the ledger is older than the erasure of what {ALICE} said"]
    shutil.rmtree(home / "backup")
    assert holding(home, FORMS) == []
    assert [row.details["reason"] for row in Audit(opened(home).ledger).rows(ALICE)] == [REASON]
    code, out, _ = telefine("erase", "again", "--yes", "--json")
    assert (code, json.loads(out)) == (0, {"came_back": [], "erased": []})
    found = {each["name"]: each for each in json.loads(telefine("doctor", "--no-lm", "--json")[1])}
    assert found["erasures"]["health"] != "broken"


def test_what_serves_is_named_and_goes_once_another_version_serves(home, telefine):
    code, _, err = telefine("erase", "contributor", BOB, "--reason", REASON, "--yes")
    assert (code, "triage serves" in err, "rollback" in err) == (1, True, True)
    assert any("evidence" in each for each in holding(home, [SERVED.encode()]))
    paid = opened(home)
    champions = Champions(paid.ledger)
    first, last = champions.history("triage")
    champions.choose(
        Choice("triage", TUESDAY, first.version, "asked to", "ann", "rollback", last.seq),
        datetime(2026, 11, 21, tzinfo=UTC),
    )
    gc.collect()
    code, _, err = telefine("erase", "contributor", BOB, "--reason", REASON, "--yes")
    assert code == 0, err
    assert holding(home, [SERVED.encode()]) == []


def test_nobody_can_pass_a_missing_file_off_as_erased(home, telefine):
    paid = opened(home)
    record = paid.records.read("triage", "attestations", MONDAY)
    bundle = json.loads(paid.evidence.get(record["bundle"]))
    rows = next(each for each in bundle["statement"]["predicate"]["evidence"] if each["name"] == "rows.jsonl")
    telefine("erase", "contributor", ALICE, "--reason", REASON, "--yes")
    assert telefine("attest", "export", MONDAY, home / "out")[0] == 0
    (home / f"out/evidence/{rows['sha256']}").unlink()
    code, _, err = telefine("attest", "verify", home / "out")
    assert (code, "evidence_missing" in err) == (1, True)
    assert Erasures(paid.ledger).contributors() == [ALICE]
    assert LogLeaves(paid.ledger).size() == 4
