import struct
import zlib
from dataclasses import replace

import matplotlib
import pytest

from telefine_assets.deltaone.decision import decide
from telefine_assets.deltaone.figures import forest_plot
from telefine_assets.deltaone.records import PPM, Rules

from .rows import LOOSE, look, row, rows


def chunks(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    position = 8
    while position < len(png):
        length, kind = struct.unpack(">I4s", png[position : position + 8])
        data = png[position + 8 : position + 8 + length]
        assert zlib.crc32(kind + data) == struct.unpack(">I", png[position + 8 + length :][:4])[0]
        yield kind.decode(), data
        position += 12 + length


CASES = {
    "reached": decide(rows(61, 23, 380), Rules(), look()),
    "narrow": decide([row(i, 0, 400_000 + i) for i in range(200)], LOOSE, look()),
    "not reached": decide(rows(20, 12, 268), Rules(), look(3)),
    "hardly any": decide(rows(3, 0, 3), Rules(), look()),
    "none": decide([], Rules(), look()),
    "grouped": decide([replace(r, group=f"s{i // 3}") for i, r in enumerate(rows(20, 12, 268))], Rules(), look()),
    "whole scale": decide(rows(50, 0, 0), replace(LOOSE, threshold_ppm=PPM), look()),
}


@pytest.mark.parametrize("name", CASES)
def test_a_picture_without_anything_but_pixels(name):
    png = forest_plot(CASES[name])
    kinds = {kind for kind, _ in chunks(png)}
    assert kinds <= {"IHDR", "IDAT", "IEND", "pHYs"}
    header = next(data for kind, data in chunks(png) if kind == "IHDR")
    assert struct.unpack(">II", header[:8])[0] == 1500


def test_same_decision_same_bytes_whatever_the_users_style():
    before = forest_plot(CASES["reached"])
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "lines.linewidth": 9}):
        assert forest_plot(CASES["reached"]) == before
        assert matplotlib.rcParams["font.size"] == 30


def test_before_it_is_reached_the_picture_does_not_depend_on_scores():
    pictures = {forest_plot(decide(rows(w, m, 300 - w - m), Rules(), look())) for w, m in ((0, 0), (0, 80), (20, 12))}
    assert len(pictures) == 1
