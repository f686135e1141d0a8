"""What stands on the report's page, section by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from telefine_assets.attestation.standing import DayStanding
from telefine_assets.attestation.standing_shown import STANDINGS, sentence_of
from telefine_assets.improvement import totals, wording
from telefine_assets.improvement.comparing import LEAST, Change
from telefine_assets.improvement.gathering import Day, Gathered
from telefine_assets.ledger.records import Champion
from telefine_assets.pages.numbers import count, gain, interval
from telefine_assets.pages.page import Block, Code, Facts, Line, Picture, Prose, Section, Table, named, quoted

_MOST = 25
"""Most rows of a table of people."""
_LINE, _CELL = 160, 60


def volume(found: Gathered, picture: Picture | None) -> Section:
    """Traces, and the rules that dropped some."""
    this, before = found.this, found.before
    blocks: list[Block] = [picture] if picture else []
    if found.description:
        blocks.append(Facts((("The program", (quoted(found.description),)), ("Its metric", (named(found.metric),)))))
    rules = totals.dropped(this)
    then = totals.dropped(before)
    rows = [
        ("Traces", _count(this.traces, this.made), _count(before.traces, before.made)),
        ("Traces a day", *(wording.a_day(each.traces, len(each.made)) for each in (this, before))),
        ("Usable", _count(this.usable, this.made), _count(before.usable, before.made)),
        *((f"Dropped: {rule}", f"{rules.get(rule, 0):,}", f"{then.get(rule, 0):,}") for rule in {**rules, **then}),
    ]
    blocks.append(Table(("What", "Now", "Before"), tuple(rows)))
    for name, missing in (("", this.missing), (" before", before.missing)):
        if missing:
            blocks.append(Prose(f"Not loaded{name}, and in no sum: {wording.listed(missing, 14)}.", quiet=True))
    return Section("What came in", tuple(blocks))


def _count(total: int, made: Sequence[object]) -> str:
    return f"{total:,}" if made else "-"


def scores(found: Gathered, picture: Picture | None) -> Section:
    """Scores and the share of usable traces against before."""
    moved = totals.drift(found)
    changes = tuple(_change(each) for each in (moved.usable, moved.score))
    blocks: list[Block] = [picture] if picture else []
    blocks.append(Table(("Measure", "Verdict", "Now", "Before", "Of traces", "Chance"), changes))
    if moved.shift is not None:
        told = "moved" if moved.shift.moved else "no more than chance, or than a shift that matters"
        blocks.append(
            Prose(
                f"How scores are distributed: population stability index {moved.shift.psi_ppm / 1e6:.3f} (chance of as "
                f"much between equals: {wording.chance(moved.shift.chance_ppm)}): {told}."
            )
        )
    blocks.append(
        Prose(
            "Scores are what people, judges and code said of answers in use, of usable traces that are not held out. "
            "In brackets: 95 % intervals, Wilson's for shares and for scores that are 0 or 1, else the normal one. "
            "Chance: how often equals would differ as much (two-sample z). Below 1 % it is called moved; with fewer "
            f"than {LEAST} traces on a side nothing is. Traces of one session are not independent, so chance does a "
            "little more than it says. A score can move because other traces are dropped: see the usable share.",
            quiet=True,
        )
    )
    return Section("Scores and drift", tuple(blocks))


def _change(change: Change) -> tuple[str, ...]:
    verdict = "too few" if change.chance_ppm is None else "moved" if change.moved else "steady"
    told = "-" if change.chance_ppm is None else wording.chance(change.chance_ppm)
    of = " and ".join(f"{each.n if each else 0:,}" for each in (change.now, change.before))
    return (change.name.capitalize(), verdict, wording.between(change.now), wording.between(change.before), of, told)


def tried(found: Gathered) -> Section:
    """Compiles, and what came of each."""
    made = totals.compiles(found.this)
    if not made:
        return Section("What was tried", (Prose(f"Nothing was compiled.{_before(found)}"),))
    rows = tuple(
        (
            day,
            str(len(each.tried)),
            named(each.winner or "-", _CELL),
            _score(next((tried.mean_ppm for tried in each.tried if tried.name == each.winner), None)),
            _score(next((tried.mean_ppm for tried in each.tried if tried.name == "baseline"), None)),
            Code((each.candidate or "none")[: wording.SHORT]),
        )
        for day, each in made
    )
    table = Table(("Day", "Contenders", "Winner", "On validation", "Baseline", "Candidate"), rows)
    why = [f"{day}: {each.reason}" for day, each in made if each.candidate is None]
    blocks: list[Block] = [table]
    if why:
        blocks.append(Facts(tuple((line[:10], (quoted(line[12:]),)) for line in why)))
    note = "Validation chooses between contenders. It flatters the one it chose, and certifies nothing."
    return Section("What was tried", (*blocks, Prose(f"{note}{_before(found)}", quiet=True)))


def _score(ppm: int | None) -> str:
    return "-" if ppm is None else wording.percent(ppm)


def _before(found: Gathered) -> str:
    return f" In the period before: {count(len(totals.compiles(found.before)), 'compile')}."


def contenders(found: Gathered) -> Section | None:
    """Every contender of every compile."""
    rows = tuple(
        (day, named(tried.name, _CELL), _score(tried.mean_ppm), f"{tried.items:,}", quoted(tried.failed or "-", _LINE))
        for day, each in totals.compiles(found.this)
        for tried in each.tried
    )
    table = Table(("Day", "Contender", "On validation", "Items", "Dropped or failed"), rows)
    return Section("Every contender", (table,), folded=True) if rows else None


def cost(found: Gathered, picture: Picture | None) -> Section:
    """What was spent on language models, by stage."""
    this, before = totals.cost(found.this.spent), totals.cost(found.before.spent)
    lines = {**totals.cost_by_stage(found.this), "All": this, "All, before": before}
    rows = tuple(
        (
            stage,
            f"{each.calls:,}",
            f"{each.remembered:,}",
            "unknown" if each.tokens is None else f"{each.tokens:,}",
            wording.dollars(each.cost_micros),
            wording.time(each.took_ms),
        )
        for stage, each in lines.items()
    )
    blocks: list[Block] = [picture] if picture else []
    blocks.append(Table(("Stage", "Questions", "Remembered", "Tokens", "Cost", "Time"), rows))
    said = "Work that failed is in it. A question that was answered before is remembered, and costs nothing."
    if compared := found.this.compared:
        said += (
            f" Comparisons needed {count(compared, 'answer')} more. What they cost is told by the model's bill alone: "
            "here it would tell of a holdout in use how many answers were alike."
        )
    return Section("What it cost", (*blocks, Prose(said, quiet=True)))


def certified(found: Gathered) -> Section:
    """Comparisons, attestations, and what serves."""
    blocks: list[Block] = []
    looks = totals.looks(found.this)
    if looks:
        standings = {day.day: day.standing for day in found.this.days}
        rows = tuple(
            (
                day,
                str(look.number),
                f"{look.items:,}" if look.items is not None else "-",
                "reached" if look.reached else "not reached",
                gain(look.gain[0]) if look.gain else "not shown",
                interval(*look.gain[1:]) if look.gain else "",
                _in_force(standings[day]),
            )
            for day, look in looks
        )
        blocks.append(Table(("Day", "Look", "Items", "DeltaOne", "The look found", "Interval", "In force"), rows))
    else:
        blocks.append(Prose(f"Nothing was compared on held-out items.{_refusals(found)}"))
    blocks.append(Facts((*_attested(found), *_promoted(found), ("Serves now", _serves(found)))))
    blocks.append(Prose("While a holdout is in use its scores stay hidden, here too.", quiet=True))
    return Section("What was certified", tuple(blocks))


def _in_force(standing: DayStanding) -> str:
    """The gain that something may rest on now."""
    return "-" if standing.in_force is None else gain(standing.in_force.claim.decision.delta_ppm)


def _refusals(found: Gathered) -> str:
    days = [(each.day, each.look) for each in found.this.days if each.look is not None]
    return f" {named(days[-1][1].sentence)}" if days else ""


def _attested(found: Gathered) -> list[tuple[str, Line]]:
    rows: list[tuple[str, Line]] = []
    for day in found.this.days:
        for each in day.standing.issued:
            signed: Line = (", signed by ", Code(each.signer))
            place = f" ({STANDINGS[each.outcome]}, number {each.log_index} of the log)"
            rows.append((day.day, ("Attested: ", Code(each.uid), place, *signed)))
        if day.standing.amended:
            rows.append((day.day, (sentence_of(day.standing),)))
        elif day.standing.last is None and day.look is not None and day.look.reached:
            why = "there is no attestation yet" if day.unattested is None else named(day.unattested)
            rows.append((day.day, (f"Not attested: {why}",)))
    return rows


def _promoted(found: Gathered) -> list[tuple[str, Line]]:
    return [
        (each.day, ("Champion: ", Code(each.version[: wording.SHORT]), *_why(each))) for each in found.this.promoted
    ]


def _why(champion: Champion) -> Line:
    return () if champion.attestation else (f", {champion.how}: ", quoted(champion.reason, _LINE))


def _serves(found: Gathered) -> Line:
    if found.serves is None:
        return ("the first version",)
    return (Code(found.serves.version[: wording.SHORT]), f", since {found.serves.day}")


def contributors(found: Gathered) -> Section:
    """Who gave what, and who was granted what."""
    everybody = list(totals.contributors(found.this).items())
    if not everybody:
        return Section("Who contributed", (Prose("Nobody gave a trace."),))
    weighed = totals.weights(found.this)
    of_newest = weighed[1] if weighed else {}
    rows = tuple(
        (
            quoted(who, _CELL),
            f"{each.given:,}",
            f"{each.usable:,}",
            f"{each.demos:,}",
            _score(of_newest.get(who)),
            _granted(each.granted),
        )
        for who, each in everybody[:_MOST]
    )
    blocks: list[Block] = [Table(("Contributor", "Traces", "Usable", "Demos", "Weight", "Granted"), rows)]
    if weighed:
        blocks.append(
            Prose(f"Demos are those in candidates; weights are of the candidate of {weighed[0]}.", quiet=True)
        )
    if len(everybody) > _MOST:
        given = sum(each.given for _, each in everybody[_MOST:])
        blocks.append(Prose(f"And {len(everybody) - _MOST:,} more, who gave {count(given, 'trace')}.", quiet=True))
    blocks += [Prose(f"{day.day}: {_held(day)}", quiet=True) for day in found.this.days if day.paid and day.paid.escrow]
    blocks += [Prose(f"{day.day}: {day.unpaid}; it is in no sum.") for day in found.this.days if day.unpaid]
    return Section("Who contributed", tuple(blocks))


def _granted(amounts: Mapping[tuple[str, int], int]) -> str:
    return ", ".join(tokens(amounts)) or "-"


def tokens(amounts: Mapping[tuple[str, int], int], longest: int = _CELL, digits: int | None = None) -> list[str]:
    """Amounts of several tokens; those of two are never added up."""
    return [
        wording.amount(units, decimals, named(token, longest), digits)
        for (token, decimals), units in sorted(amounts.items())
    ]


def _held(day: Day) -> str:
    assert day.paid is not None
    held = wording.amount(day.paid.escrow, day.paid.decimals, named(day.paid.token, _CELL))
    return f"{held} stay in escrow, for whom no wallet is known."


def days(found: Gathered) -> Section:
    """Day by day."""
    rows = tuple(
        (
            day.day,
            *(("no record",) * 2 if day.volume is None else (f"{day.volume.traces:,}", f"{day.volume.usable:,}")),
            day.compile.outcome.replace("_", " ") if day.compile else "-",
            "-" if day.look is None else "reached" if day.look.reached else day.look.code.replace("_", " "),
        )
        for day in (*found.before.days, *found.this.days)
    )
    return Section("Day by day", (Table(("Day", "Traces", "Usable", "Compile", "DeltaOne"), rows),), folded=True)


def how_to_read() -> Section:
    """The words of the report for who has never met them."""
    rows = (
        ("Usable", "A trace from which a program can learn: cleaned, labelled, in bounds. The others are dropped."),
        ("Contender", "A program that an optimiser made, or the one that serves, scored on the same validation items."),
        ("Candidate", "The contender that beat what serves on validation. DeltaOne then compares them on fresh items."),
        (
            "DeltaOne",
            "The candidate is better by the threshold, on items no compile has seen, and luck is a poor explanation.",
        ),
        ("Demo", "A contributor's trace that stands in a candidate's prompt as an example."),
        (
            "Population stability index",
            "How far two distributions are apart: 0 is equal, from 0.1 a shift is worth a look, from 0.25 it is large.",
        ),
    )
    return Section("How to read this", (Facts(tuple((name, (text,)) for name, text in rows)),), folded=True)
