"""Racing beside full search: the same candidates, the same embedded language model, the same holdout.

Run: python -m telefine_assets_tests.benchmarks.racing [seeds]
Limits, for every seed: racing asks at most 40 % of the questions of full search, and
the holdout accuracy of its winner is within noise of the other's (two standard errors
of the paired difference). Over all seeds together its winners beat the baseline.

Both searches share the model's answers, so that nothing is computed twice; each
counts the questions that it would have asked had it been alone. Half an hour
for three seeds, on two cores that do nothing else.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from telefine_assets.demo.film_reviews import sentences
from telefine_assets.lm.opening import OpenLm, open_lm
from telefine_assets.programs.choosing import Contender
from telefine_assets.programs.datasets import Item
from telefine_assets.programs.entries import Ring, entries
from telefine_assets.programs.scoring import score_program
from telefine_assets.programs.spec import ProgramSpec, load_spec
from telefine_assets.programs.state import load_state
from telefine_assets.programs.tournament import Gate, compete
from telefine_assets.programs.versions import first_version
from telefine_assets.settings.compile import CompileSettings
from telefine_assets.settings.loading import load_settings
from telefine_assets.traces.clusters import cluster_of
from telefine_assets_tests.benchmarks.results import Result, report

LIMIT = 0.40
TRAIN, VALIDATION, HOLDOUT = 150, 200, 300
CANDIDATES = 12
PROGRAM = "film_reviews"


@dataclass
class Answers:
    """A journal that both searches share; ``asked`` are the questions of one of them."""

    known: dict[str, str]
    asked: set[str] = field(default_factory=set)

    def find(self, request_key: str) -> str | None:
        """The answer, whoever asked first."""
        self.asked.add(request_key)
        return self.known.get(request_key)

    def keep(self, request_key: str, response: str) -> str:
        """Keep an answer."""
        return self.known.setdefault(request_key, response)


def items(first: int, count: int) -> list[Item]:
    """Sentences from number ``first`` on, with their labels."""
    made = []
    for number, (text, label) in enumerate(sentences()[first : first + count]):
        content = cluster_of({"review": text})
        made.append(
            Item(
                *(content, content, content, f"tr-{content[:8]}", content),
                inputs={"review": text},
                label={"sentiment": label},
                label_source="expectation:HUMAN:source",
                quality_ppm=1_000_000,
                contributor=None,
                arrival_ms=number,
            )
        )
    return made


def search(spec: ProgramSpec, lm: OpenLm, seed: int, racing: bool) -> Contender:
    """One compile; the winner."""
    settings = CompileSettings.model_validate(
        {
            "seed": seed,
            "racing": {"enabled": racing},
            "strategies": [
                {
                    "strategy": "bootstrap_few_shot_with_random_search",
                    "candidates": CANDIDATES,
                    "max_bootstrapped_demos": 4,
                    "max_labeled_demos": 8,
                }
            ],
        }
    )
    start = 10 + seed * (TRAIN + VALIDATION + HOLDOUT)
    trainset, validation = items(start, TRAIN), items(start + TRAIN, VALIDATION)
    gate = Gate(spec, validation, settings, lm)
    ring = Ring(spec, settings, trainset, validation, lm, say=lambda text: None)
    return compete(gate, first_version(spec, lm.identity), entries(ring)).winner


def accuracy(spec: ProgramSpec, lm: OpenLm, contender_state: dict, seed: int) -> list[int]:
    """Scores on the seed's holdout, in parts per million."""
    holdout = items(10 + seed * (TRAIN + VALIDATION + HOLDOUT) + TRAIN + VALIDATION, HOLDOUT)
    answers = score_program(load_state(spec, contender_state), holdout, spec.metric, lm)
    return [answer.score_ppm or 0 for answer in answers]


def main(seeds: int = 3) -> Iterator[Result]:
    """Measure a seed at a time."""
    settings = load_settings()
    spec = load_spec(PROGRAM, settings.programs[PROGRAM])
    shares, differences, gains = [], [], []
    for seed in range(seeds):
        known: dict[str, str] = {}
        asked, scores = {}, {}
        for racing in (True, False):
            journal, begun = Answers(known), time.perf_counter()
            with open_lm(settings.lm, journal) as lm:
                winner = search(spec, lm, seed, racing)
                asked[racing] = len(journal.asked)
                scores[racing] = accuracy(spec, lm, winner.state or {}, seed)
            print(
                f"seed {seed}, {'racing' if racing else 'full search'}: {winner.name}, {asked[racing]:,} questions, "
                f"holdout {_percent(scores[racing])}; {time.perf_counter() - begun:.0f} s",
                flush=True,
            )
        with open_lm(settings.lm, Answers(known)) as lm:
            base = accuracy(spec, lm, first_version(spec, lm.identity).state, seed)
        shares.append(asked[True] / asked[False])
        leads = [one - other for one, other in zip(scores[True], scores[False], strict=True)]
        differences.append(_with_error(leads))
        gains += [one - first for one, first in zip(scores[True], base, strict=True)]
        print(
            f"seed {seed}: baseline {_percent(base)}; racing asked {shares[-1]:.0%} of it (limit {LIMIT:.0%}); "
            f"difference of the winners {differences[-1][0]:+.1f} points (2 s.e. {differences[-1][1]:.1f})",
            flush=True,
        )
    gain, error = _with_error(gains)
    print(f"racing's winners beat the baseline by {gain:+.1f} points (2 s.e. {error:.1f})")
    if gain <= 0 or any(-difference > noise for difference, noise in differences):
        raise SystemExit("racing's winners are worse")
    yield Result(f"questions asked by racing, worst of {seeds} seeds", 100 * max(shares), "%", 100 * LIMIT)


def _percent(scores: list[int]) -> str:
    return f"{sum(scores) / len(scores) / 10_000:.1f} %"


def _with_error(leads: list[int]) -> tuple[float, float]:
    """Mean of paired differences and two standard errors, in percentage points."""
    mean = sum(leads) / len(leads)
    spread = math.sqrt(sum((lead - mean) ** 2 for lead in leads) / (len(leads) - 1) / len(leads))
    return mean / 10_000, 2 * spread / 10_000


if __name__ == "__main__":
    report(main)
