"""The weights of an attested day again, after feedback or contributors were corrected.

The candidate is what it was, and so are its demos and what was tried of their
worth. Two things may have changed since:

- **Who gave a trace.** Demos and traces that were learnt from have the contributor
  that their traces name now; submissions that were in the log go before, as ever. No
  trace and no submission counts that was not among the attested facts: they are
  public, and whoever signs for an unsigned content afterwards, or logs a copy with
  an early time, would take somebody's part.
- **Whether a demo's feedback stands.** It does not if the trace does not pass
  cleaning any more, or if what the demo shows is not right by the trace's label by
  now. Its cluster's parts are then held in escrow, whoever is its first submitter:
  paid to the others, a correction would be worth something to them.

A demo that an earlier version left, and whose trace is not stored any more, stands
as it was recorded: nothing more is known of it. What becomes of what nobody signed
for is no correction: it is as it was attested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from telefine_assets.attribution.arrivals import Register, Unsigned
from telefine_assets.attribution.facts import FACTS_FILE, Facts, read_facts, weights_of, write_facts
from telefine_assets.attribution.usage import UNSIGNED
from telefine_assets.attribution.weighing import FactsRefused
from telefine_assets.attribution.weights import WeightTable
from telefine_assets.traces.records import CleanedTrace

Shows = Callable[[Mapping[str, Any], CleanedTrace], bool]
"""Whether what a demo (its record) shows is right by its trace's label of now."""


@dataclass(frozen=True)
class Reweighed:
    """The weights as they are now, and the documents that they agree with.

    Attributes:
        table: the weights.
        facts: the evidence file that they follow from.
        demos: records of the demos, their contributors corrected.
        trainset: lines of what was learnt from, their contributors corrected.
        withdrawn: clusters whose parts are held, ascending.
    """

    table: WeightTable
    facts: bytes
    demos: list[dict[str, Any]]
    trainset: list[dict[str, Any]]
    withdrawn: tuple[str, ...]


def reweigh(
    demos: Sequence[Mapping[str, Any]],
    trainset: Sequence[Mapping[str, Any]],
    facts: Facts,
    cleaned: Iterable[CleanedTrace],
    register: Register,
    shows: Shows,
) -> Reweighed:
    """Weigh the contributors of an attested candidate again; nothing is tried, asked or learnt.

    Args:
        demos: records of the candidate's demos, as attested.
        trainset: lines of what was learnt from, as attested.
        facts: what the weights followed from: who had a part, and what demos are worth.
        cleaned: the cleaned traces that the attestation names, as they are now.
        register: what becomes of traces that nobody signed for.
        shows: whether what a demo shows is right by its trace's label.

    Raises:
        FactsRefused: by the settings, something else than what was attested becomes of unsigned traces.
    """
    _require_same_unsigned(facts, register)
    now = {(trace.trace_id, trace.content): trace for trace in cleaned}
    inherited = {line["trace_id"] for line in trainset if line["side"] == "inherited"}

    def stands(demo: Mapping[str, Any]) -> bool:
        trace = now.get((demo["trace_id"], demo["content"]))
        return demo["trace_id"] in inherited if trace is None else shows(demo, trace)

    def credited(line: Mapping[str, Any]) -> dict[str, Any]:
        trace = now.get((line["trace_id"], line["content"]))
        return {**line, **({} if trace is None else {"contributor": trace.contributor})}

    withdrawn = tuple(sorted({demo["cluster"] for demo in demos if not stands(demo)}))
    corrected = [credited(demo) for demo in demos]
    # Who is named as before arrived as before; a reason in other words is no correction.
    named = {(each.trace_id, each.content or ""): each.contributor for each in facts.arrivals}
    renamed = {key: trace for key, trace in now.items() if key in named and trace.contributor != named[key]}
    arrivals = register.again(facts.arrivals, renamed)
    document = write_facts(facts.demos, arrivals, facts.scope, facts.trials, withdrawn)
    table = weights_of(read_facts(document))
    return Reweighed(table, document, corrected, [credited(line) for line in trainset], withdrawn)


def unsigned_of(facts: Facts) -> Unsigned | None:
    """What ``attribution.unsigned`` was when the facts were written; None where they do not tell."""
    reasons = {each.reason for each in facts.arrivals if each.submission is None}
    if UNSIGNED in reasons:
        return "escrow"
    return "paid" if None in reasons else None


def _require_same_unsigned(facts: Facts, register: Register) -> None:
    attested = unsigned_of(facts)
    if attested not in (None, register.unsigned):
        raise FactsRefused(
            f"{FACTS_FILE}: was attested under attribution.unsigned = {attested!r}, which is {register.unsigned!r} "
            "now: that is no correction of feedback. Set it back to what it was, then run this again"
        )
