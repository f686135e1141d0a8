"""Mint requests that are not signed: with other terms than ours, for what is not paid for, beside another one."""

import pytest

from telefine_assets.canonical import sha256_hex
from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.records import ROLLBACK, Choice, Promotion
from telefine_assets.payouts.mint_file import MintFile
from telefine_assets_tests.cli.attested_home import ALICE, BOB, MONDAY, NOON, TUESDAY
from telefine_assets_tests.cli.payouts_home import CONTRACT, DEADLINE, ESCROW, paid_home, run, set_payout, write
from telefine_assets_tests.payouts.test_plan import wallet

WEDNESDAY = "2026-11-04"
THIEF, ELSEWHERE = wallet(666), wallet(701)
OURS = {
    "chain_id": 31337,
    "contract": f'"{CONTRACT}"',
    "model_id": '"12345678901234567890"',
    "spec_id": "triage-v1",
    "metric_family": "proportion",
    "escrow_wallet": f'"{ESCROW}"',
}
THEIRS = {
    "chain_id": 1,
    "contract": ELSEWHERE,
    "model_id": 2,
    "spec_id": "triage-v2",
    "metric_family": "loss",
    "escrow_wallet": THIEF,
}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return tmp_path_factory.mktemp("paid") / "home"


@pytest.fixture
def home(tmp_path, monkeypatch, template):
    return paid_home(tmp_path, monkeypatch, template)


@pytest.fixture
def telefine(home, capsys):
    return lambda *arguments: run(capsys, *arguments)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "mint.json"


def sign(telefine, file, *options):
    return telefine("mint-request", "sign", file, *options)


@pytest.mark.parametrize("name", THEIRS)
def test_whoever_writes_a_request_does_not_choose_the_terms(home, telefine, file, name):
    given = {"escrow-wallet": ESCROW, name.replace("_", "-"): THEIRS[name]}
    assert write(telefine, file, MONDAY, **given)[0] == 0
    set_payout(home, "mint: {" + ", ".join(f"{key}: {value}" for key, value in OURS.items()) + "}")
    for options in ((), ("--yes",)):
        code, out, err = sign(telefine, file, *options)
        assert (code, out, f"payout.mint.{name} is " in err) == (1, "", True)
    assert MintFile.from_bytes(file.read_bytes()).signers == ()
    file.unlink()
    assert write(telefine, file, MONDAY)[0] == 0
    assert sign(telefine, file, "--yes")[0] == 0


def test_what_the_settings_do_not_name_is_for_the_attester_to_read(telefine, file):
    write(telefine, file, MONDAY, **{"escrow-wallet": THIEF})
    code, out, _ = sign(telefine, file)
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert code == 0
    assert lines[THIEF].endswith("in escrow: what unresolved contributors earned")
    assert "escrow" not in lines[ALICE]


def test_a_request_without_an_escrow_is_not_held_to_an_escrow_wallet(home, telefine, file):
    set_payout(home, f'mint: {{escrow_wallet: "{ESCROW}"}}')
    assert write(telefine, file)[0] == 0
    assert sign(telefine, file, "--yes")[0] == 0


def test_an_attestation_has_one_request_wherever_it_would_be_sent(home, telefine, file, tmp_path):
    write(telefine, file)
    others = ({"contract": ELSEWHERE}, {"model-id": 2}, {"chain-id": 1}, {"deadline": DEADLINE + 1})
    for number, changes in enumerate(others):
        assert write(telefine, tmp_path / f"{number}.json", **changes)[0] == 0
    assert sign(telefine, file)[0] == sign(telefine, tmp_path / "0.json")[0] == 0
    assert sign(telefine, file, "--yes")[0] == 0
    standing = MintFile.from_bytes(file.read_bytes()).request.digest
    for number, changes in enumerate(others):
        for options in ((), ("--yes",)):
            code, _, err = sign(telefine, tmp_path / f"{number}.json", *options)
            assert (code, f"has a mint request already, {standing}" in err) == (1, True)
        code, _, err = write(telefine, None, **changes)
        assert (code, standing in err) == (1, True)
    assert sign(telefine, file, "--yes")[0] == write(telefine, None)[0] == 0
    assert write(telefine, tmp_path / "monday.json", MONDAY, **{"escrow-wallet": ESCROW})[0] == 0
    assert sign(telefine, tmp_path / "monday.json", "--yes")[0] == 0


def test_a_gain_that_was_won_back_is_minted_no_more_than_it_is_paid(home, telefine, file, monkeypatch):
    champions = Champions(home.ledger)
    first = champions.history("triage")[0]
    last = champions.current("triage")
    champions.choose(Choice("triage", TUESDAY, first.version, "it was wrong", "ann", ROLLBACK, last.seq), NOON)
    uid = home.attest(WEDNESDAY, [BOB])
    assert champions.of(uid).gain is None
    code, _, err = write(telefine, file, WEDNESDAY)
    assert (code, f"attestation {uid} won back gain 2 of triage" in " ".join(err.split())) == (1, True)
    # Who asks for a signature may have written it without our checks.
    with monkeypatch.context() as unchecked:
        unchecked.setattr("telefine_assets.ledger.mint_requests._require", lambda *_: False)
        assert write(telefine, file, WEDNESDAY)[0] == 0
    code, _, err = sign(telefine, file, "--yes")
    assert (code, "is paid or minted on it again" in " ".join(err.split())) == (1, True)


def test_an_attestation_that_promoted_nothing_is_not_minted(home, telefine, file):
    """Thursday serves already when Wednesday is attested."""
    thursday = "2026-11-05"
    serves = Champions(home.ledger).current("triage").version
    Champions(home.ledger).promote(Promotion("triage", thursday, sha256_hex(b"4"), serves, "0x" + "4" * 64), NOON)
    uid = home.attest(WEDNESDAY, [BOB])
    code, _, err = write(telefine, file, WEDNESDAY)
    assert (code, f"attestation {uid} promoted nothing" in err, file.exists()) == (1, True, False)


def test_whoever_signs_is_told_that_the_tree_pays_too(home, telefine, file):
    home.attest(WEDNESDAY, [BOB])
    assert "tree pays" not in write(telefine, None, WEDNESDAY)[1]
    assert "the cumulative tree pays for this attestation too, 1000000000000000001" in write(telefine, file)[1]
    assert "of TOKEN/18; what is minted comes on top" in sign(telefine, file)[1]
