"""Alerts from facts: for each kind what happened, where to look and what to do, in a few plain sentences."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from telefine_assets.alerts.anomalies import Measure, Odd
from telefine_assets.alerts.records import Alert, Kind, Severity, alert

if TYPE_CHECKING:
    from telefine_assets.ledger.records import Champion, PlannedPayout, ReachedLook

_NAMED = 5


def alerts_on(deployment: str, channels: Sequence[str]) -> Alert:
    """The first alert of a deployment: from now on people are told."""
    return alert(
        Kind.ALERTS_ON,
        None,
        deployment,
        Severity.INFO,
        f"{deployment}: alerts are on",
        what=f"You hear of failures, gains, payouts and odd days from now on, by: {', '.join(channels) or 'none'}.",
        where="`telefine alerts list`.",
        cure="Nothing. `telefine alerts test CHANNEL` sends a message whenever you want one.",
    )


def tested(deployment: str, channel: str, at_ms: int) -> Alert:
    """A message that shows whether a channel works."""
    return alert(
        Kind.TEST,
        None,
        f"{channel}:{at_ms}",
        Severity.INFO,
        f"{deployment}: a test of the channel {channel}",
        what="Somebody asked for this message. Nothing happened.",
        where="`telefine alerts list` has the alerts that were raised.",
        cure="Nothing.",
    )


@dataclass(frozen=True)
class RunFailure:
    """A run that failed and is not tried again.

    Attributes:
        run_id: Dagster's id.
        program: whose; None for a run of something else.
        stages: what it was to make.
        days: of which days.
        why: the error, in one line.
        because: why it is not tried again.
        day: the UTC day on which it failed.
    """

    run_id: str
    program: str | None
    stages: Sequence[str]
    days: Sequence[str]
    why: str
    because: str
    day: str


def run_failed(run: RunFailure) -> Alert:
    """A run failed. The same failure of the same stages is told once a day, so that a range of days is one alert."""
    cause = hashlib.sha256(f"{' '.join(run.stages)}\n{run.why}".encode()).hexdigest()[:12]
    return alert(
        Kind.RUN_FAILED,
        run.program,
        f"{run.day}:{cause}",
        Severity.ERROR,
        f"{run.program or 'telefine'}: run {run.run_id[:8]} failed",
        what=f"{', '.join(run.stages) or 'The whole line'} of {_span(run.days)} failed.\nWhy: {run.why}\n"
        f"It is not tried again: {run.because}.",
        where=f"run {run.run_id} in Dagster's UI, or `telefine status`.",
        cure="Mend the cause (`telefine doctor` finds many), then run it again: " + _run_again(run.program, run.days),
    )


def _run_again(program: str | None, days: Sequence[str]) -> str:
    which = f" --program {program}" if program else ""
    if not days:
        return "from Dagster's UI."
    span = f"--day {days[0]}" if len(days) == 1 else f"--from {days[0]} --to {days[-1]}"
    return f"`telefine run{which} {span}`."


def _span(days: Sequence[str]) -> str:
    return "no day" if not days else days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def standing_failures(lines: Sequence[str], day: str) -> Alert:
    """What failed and was never made since; told once a day. ``lines`` name them."""
    return alert(
        Kind.STANDING_FAILURES,
        None,
        day,
        Severity.WARNING,
        f"{len(lines)} {'failure stands' if len(lines) == 1 else 'failures stand'}",
        what="\n".join(["These failed and were never made since:", *lines]),
        where="`telefine status`, or the runs in Dagster's UI.",
        cure="Mend the cause, then run them again: `telefine run --program NAME --day DAY`.",
    )


@dataclass(frozen=True)
class FailedCheck:
    """A check that did not hold.

    Attributes:
        program: whose.
        stage: what was checked.
        check: its name.
        run_id: the run that made it.
        blocking: whether it kept what follows from being made.
        problems: what it found.
        days: of which days.
        day: the UTC day on which it was made.
    """

    program: str
    stage: str
    check: str
    run_id: str
    blocking: bool
    problems: Sequence[str]
    days: Sequence[str]
    day: str


def check_failed(failed: FailedCheck) -> Alert:
    """A check did not hold. Told once a day for each check, blocking or not, so that a range is one alert."""
    more = len(failed.problems) - _NAMED
    found = [*failed.problems[:_NAMED], *([f"and {more} more"] if more > 0 else [])]
    follows = "What comes after it was not made." if failed.blocking else "What comes after it was made all the same."
    return alert(
        Kind.CHECK_FAILED,
        failed.program,
        f"{failed.stage}:{failed.check}:{'blocking' if failed.blocking else 'warning'}:{failed.day}",
        Severity.ERROR if failed.blocking else Severity.WARNING,
        f"{failed.program}: {failed.stage}: {failed.check.replace('_', ' ')}: no",
        what=f"The check {failed.check} of {failed.stage} did not hold for {_span(failed.days)}. {follows}\n"
        + "\n".join(found),
        where=f"the checks of {failed.program}/{failed.stage} in Dagster's UI, run {failed.run_id}.",
        cure="Mend the cause, then make the day again: " + _run_again(failed.program, failed.days),
    )


def deltaone_reached(look: ReachedLook) -> Alert:
    """A candidate was shown to be better."""
    return alert(
        Kind.DELTAONE_REACHED,
        look.program,
        str(look.epoch),
        Severity.INFO,
        f"{look.program}: DeltaOne reached on {look.day}",
        what=f"The candidate {look.candidate[:12]} of {look.day} was shown to be better than what served. "
        f"It is the program's DeltaOne number {look.epoch}.",
        where=f"`telefine deltaone show {look.day} --program {look.program}`.",
        cure="Nothing, if what follows is automatic: attestation, champion and payout come next.",
    )


def champion_changed(champion: Champion) -> Alert:
    """Another version serves."""
    attested = champion.attestation is not None
    return alert(
        Kind.CHAMPION_CHANGED,
        champion.program,
        str(champion.seq),
        Severity.INFO if attested else Severity.WARNING,
        f"{champion.program}: {champion.version[:12]} serves now",
        what=f"Version {champion.version} serves since {champion.day} ({champion.how}).\nWhy: {champion.reason}",
        where=f"`telefine programs history --program {champion.program}`.",
        cure="Let your application load the new version. If it should not serve: "
        f"`telefine programs rollback --program {champion.program} --reason ... --by ...`.",
    )


def payout_planned(payout: PlannedPayout) -> Alert:
    """Somebody is to be paid; nothing is paid by itself."""
    return alert(
        Kind.PAYOUT_PLANNED,
        payout.program,
        payout.day,
        Severity.INFO,
        f"{payout.program}: a payout is planned for {payout.day}",
        what=f"{payout.pool} smallest units of {payout.token} are to be paid for the gain of {payout.day}, "
        f"on attestation {payout.attestation}.",
        where=f"`telefine payouts show {payout.day}`.",
        cure="Look it over, then pay it by `telefine payouts export`, say. Nothing is paid by itself.",
    )


@dataclass(frozen=True)
class FailingAutomation:
    """A schedule or sensor whose last ticks all failed.

    Attributes:
        name: its name.
        kind: ``schedule`` or ``sensor``.
        good_ms: its last tick that did not fail; 0 for none. Tells one streak of failures from the next.
        ticks: how many failed, one after the other, at least.
        error: what the last one said.
        program: whose; None for one of the deployment's own.
    """

    name: str
    kind: str
    good_ms: int
    ticks: int
    error: str
    program: str | None


def automation_failing(failing: FailingAutomation) -> Alert:
    """A schedule or sensor fails again and again; told once until it worked again."""
    return alert(
        Kind.AUTOMATION_FAILING,
        failing.program,
        f"{failing.name}:{failing.good_ms}",
        Severity.ERROR,
        f"{failing.kind} {failing.name} fails",
        what=f"The last {failing.ticks} ticks of the {failing.kind} {failing.name} failed; "
        f"what it asks for is not made.\nWhy: {failing.error}",
        where="`telefine schedule list`, or its ticks in Dagster's UI.",
        cure="`telefine doctor` finds most causes. It goes on by itself when the cause is gone.",
    )


def improvement_report(program: str, day: str, subject: str, summary: str) -> Alert:
    """A report of what became better is there."""
    return alert(
        Kind.IMPROVEMENT_REPORT,
        program,
        day,
        Severity.INFO,
        subject,
        what=summary,
        where=f"`telefine improvement show {day} --program {program}`.",
        cure="Read it.",
    )


_MEASURES = {
    Measure.VOLUME: ("traces came in", "Is the application down, or does it log elsewhere?"),
    Measure.SCORE: ("was the mean score", "Did users, the model behind the program or the feedback change?"),
    Measure.DROPS: ("of the traces were dropped by cleaning", "Look which rule drops them, and what changed upstream."),
}


def odd_day(program: str, odd: Odd) -> Alert:
    """A day is unlike the days before."""
    said, ask = _MEASURES[odd.measure]
    value, usual, low, high = (_shown(odd.measure, each) for each in (odd.value, odd.usual, odd.low, odd.high))
    beside = f"the {date.fromisoformat(odd.day):%A}s" if odd.weekday else "the days"
    return alert(
        Kind.ANOMALY,
        program,
        f"{odd.measure}:{odd.day}:{'high' if odd.value > odd.usual else 'low'}",
        Severity.WARNING,
        f"{program}: {value} {said} on {odd.day}",
        what=f"{value} {said} on {odd.day}; beside {beside} before, {usual} was usual and {low} to {high} would not "
        "have been odd.",
        where=f"`telefine traces stats --program {program} --from {odd.day} --to {odd.day}`.",
        cure=f"{ask} If all is well, do nothing: it is not told again while it lasts and grows no worse.",
    )


def _shown(measure: Measure, value: int) -> str:
    return f"{value:,}" if measure is Measure.VOLUME else f"{value / 10_000:.1f} %"
