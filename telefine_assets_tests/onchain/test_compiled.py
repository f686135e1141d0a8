"""What is checked in is what the pinned compiler makes of the source."""

import sys

import pytest

from telefine_assets.onchain.distributor import COMPILER, compile_distributor, distributor, distributor_source
from telefine_assets.onchain.errors import ChainError


def test_a_fresh_compile_gives_the_contract_that_is_checked_in():
    assert compile_distributor() == distributor()
    assert distributor().compiler.startswith(COMPILER)
    assert f"# pragma version {COMPILER}\n" in distributor_source()


def test_without_the_compiler_or_with_another_one_the_cure_is_named(monkeypatch):
    import vyper

    monkeypatch.setattr(vyper, "__version__", "0.4.99")
    with pytest.raises(ChainError, match=f"0.4.99 is installed.*vyper=={COMPILER}"):
        compile_distributor()
    monkeypatch.setitem(sys.modules, "vyper", None)
    with pytest.raises(ChainError, match=f"install vyper=={COMPILER}"):
        compile_distributor()


def test_other_code_is_not_taken_for_it():
    runtime = bytes.fromhex(distributor().runtime[2:])
    assert distributor().is_at(runtime + bytes(32))
    assert not any(distributor().is_at(code) for code in (b"", runtime, runtime[1:] + bytes(33), runtime + bytes(64)))
