"""``telefine evidence``: one file that verifies anywhere, and nothing removed that a proof needs."""

import io
import os
import time
from pathlib import Path

import pytest

from telefine_assets.attestation.archive import unpack
from telefine_assets.attestation.handed_on import policy_among, verify_files
from telefine_assets.cli.main import main
from telefine_assets.ledger.audit import Audit
from telefine_assets.store.files import Files
from telefine_assets_tests.cli.attested_home import ALICE, BOB, KEY, MONDAY, TUESDAY, PaidHome


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Two attested and paid days, whose evidence is a year old."""
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    made = PaidHome(tmp_path)
    for day, who in ((MONDAY, [ALICE, "carol.eth"]), (TUESDAY, [BOB])):
        made.attest(day, who)
        made.pay(day)
    return made


@pytest.fixture
def telefine(home, capsys):
    """Run a command; returns exit code, output and errors."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([*map(str, arguments)])
        done = capsys.readouterr()
        assert KEY not in done.out + done.err
        return caught.value.code or 0, done.out, done.err

    return run


def evidence(home) -> dict[str, Path]:
    files = Files(home.settings.store.uri)
    return {name.rsplit("/", 1)[-1]: Path(files.path(name)) for name in files.walk("evidence")}


def grow_old(home):
    year_ago = time.time() - 365 * 86_400
    for path in evidence(home).values():
        os.utime(path, (year_ago, year_ago))


def test_an_export_verifies_with_nothing_but_itself(home, telefine, tmp_path):
    uid = home.records.read("triage", "attestations", MONDAY)["uid"]
    code, out, _ = telefine("evidence", "export", MONDAY)
    assert (code, out.split(":")[0]) == (0, f"{uid}.tar")
    files = unpack((tmp_path / f"{uid}.tar").read_bytes())
    found = verify_files(files, policy_among(files), int(time.time()))
    assert (found.verified.uid, found.verified.unchecked, len(found.log.log)) == (uid, (), 3)
    assert telefine("attest", "verify", f"{uid}.tar")[0] == 0


def test_the_same_attestation_is_exported_to_the_same_bytes(home, telefine, tmp_path):
    uid = home.records.read("triage", "attestations", TUESDAY)["uid"]
    for name, wanted in (("a.tar", TUESDAY), ("b.tar", uid)):
        assert telefine("evidence", "export", wanted, "-o", tmp_path / name)[0] == 0
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_what_does_not_verify_is_not_handed_out(home, telefine, tmp_path):
    record = home.records.read("triage", "attestations", MONDAY)
    bundle = evidence(home)[record["bundle"]].read_bytes()
    forged = home.evidence.put(bundle.replace(b'"triage"', b'"triagf"'))
    home.records.write("triage", "attestations", MONDAY, record | {"bundle": forged})
    code, _, err = telefine("evidence", "export", MONDAY, "-o", tmp_path / "a.tar")
    assert (code, (tmp_path / "a.tar").exists()) == (1, False)
    assert "statement_mismatch" in err


def test_nothing_of_an_attestation_is_removed_and_garbage_is(home, telefine, tmp_path):
    before = evidence(home).keys()
    garbage = home.evidence.put(b"of a run that was cut off")
    grow_old(home)
    young = home.evidence.put(b"of a run that is going on")
    code, out, _ = telefine("evidence", "gc")
    assert (code, "1 files that nothing reaches, 25 bytes" in out, "--delete" in out) == (0, True, True)
    assert evidence(home).keys() == before | {garbage, young}
    code, out, _ = telefine("evidence", "gc", "--delete", "--yes", "--by", "ann")
    assert (code, "1 files removed" in out) == (0, True)
    assert evidence(home).keys() == before | {young}
    for day in (MONDAY, TUESDAY):
        assert telefine("evidence", "export", day)[0] == 0
        assert telefine("payouts", "plan", day)[0] == 0
    row = Audit(home.ledger).rows()[-1]
    assert (row.actor, row.action, row.details["files"], row.details["bytes"]) == ("ann", "remove evidence", 1, "25")


def test_an_attestation_that_no_record_names_any_more_is_kept_with_its_evidence(home, telefine):
    for stage in ("attestations", "contributor_payouts"):
        for day in (MONDAY, TUESDAY):
            home.records.write("triage", stage, day, {"uid": None})
    before = evidence(home).keys()
    bundles = [digest for digest, path in evidence(home).items() if b'"envelope"' in path.read_bytes()]
    grow_old(home)
    telefine("evidence", "gc", "--delete", "--yes", "--by", "ann")
    assert set(bundles) <= evidence(home).keys()
    # The claims of the two payouts are named by their records alone; the plans by the ledger.
    assert len(before - evidence(home).keys()) == 2


def test_removal_is_asked_for_and_has_a_name(home, telefine, monkeypatch):
    garbage = home.evidence.put(b"x")
    grow_old(home)
    code, _, err = telefine("evidence", "gc", "--delete", "--yes")
    assert (code, "--by" in err) == (1, True)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert telefine("evidence", "gc", "--delete", "--by", "ann")[0] != 0
    assert garbage in evidence(home)
