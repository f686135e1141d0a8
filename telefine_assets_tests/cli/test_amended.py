"""What commands say of a day that was issued again, and of one that was revoked."""

import json

import pytest

from telefine_assets.cli.main import main
from telefine_assets_tests.api.served import paid_home
from telefine_assets_tests.cli.attested_home import ALICE, KEY, MONDAY, TUESDAY

FOUND, LEFT = "+12.50 pp", "+11.75 pp"


@pytest.fixture
def home(tmp_path, own_environment, monkeypatch):
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
    monkeypatch.setenv("COLUMNS", "240")
    return paid_home(tmp_path)


@pytest.fixture
def telefine(home, capsys):
    """Run ``telefine``; returns exit code, output and errors."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([*map(str, arguments)])
        done = capsys.readouterr()
        return caught.value.code or 0, " ".join(done.out.split()), done.err

    return run


def test_every_command_tells_of_both(home, telefine, tmp_path):
    first = home.records.read("triage", "attestations", MONDAY)["uid"]
    assert "standing" in telefine("deltaone", "show", MONDAY, "--json")[1]
    assert "revoked" not in telefine("deltaone", "show", MONDAY)[1] + telefine("deltaone", "explain", MONDAY)[1]
    home.revoke(first, "a forged \x1b[2J wallet")
    since = f"The look found {FOUND}, which was revoked on 2026-11-20 12:00 UTC at position 3 of the log: a forged"
    for command in ("show", "explain"):
        code, out, _ = telefine("deltaone", command, MONDAY)
        assert (code, since in out, "No claim is in force for this day." in out) == (0, True, True)
        assert "\x1b[2J" not in out
    code, out, _ = telefine("payouts", "show", MONDAY)
    assert (code, f"since then: {since}" in out, "What was paid stands, and is paid once." in out) == (0, True, True)
    (day,) = json.loads(telefine("contributors", "show", ALICE, "--json")[1])["days"]
    assert (day["outcome"], day["amount"] is not None) == ("planned", True)

    again = home.prepare_again(MONDAY)
    home.sign_again(MONDAY)
    code, out, _ = telefine("deltaone", "show", MONDAY)
    assert (code, "**Corrected.** The look found" in out) == (0, True)
    assert f"with {LEFT}, at least +7.80 pp: that is in force" in out
    assert f"In force: `{again}`" in out
    told = json.loads(telefine("deltaone", "show", MONDAY, "--json")[1])
    assert (told["standing"]["code"], told["standing"]["in_force"]) == ("corrected", again)
    telefine("deltaone", "show", MONDAY, "--html", tmp_path / "out.html")
    assert f"{LEFT} after a correction" in (tmp_path / "out.html").read_text()
    (paid,) = json.loads(telefine("payouts", "show", MONDAY, "--json")[1])
    assert (paid["attestation"], paid["standing"]["in_force"]) == (first, again)


def test_of_a_day_that_pays_nobody_the_weights_are_those_in_force(home, telefine):
    """The second attestation gives Alice half, whatever the day's first weights were."""
    unpaid = {"plan": None, "outcome": "nothing", "reason": "later", "attestation": None}
    home.records.write("triage", "contributor_payouts", MONDAY, unpaid)
    first = home.records.read("triage", "attestations", MONDAY)["uid"]
    weighed = home.records.read("triage", "contributor_weights", MONDAY)
    weighed["weights"]["lines"][0]["weight_ppm"] = 900_000
    home.records.write("triage", "contributor_weights", MONDAY, weighed)
    home.revoke(first)
    assert "900000" in telefine("contributors", "show", ALICE)[1]
    (day,) = json.loads(telefine("contributors", "show", ALICE, "--json")[1])["days"]
    assert (day["outcome"], day["weight_ppm"]) == ("revoked", 900_000)
    assert "what was attested was revoked, and no claim is in force" in telefine("contributors", "why", ALICE)[1]
    home.prepare_again(MONDAY)
    home.sign_again(MONDAY)
    assert "500000, corrected from 900000" in telefine("contributors", "show", ALICE)[1]


def test_every_attestation_of_a_chain_can_be_exported_and_the_last_one_verifies(home, telefine, tmp_path):
    uids = [home.records.read("triage", "attestations", TUESDAY)["uid"]]
    for lost in (3, 2):
        home.revoke(uids[-1])
        home.prepare_again(TUESDAY, lost, f"{lost} labels")
        uids.append(home.sign_again(TUESDAY))
    assert len({*uids}) == 3
    for uid in uids:
        assert telefine("attest", "export", uid, tmp_path / uid)[0] == 0
        code, _, errors = telefine("attest", "verify", tmp_path / uid)
        assert (code == 0, "revoked" in errors) == (uid == uids[-1], uid != uids[-1])
    replaced = [f"instead of {uid}, which was revoked" for uid in uids[:2]]
    assert all(each in telefine("attest", "verify", tmp_path / uids[-1])[1] for each in replaced)


def test_the_state_tells_what_the_newest_day_came_to_and_that_it_was_revoked(home, telefine):
    uid = home.records.read("triage", "attestations", TUESDAY)["uid"]
    home.records.write("triage", "deltaone_reports", TUESDAY, home.records.read("triage", "deltaone_reports", MONDAY))
    said = f"{TUESDAY}: 1 trace; DeltaOne +8.18 pp; attested {uid}"
    before = telefine("status")[1]
    assert said in before
    assert f"last comparison {TUESDAY}: DeltaOne +8.18 pp {said}" in before, "rounded as everywhere"
    assert f"{said};" not in before
    home.revoke(uid)
    assert f"{said}; revoked, and no claim is in force" in telefine("status")[1]
    (program,) = json.loads(telefine("status", "--json")[1])["programs"]
    assert (program["latest"]["attestation"], program["latest"]["delta_ppm"]) == (uid, 81_896)
