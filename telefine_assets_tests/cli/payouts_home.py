"""A paid home and ``telefine payouts`` in it, for the tests of that command."""

from __future__ import annotations

import shutil

import pytest

from telefine_assets.cli.main import main
from telefine_assets_tests.cli.attested_home import ALICE, BOB, KEY, MONDAY, TUESDAY, PaidHome
from telefine_assets_tests.payouts.test_plan import wallet

POOL = 10**18 + 1
HALF = POOL // 2
TOKEN, ESCROW, CONTRACT = wallet(500), wallet(600), wallet(700)
DEADLINE = 4_102_444_800


def paid_home(folder, monkeypatch, template) -> PaidHome:
    """Two attested days: Monday's half is nobody's, Tuesday's is Bob's alone; both are paid, Tuesday first.

    The first home leaves a copy of what it attested and paid at ``template``, for the next ones.
    """
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", KEY)
    monkeypatch.setenv("TELEFINE_CONFIG", str(folder / "telefine.yaml"))
    monkeypatch.setenv("COLUMNS", "160")
    if not template.exists():
        made = PaidHome(folder)
        made.attest(MONDAY, [ALICE, "carol.eth"])
        made.attest(TUESDAY, [BOB])
        made.pay(TUESDAY)
        made.pay(MONDAY)
        made.ledger.close()
        shutil.copytree(folder / ".telefine", template)
    shutil.copytree(template, folder / ".telefine", dirs_exist_ok=True)
    return PaidHome(folder)


def run(capsys, *arguments) -> tuple[int, str, str]:
    """Run ``telefine payouts``; returns exit code, output and errors."""
    with pytest.raises(SystemExit) as caught:
        main(["payouts", *map(str, arguments)])
    done = capsys.readouterr()
    assert KEY not in done.out + done.err
    return caught.value.code or 0, done.out, done.err


def write(telefine, output=None, day=TUESDAY, **changes) -> tuple[int, str, str]:
    """Write a mint request; ``changes`` are options, None leaves one out."""
    options = {
        "model-id": "12345678901234567890",
        "chain-id": 31337,
        "contract": CONTRACT,
        "spec-id": "triage-v1",
        "max-cost": 5_000_000,
        "actual-cost": 2_340_000,
        "deadline": DEADLINE,
    } | changes
    given = [part for name, value in options.items() if value is not None for part in (f"--{name}", value)]
    return telefine("mint-request", "write", day, *given, *(["--output", output] if output else []))


def set_payout(home: PaidHome, text: str) -> None:
    """Add to the payout settings of a home's file."""
    file = home.home / "telefine.yaml"
    file.write_text(file.read_text().rstrip().removesuffix("}") + f", {text}}}\n")
