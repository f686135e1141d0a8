"""Champions: the day decides which version a rerun is compared with."""

import pytest

from telefine_assets.ledger.champions import Champions
from telefine_assets.ledger.connection import LedgerError
from telefine_assets.ledger.records import Champion

FIRST = Champion("tickets", "2026-11-02", "v1", "+5 pp", "0x1")
SECOND = Champion("tickets", "2026-11-04", "v2", "+3 pp", "0x2")


@pytest.fixture
def champions(ledger):
    return Champions(ledger)


def test_before_any_promotion_the_first_version_serves(champions):
    assert (champions.current("tickets"), champions.before("tickets", "2026-11-02")) == (None, None)


def test_a_version_serves_from_the_end_of_its_day_on(champions):
    champions.promote(FIRST)
    champions.promote(SECOND)
    served = {day: champions.before("tickets", f"2026-11-0{day}") for day in range(1, 7)}
    assert served == {1: None, 2: None, 3: FIRST, 4: FIRST, 5: SECOND, 6: SECOND}
    assert champions.current("tickets") == SECOND


def test_an_earlier_day_that_comes_too_late_replaces_nothing(champions):
    champions.promote(SECOND)
    with pytest.raises(LedgerError, match="2026-11-04 serves already"):
        champions.promote(FIRST)
    assert champions.current("tickets") == SECOND


def test_a_day_promotes_once(champions):
    champions.promote(FIRST)
    with pytest.raises(LedgerError, match="serves already"):
        champions.promote(Champion("tickets", "2026-11-02", "v1b", "+6 pp", "0x3"))
    assert (champions.of("0x1"), champions.of("0x3")) == (FIRST, None)


def test_the_same_promotion_again_changes_nothing(champions):
    champions.promote(FIRST)
    champions.promote(SECOND)
    champions.promote(FIRST)
    assert champions.current("tickets") == SECOND


def test_one_attestation_promotes_one_version(champions):
    champions.promote(FIRST)
    with pytest.raises(LedgerError, match="attestation 0x1 already promoted v1"):
        champions.promote(Champion("tickets", "2026-11-02", "v9", "+5 pp", "0x1"))
    assert champions.current("tickets") == FIRST


def test_programs_have_their_own_champions(champions):
    champions.promote(FIRST)
    assert champions.current("reviews") is None
    assert champions.before("reviews", "2026-12-01") is None
