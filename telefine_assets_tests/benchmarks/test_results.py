"""What the benchmarks say of a number: its share of the limit, how it stands beside its peer, and that it is kept."""

import json

import pytest

from telefine_assets_tests.benchmarks import __main__ as everything
from telefine_assets_tests.benchmarks import drawing, results, surroundings
from telefine_assets_tests.benchmarks.results import Result

SLOW = Result("a day cleaned", 90.0, "s", 60.0, "by hand", 180.0)
RATE = Result("taken in", 2_000.0, "traces/s", 500.0, "one by one", 50.0, more_is_better=True)
GROWN = [Result(f"a trace of {size}", 3.0, "µs", size=size, series="loading") for size in (1_000, 10_000)]
HERE = surroundings.Machine(
    "0123456789ab", "2026-11-23", "a processor, 2 cores", 24, "Python 3.11", {"dagster": "1.13"}
)


def test_less_is_better_of_a_time_and_more_of_a_rate() -> None:
    assert (SLOW.of_limit, SLOW.times_better, SLOW.within) == (1.5, 2.0, False)
    assert (RATE.of_limit, RATE.times_better, RATE.within) == (0.25, 40.0, True)
    assert str(SLOW) == "a day cleaned: 90 s (limit 60: BEYOND IT); by hand 180 s, 2 times better"


def test_a_broken_limit_ends_with_an_error_and_is_written_down_all_the_same(tmp_path, monkeypatch) -> None:
    kept = tmp_path / "kept.json"
    monkeypatch.setenv(results.INTO, str(kept))
    monkeypatch.setattr("sys.argv", ["benchmark", "7"])
    with pytest.raises(SystemExit, match="beyond the limit: a day cleaned"):
        results.report(lambda number: iter([SLOW, RATE] if number == 7 else []))
    assert results.read(kept) == [SLOW, RATE]
    assert results.read(tmp_path / "not.json") == []


def test_the_page_has_a_row_for_each_result_and_names_what_broke_its_limit(tmp_path) -> None:
    page = drawing.table({"cleaning": [SLOW], "spool": [RATE], "scaling": GROWN}, HERE)
    assert "| a day cleaned | 90 s | ≤ 60 **beyond** | by hand: 180 s | 2 |" in page
    assert "| taken in | 2,000 traces/s | ≥ 500 | one by one: 50 traces/s | 40 |" in page
    assert "0123456789ab" in page and "dagster 1.13" in page
    drawing.figure({"cleaning": [SLOW], "spool": [RATE], "scaling": GROWN}, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_results_survive_json() -> None:
    assert Result(**json.loads(json.dumps(RATE.__dict__))) == RATE


def test_what_is_measured_in_other_units_has_a_picture_of_its_own(tmp_path) -> None:
    stored = [Result("a day", 600.0, "bytes/trace", size=size, series="store") for size in (1_000, 10_000)]
    drawing.figure({"scaling": GROWN, "growth": stored}, tmp_path / "both.png")
    drawing.figure({"scaling": GROWN}, tmp_path / "one.png")
    drawing.figure({"cleaning": [SLOW]}, tmp_path / "none.png")
    assert len({(tmp_path / f"{name}.png").read_bytes() for name in ("both", "one", "none")}) == 3


def test_a_benchmark_that_is_not_there_is_said_before_anything_is_measured() -> None:
    with pytest.raises(SystemExit, match="no benchmark: aip; there are import_time, "):
        everything.main(["api", "aip"])
