"""The page that works attribution out by hand gives the very numbers of the code that pays."""

import re
from fractions import Fraction
from itertools import permutations

import pytest

from telefine_assets.attribution.shapley import shapley_weights
from telefine_assets.attribution.trials import hold, valued
from telefine_assets.attribution.usage import Arrival, UsedDemo, usage_weights
from telefine_assets_tests.examples.home import EXAMPLES
from telefine_assets_tests.payouts.test_plan import wallet

PAGE = (EXAMPLES / "attribution.md").read_text(encoding="utf-8")
NAMES = ("Ada", "Ben", "Cem")
WALLETS = {wallet(number): name for number, name in enumerate(NAMES)}
DEMOS = [UsedDemo(name, f"tr-{name}", 1_000_000) for name in NAMES]
ARRIVALS = [Arrival(name, f"tr-{name}", wallet(number), None, number) for number, name in enumerate(NAMES)]
RIGHT = {
    "always": lambda shown: True,
    "Ada": lambda shown: "Ada" in shown,
    "Ada or Ben": lambda shown: bool({"Ada", "Ben"} & shown),
    "Ben and Cem": lambda shown: {"Ben", "Cem"} <= shown,
    "not Cem": lambda shown: "Cem" not in shown,
    "never": lambda shown: False,
}


def table(heading: str) -> list[list[str]]:
    """The rows of the page's table whose first line begins so."""
    found = re.search(rf"^\| {re.escape(heading)}.*\n\|[-| ]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in found[1].splitlines()]


KINDS = [(int(count), RIGHT[when]) for count, when, *_ in table("items")]


def score(shown: frozenset[str]) -> list[int]:
    """Of every item, in parts per million."""
    return [1_000_000 * right(shown) for count, right in KINDS for _ in range(count)]


@pytest.fixture(scope="module")
def trials():
    items = [(f"item {number}", f"item {number}") for number in range(sum(count for count, _ in KINDS))]
    return hold(NAMES, 400, 0, items, score, lambda done, of: None)


def test_every_subset_gets_right_what_the_page_says():
    stated = {frozenset(re.findall(r"Ada|Ben|Cem", shown)): int(right) for shown, right in table("demos in")}
    assert stated == {subset: sum(score(subset)) // 1_000_000 for subset in stated}
    assert len(stated) == 8


def test_the_gains_of_every_order_are_those_of_the_page():
    *orders, mean = table("order")
    assert {tuple(row[0].split(", ")) for row in orders} == {*permutations(NAMES)}
    for order, *gains in orders:
        shown: list[str] = []
        for name in order.split(", "):
            before = sum(score(frozenset(shown)))
            shown.append(name)
            assert int(gains[NAMES.index(name)]) == (sum(score(frozenset(shown))) - before) // 1_000_000
    columns = list(zip(*(row[1:] for row in orders), strict=True))
    assert [sum(map(int, column)) / 6 for column in columns] == [float(each) for each in mean[1:]]


def test_the_kinds_of_items_add_up_to_the_worths():
    sums = [sum(int(row[0]) * Fraction(row[2 + at]) for row in table("items")) for at in range(3)]
    assert sums == [Fraction(each) for each in table("order")[-1][1:]]


def test_the_code_values_the_demos_as_the_page_does(trials):
    lines = {line.cluster: line for line in valued(trials).lines}
    for name, worth, _, error, ratio in table("| worth | Σ"):
        assert lines[name].value_ppm == int(worth) * 1_000_000
        assert round(lines[name].error_ppm / 1_000_000, 3) == float(error)
        assert round(lines[name].value_ppm / lines[name].error_ppm, 2) == float(ratio)
    assert f"more than {trials.rules.z_ppm / 1_000_000} errors" in PAGE


def test_the_code_pays_what_the_page_says(trials):
    paid = shapley_weights(valued(trials), DEMOS, ARRIVALS, trials.rules)
    stated = [(name, int(parts), tokens) for name, _, parts, tokens in table("| worth | parts")]
    assert stated == [
        (WALLETS[line.address], line.weight_ppm, f"{line.weight_ppm / 1000:.3f}")
        for line in sorted(paid.table.lines, key=lambda line: WALLETS[line.address])
    ]
    assert (paid.negative, paid.within_noise) == ((), ("Cem",))


def test_by_usage_all_three_are_paid_alike():
    lines = {WALLETS[line.address]: line.weight_ppm for line in usage_weights(DEMOS, ARRIVALS).lines}
    assert "{}, {} and {} parts".format(*(lines[name] for name in NAMES)) in PAGE
