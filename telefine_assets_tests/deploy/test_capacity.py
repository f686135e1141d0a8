"""The guide to capacity multiplies its own measurements rightly, and names what is measured and set."""

import re

import pytest

from telefine_assets.settings.schema import Settings
from telefine_assets_tests.benchmarks.growth import TABLES, slope, year
from telefine_assets_tests.deploy.files import ROOT

GUIDE = (ROOT / "docs" / "capacity.md").read_text()
YEARS = (10**6, 10**8, 10**9)


def measured() -> dict[str, float]:
    table = GUIDE.split("## For everything else")[0]
    each = {name: float(size.replace(",", "")) for name, size in re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", table, re.M)}
    (milliseconds,) = re.findall(r"takes ([\d.]+) milliseconds of processor time", GUIDE)
    return each | {"seconds": float(milliseconds) / 1000}


def test_a_year_is_what_was_measured_multiplied():
    table = GUIDE.split("## A year of traces")[1].split("## What to change")[0]
    told = re.findall(r"^\| `(\w+)` \| ([\d.,]+) \| ([\d.,]+) \| ([\d.,]+) \|$", table, re.M)
    assert {name for name, *_ in told} == ({*measured()} - {"seconds"}) | {"hours"} > {*TABLES}
    for name, *cells in told:
        for cell, traces in zip(cells, YEARS, strict=True):
            digits = len(cell.partition(".")[2])
            assert float(cell.replace(",", "")) == pytest.approx(year(measured(), traces)[name], abs=0.51 * 10**-digits)


def test_what_one_more_adds_leaves_out_what_every_day_costs():
    assert slope({"store": 5_000.0}, {"store": 14_000.0}, 9) == {"store": 1_000.0}
    assert year({"store": 1_000.0, "seconds": 0.0036}, 10**6) == {"store": 1.0, "hours": 1.0}


def test_every_setting_that_it_names_exists():
    schema = Settings.model_json_schema()
    known = {name for each in [schema, *schema["$defs"].values()] for name in each.get("properties", {})}
    named = [each for each in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)(?:: [^`]*)?`", GUIDE) if each != "growth.year"]
    assert len(named) > 8
    assert [each for each in named if not {*each.split(".")} <= known | {"traces"}] == []
