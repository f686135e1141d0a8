"""Tables on terminals of any width, and in pipes: what is in a cell is never cut."""

import re
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from telefine_assets.cli.shared import folding, print_table

ADDRESS = "0x52908400098527886e0f7030069857d2e4169ee7"
UID = "0x" + "3f9a" * 16
ROWS = [(UID, ADDRESS, "near_duplicate_of_holdout", ":warning: [bold]not markup[/bold]")]


def test_a_pipe_has_no_width(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    print_table(("uid", "address", "rule", "said"), ROWS)
    head, line = capsys.readouterr().out.splitlines()
    assert line.split()[:3] == [UID, ADDRESS, ROWS[0][2]]
    assert line.rstrip().endswith(":warning: [bold]not markup[/bold]")
    assert len(head) == len(line) < 250, "and is not filled up"


@pytest.mark.parametrize("width", [30, 80])
def test_a_narrow_terminal_folds(capsys, monkeypatch, width):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(("uid", "address"), [row[:2] for row in ROWS])
    lines = re.sub("\x1b[^m]*m", "", capsys.readouterr().out).splitlines()[1:]
    assert max(map(len, lines)) <= width
    left, right = ("".join(cells) for cells in zip(*(each.split() for each in lines[:1]), strict=True))
    assert UID.startswith(left)
    assert ADDRESS.startswith(right)
    assert "…" not in "".join(lines)
    assert sorted("".join("".join(lines).split())) == sorted(UID + ADDRESS)


@given(st.lists(st.text("abcdef0123456789", min_size=1, max_size=90), min_size=1, max_size=5), st.integers(20, 120))
def test_every_character_of_a_cell_is_there_at_any_width(cells, width):
    console = Console(width=width, file=StringIO())
    table = folding(*("" for _ in cells))
    table.add_row(*cells)
    console.print(table)
    assert sorted("".join(console.file.getvalue().split())) == sorted("".join(cells))
