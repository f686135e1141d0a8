"""What a benchmark found: a line of text as it comes, and a row of the table of all of them."""

import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

INTO = "BENCHMARK_RESULTS"
"""The environment variable that names the file into which results go as JSON."""


@dataclass(frozen=True)
class Result:
    """One number, beside its limit and its peer.

    Attributes:
        what: what was measured, with its size.
        value: what ours took or did.
        unit: of ``value``, the limit and the peer's value.
        limit: what ``value`` must keep within.
        peer: who else did the same beside it.
        peer_value: what the peer took or did.
        more_is_better: whether the limit is the least that is asked for, as of a rate.
        size: of what many there were, where the same is measured at several sizes.
        series: the name of the several sizes' line.
    """

    what: str
    value: float
    unit: str
    limit: float | None = None
    peer: str = ""
    peer_value: float | None = None
    more_is_better: bool = False
    size: int | None = None
    series: str = ""

    @property
    def times_better(self) -> float | None:
        """How many times better than the peer; below 1 it is worse."""
        if not self.peer_value or not self.value:
            return None
        return self.value / self.peer_value if self.more_is_better else self.peer_value / self.value

    @property
    def of_limit(self) -> float | None:
        """The share of the limit that is used up; above 1 the limit is broken."""
        if self.limit is None or not self.limit or not self.value:
            return None
        return self.limit / self.value if self.more_is_better else self.value / self.limit

    @property
    def within(self) -> bool:
        """Whether the limit, if there is one, is kept."""
        return self.of_limit is None or self.of_limit <= 1

    def __str__(self) -> str:
        """One line for whoever watches."""
        line = f"{self.what}: {shown(self.value)} {self.unit}"
        if self.limit is not None:
            kept = "" if self.within else ": BEYOND IT"
            line += f" ({'at least' if self.more_is_better else 'limit'} {shown(self.limit)}{kept})"
        if self.peer_value is not None:
            line += f"; {self.peer} {shown(self.peer_value)} {self.unit}, {shown(self.times_better or 0)} times better"
        return line


def shown(number: float) -> str:
    """Three figures are enough to compare by."""
    if number == int(number) or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def report(main: Callable[..., Iterable[Result]]) -> None:
    """Run a benchmark with the numbers of the command line; print each result when it comes, and keep them all.

    Raises:
        SystemExit: a limit was broken.
    """
    found = []
    for result in main(*(int(each) for each in sys.argv[1:])):
        print(result, flush=True)
        found.append(result)
    if into := os.environ.get(INTO):
        Path(into).write_text(json.dumps([asdict(result) for result in found]))
    if broken := [result.what for result in found if not result.within]:
        sys.exit(f"beyond the limit: {'; '.join(broken)}")


def read(path: Path) -> list[Result]:
    """What a benchmark kept; nothing where it did not come to its end."""
    return [Result(**row) for row in json.loads(path.read_text())] if path.exists() else []
