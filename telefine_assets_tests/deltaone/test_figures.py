import struct
import zlib
from dataclasses import replace
from functools import cache

import matplotlib
import pytest

from telefine_assets.deltaone.breakdown import calibration
from telefine_assets.deltaone.decision import decide, public_view
from telefine_assets.deltaone.figures import forest_plot, power_curve, reliability_diagram
from telefine_assets.deltaone.records import PPM, Rules
from telefine_assets.pages.page import Forest, Mark

from .rows import LOOSE, look, rows
from .told import tickets


def chunks(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    position = 8
    while position < len(png):
        length, kind = struct.unpack(">I4s", png[position : position + 8])
        data = png[position + 8 : position + 8 + length]
        assert zlib.crc32(kind + data) == struct.unpack(">I", png[position + 8 + length :][:4])[0]
        yield kind.decode(), data
        position += 12 + length


OVERALL = Mark("overall", "All items", "+8.18 pp", 81_896, 46_000, 118_000)
HOSTILE = Mark("slice", r"$\frac{a}$ \u202e " + "x" * 90, "$1 and $2", -20_000, -900_000, 900_000)
RAIL = Mark("guardrail", "fast", "1,200 ms", held=False)


def power(items, rules=None, number=1):
    return power_curve(public_view(decide(items, rules or Rules(), look(number))))


def reliability(dark):
    sides = {side: calibration(tickets(), side, LOOSE) for side in ("baseline", "candidate")}
    return reliability_diagram(sides, dark)


FIGURES = {
    "one row": (lambda: forest_plot(Forest((OVERALL,), 10_000), "reviews", "Grade: improved"), 1500),
    "rows": (lambda: forest_plot(Forest((OVERALL, HOSTILE, *[RAIL] * 30), 10_000), "$x$ <b>", ""), 1500),
    "not reached": (lambda: power(rows(20, 12, 268), number=3), 1500),
    "hardly any": (lambda: power(rows(3, 0, 3)), 1500),
    "none": (lambda: power([]), 1500),
    "grouped": (lambda: power([replace(r, group=f"s{i // 3}") for i, r in enumerate(rows(20, 12, 268))]), 1500),
    "whole scale": (lambda: power(rows(50, 0, 1), replace(LOOSE, threshold_ppm=PPM)), 1500),
    "light": (lambda: reliability(False), 750),
    "dark": (lambda: reliability(True), 750),
}


@cache
def drawn(name):
    return FIGURES[name][0]()


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_without_anything_but_pixels(name):
    kinds = {kind for kind, _ in chunks(drawn(name))}
    assert kinds <= {"IHDR", "IDAT", "IEND", "pHYs"}
    header = next(data for kind, data in chunks(drawn(name)) if kind == "IHDR")
    assert struct.unpack(">II", header[:8])[0] == FIGURES[name][1]


@pytest.mark.parametrize("name", ["one row", "not reached", "light"])
def test_same_numbers_same_bytes_whatever_the_users_style(name):
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "lines.linewidth": 9}):
        assert FIGURES[name][0]() == drawn(name)
        assert matplotlib.rcParams["font.size"] == 30


def test_pictures_differ_where_their_numbers_do():
    assert drawn("light") != drawn("dark")
    assert drawn("one row") != drawn("rows")
    moved = replace(OVERALL, gain_ppm=90_000)
    assert forest_plot(Forest((moved,), 10_000), "reviews", "Grade: improved") != drawn("one row")


def test_the_axis_of_a_forest_holds_every_mark():
    forest = Forest((OVERALL, HOSTILE, RAIL), 10_000)
    left, right = forest.ends
    assert left < -900_000
    assert right > 900_000
    assert (forest.at(left), forest.at(right), forest.from_right(right)) == ("0.00", "100.00", "0.00")
    assert forest.wide(left, right) == "100.00"
