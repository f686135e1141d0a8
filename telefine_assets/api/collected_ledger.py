"""What metrics say of the ledger: how large it is, what was looked at, promoted, granted, spent and told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily as Counted
from prometheus_client.core import GaugeMetricFamily as Measured
from prometheus_client.core import Metric
from sqlalchemy import func, select

from telefine_assets.ledger.figures import Figures
from telefine_assets.ledger.schema import audit, log_leaves, looks, payouts, submissions

if TYPE_CHECKING:
    from telefine_assets.api.deployment import Deployment

_TABLES = (looks, log_leaves, payouts, submissions, audit)


def ledger_families(here: Deployment) -> Iterable[Metric]:
    """Of the ledger as it stands."""
    figures = Figures(here.ledger)
    return [*_size(here, figures), *_decided(figures), *_granted(figures), *_spent(figures), *_told(figures)]


def _size(here: Deployment, figures: Figures) -> Iterable[Metric]:
    rows = Measured("telefine_ledger_rows", "Rows of the ledger's tables, which only grow.", labels=["table"])
    with here.ledger.reading() as connection:
        counts = [select(func.count()).select_from(table).scalar_subquery() for table in _TABLES]
        for table, count in zip(_TABLES, connection.execute(select(*counts)).one(), strict=True):
            rows.add_metric([table.name], count)
    size = Measured("telefine_ledger_bytes", "Size of the ledger's database.")
    size.add_metric([], figures.size_bytes())
    return rows, size


def _decided(figures: Figures) -> Iterable[Metric]:
    taken = Counted("telefine_deltaone_looks", "Looks at the holdout.", labels=["program", "outcome"])
    for program, outcome, count in figures.looks():
        taken.add_metric([program, outcome], count)
    epoch = Measured("telefine_deltaone_epoch_looks", "Looks in the holdout's present epoch.", labels=["program"])
    for program, count in figures.looks_this_epoch():
        epoch.add_metric([program], count)
    promoted = Counted("telefine_promotions", "Versions that came to serve, by how.", labels=["program", "how"])
    for program, how, count in figures.promotions():
        promoted.add_metric([program, how.replace(" ", "_")], count)
    return taken, epoch, promoted


def _granted(figures: Figures) -> Iterable[Metric]:
    states = Measured(
        "telefine_payouts",
        "Payouts: planned, or requested once a mint request was signed.",
        labels=["program", "state"],
    )
    for program, state, count in figures.payouts():
        states.add_metric([program, state], count)
    labels = ["program", "token"]
    granted = Counted("telefine_granted_tokens", "Whole tokens that payouts granted.", labels=labels)
    held = Measured("telefine_escrow_tokens", "Whole tokens that were granted and wait in escrow.", labels=labels)
    payees = Measured("telefine_payees", "Wallets that were granted tokens.", labels=labels)
    for each in figures.paid():
        granted.add_metric([each.program, each.token], each.granted)
        held.add_metric([each.program, each.token], each.in_escrow)
        payees.add_metric([each.program, each.token], each.payees)
    return states, granted, held, payees


def _spent(figures: Figures) -> Iterable[Metric]:
    labels = ["program", "stage"]
    works = Counted("telefine_spending_works", "Pieces of work that asked language models.", labels=labels)
    calls = Counted("telefine_spending_calls", "Questions that went to language models.", labels=labels)
    kept = Counted("telefine_spending_remembered", "Questions that the journal answered.", labels=labels)
    tokens = Counted("telefine_spending_tokens", "Tokens, as far as models report them.", labels=labels)
    dollars = Counted("telefine_spending_dollars", "US dollars, as far as prices are known.", labels=labels)
    seconds = Counted("telefine_spending_seconds", "Time for which that work went on.", labels=labels)
    for each in figures.spent():
        named = [each.program, each.stage]
        works.add_metric(named, each.works)
        calls.add_metric(named, each.calls)
        kept.add_metric(named, each.remembered)
        tokens.add_metric(named, each.tokens)
        dollars.add_metric(named, each.dollars)
        seconds.add_metric(named, each.seconds)
    return works, calls, kept, tokens, dollars, seconds


def _told(figures: Figures) -> Iterable[Metric]:
    events = dict(figures.deliveries())
    dead = Measured("telefine_alert_deliveries", "Deliveries of alerts that wait, or were given up.", labels=["state"])
    gone = events.get("dead", 0)
    dead.add_metric(["dead"], gone)
    dead.add_metric(["waiting"], sum(events.values()) - gone - events.get("delivered", 0))
    return [dead]
