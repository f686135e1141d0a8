"""The report in a few lines, and as an e-mail.

The e-mail is a draft: it names no sender, nobody to send it to and no date, for
these are the business of whoever sends it, and the same report gives the same
bytes. Nothing in a header can begin another one.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from telefine_assets.attestation.standing_shown import in_short
from telefine_assets.canonical import sha256_hex
from telefine_assets.improvement import totals, wording
from telefine_assets.improvement.gathering import Day, Gathered
from telefine_assets.improvement.page import granted_of, span_of, verdict_of
from telefine_assets.improvement.totals import Drift
from telefine_assets.pages.html import rendered
from telefine_assets.pages.numbers import count, points
from telefine_assets.pages.numbers import gain as points_of
from telefine_assets.pages.page import named

_SUBJECT, _WIDTH, _NAME = 150, 76, 14
MOST_LINES = 25


@dataclass(frozen=True)
class Summary:
    """The report in short: a subject, and named lines."""

    subject: str
    rows: tuple[tuple[str, str], ...]
    closing: str

    @property
    def text(self) -> str:
        """Plain text of at most ``MOST_LINES`` lines, ending with a newline."""
        lines = [self.subject, ""]
        for name, said in self.rows:
            lines += textwrap.wrap(said, _WIDTH, initial_indent=f"{name}:".ljust(_NAME), subsequent_indent=" " * _NAME)
        return "\n".join([*lines[: MOST_LINES - 2], "", self.closing]) + "\n"


def summary_of(found: Gathered) -> Summary:
    """Sum a report up."""
    rows = (
        ("Came in", _volume(found)),
        ("Score", _score(totals.drift(found))),
        ("Moved", _moved(totals.drift(found))),
        ("Tried", _tried(found)),
        ("Cost", _cost(found)),
        ("Certified", _certified(found)),
        ("Serves", _serves(found)),
        ("Contributors", _contributors(found)),
        ("Missing", f"no record of the traces of {wording.listed(found.this.missing)}" if found.this.missing else ""),
    )
    which = f"{found.last} --program {named(found.program)}"
    where = f"The whole report: telefine improvement show {which} --html report.html"
    return Summary(_subject(found), tuple((name, said) for name, said in rows if said), where)


def _subject(found: Gathered) -> str:
    verdict, _ = verdict_of(found)
    came_in = count(found.this.traces, "trace") if found.this.made else "no record of its traces"
    parts = [verdict.lower() if verdict == "Quiet" else verdict, came_in]
    gains = [points_of(gain) for _, gain in totals.certified(found.this)]
    if gains:
        parts[0] += f" ({', '.join(gains)})"
    return named(f"{found.program}, {span_of(found)}: {', '.join(parts)}", _SUBJECT)


def _volume(found: Gathered) -> str:
    this, before = found.this, found.before
    if not this.made:
        return "not known"
    told = f"{count(this.traces, 'trace')}, {wording.a_day(this.traces, len(this.made))} a day"
    told += f" (before: {wording.a_day(before.traces, len(before.made))})" if before.made else ""
    usable = totals.drift(found).usable
    told += f"; usable: {wording.between(usable.now)}" if usable.now else ""
    return told + (f", before {wording.percent(usable.before.ppm)}" if usable.before and usable.now else "")


def _score(moved: Drift) -> str:
    if moved.score.now is None:
        return "no usable trace has one"
    before = moved.score.before
    return f"mean {wording.between(moved.score.now)}, before {wording.between(before) if before else 'none'}"


def _moved(moved: Drift) -> str:
    if moved.usable.chance_ppm is None and moved.score.chance_ppm is None:
        return "too few traces to tell"
    return ", ".join(moved.moved) or "nothing beyond chance"


def _tried(found: Gathered) -> str:
    made = [each for _, each in totals.compiles(found.this)]
    if not made:
        return "nothing was compiled"
    best, candidates = totals.best_ppm(found.this), sum(each.candidate is not None for each in made)
    told = f"{count(len(made), 'compile')} of {count(sum(len(each.tried) for each in made), 'contender')}, "
    told += count(candidates, "candidate")
    return told + (f"; the best winner has {wording.percent(best)} on validation" if best is not None else "")


def _cost(found: Gathered) -> str:
    cost = totals.cost(found.this.spent)
    if not found.this.spent:
        return (
            "no language model was asked, but by comparisons" if found.this.compared else "no language model was asked"
        )
    tokens = "an unknown number of tokens" if cost.tokens is None else count(cost.tokens, "token")
    asked = f"{count(cost.calls, 'question')} ({cost.remembered:,} more remembered)"
    return f"{asked}, {tokens}, {wording.dollars(cost.cost_micros)}, {wording.time(cost.took_ms)}"


def _certified(found: Gathered) -> str:
    looks, gains = totals.looks(found.this), totals.reached(found.this)
    if not looks:
        return "nothing was compared on held-out items"
    told = [f"{day.day} {_told(day, gain[0])}" for day, gain in gains]
    return f"{count(len(looks), 'comparison')}; {wording.listed(told) if told else 'none reached DeltaOne'}"


def _told(day: Day, found_ppm: int) -> str:
    """What is certified of what a look found."""
    now, better = day.standing.in_force, f"better by {points(found_ppm)} pp"
    if said := in_short(day.standing):
        return f"{better} by the look, {said}"
    return better if now is not None else f"{better} (not attested)"


def _serves(found: Gathered) -> str:
    serves = found.serves
    return f"{serves.version[: wording.SHORT]}, since {serves.day}" if serves else "the first version"


def _contributors(found: Gathered) -> str:
    everybody = totals.named_ones(found.this)
    if not everybody:
        return "nobody by name"
    givers, shown = sum(each.given > 0 for each in everybody), sum(each.demos > 0 for each in everybody)
    told = f"{givers:,} gave traces, demos of {shown:,} are in candidates"
    return f"{told}; granted: {granted_of(found) or 'nothing'}"


def mail(summary: Summary, headline: str) -> bytes:
    """The summary as a draft of an e-mail: text, and the same as HTML (RFC 5322, RFC 2046 multipart/alternative)."""
    from email.message import EmailMessage
    from email.policy import SMTP

    message = EmailMessage(policy=SMTP)
    # What looks like an encoded word would be decoded, line breaks and all (RFC 2047).
    message["Subject"] = named(summary.subject, _SUBJECT).replace("=?", "= ?")
    # Mail programs open what was never sent as a draft.
    message["X-Unsent"] = "1"
    message.set_content(summary.text)
    page = rendered("mail.html.j2", summary=summary, headline=headline)
    message.add_alternative(page.decode(), subtype="html")
    # Python's own boundary is drawn by chance.
    message.set_boundary(f"=_{sha256_hex(summary.text.encode() + page)[:32]}")
    return message.as_bytes()
