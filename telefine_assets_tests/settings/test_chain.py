"""Settings of the transactions: no key in the file or shown, and each program its own contract."""

import json

import pytest

from telefine_assets.settings.loading import printable
from telefine_assets_tests.payouts.test_plan import wallet
from telefine_assets_tests.small_settings import SECRET, mistakes

pytestmark = pytest.mark.usefixtures("own_environment")

URL = f"https://node.example/v2/{SECRET}"


@pytest.mark.parametrize("place", ["", "profiles/production/"])
def test_the_nodes_url_comes_from_the_environment_and_is_never_shown(load, monkeypatch, place):
    (line,) = mistakes(load, {f"{place}chain/rpc_url": URL})
    assert "TELEFINE_CHAIN__RPC_URL" in line
    assert SECRET not in line


def test_the_nodes_url_is_masked(load, monkeypatch):
    monkeypatch.setenv("TELEFINE_CHAIN__RPC_URL", URL)
    settings = load()
    assert settings.chain.rpc_url.get_secret_value() == URL
    assert SECRET not in f"{settings!r} {settings} {json.dumps(printable(settings))}"


def test_the_senders_files_are_relative_to_the_settings(load, tmp_path):
    chain = load({"chain/keystore": "keys/sender.json", "chain/password_file": "/run/password"}).chain
    assert (chain.keystore, str(chain.password_file)) == (tmp_path / "keys/sender.json", "/run/password")


def test_no_two_programs_share_a_distributor_and_addresses_are_checksummed(load):
    assert load({"chain/distributors": {"tickets": wallet(1), "mails": wallet(2)}}).chain.distributors
    (line,) = mistakes(load, {"chain/distributors": {"tickets": wallet(1), "mails": wallet(1)}})
    assert "each needs its own" in line
    for wrong in ("0x" + "0" * 40, "alice.eth", "0x" + "ab" * 20):
        (line,) = mistakes(load, {"chain/distributors": {"tickets": wrong}})
        assert "checksummed" in line
