"""``telefine doctor``: whether all that a deployment depends on is in order, and what to do where it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from telefine_assets.cli.shared import AsJson, print_json, short

if TYPE_CHECKING:
    from telefine_assets.control.health import Finding

NoLm = Annotated[bool, typer.Option("--no-lm", help="Do not ask the language models, which may cost money.")]
_LONG = 500
_MEND = "mend what is named: `telefine config schema` has every key; where there is no file yet: `telefine init`"


def doctor(no_lm: NoLm = False, as_json: AsJson = False) -> None:
    """Check every dependency: ok, broken or to be warned of, with the cure, or skipped. Exits 1 on what is broken.

    Example: telefine doctor --no-lm
    """
    found = []
    for each in _findings(no_lm):
        found.append(each)
        if not as_json:
            _show(each)
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        _sum_up(found)
    if any(each.health == "broken" for each in found):
        raise typer.Exit(1)


def _findings(no_lm: bool) -> Iterator[Finding]:
    from telefine_assets.control.health import Finding, Health, examine
    from telefine_assets.settings.file import SettingsError, config_path
    from telefine_assets.settings.loading import load_settings
    from telefine_assets.settings.warnings import warnings_of

    try:
        settings = load_settings()
    except SettingsError as error:
        # Without settings there is nothing else to look at.
        for mistake in str(error).splitlines():
            yield Finding("settings", Health.BROKEN, mistake, _MEND)
        return
    yield Finding("settings", Health.OK, f"{config_path()}: {', '.join(settings.programs)}")
    yield from (Finding(each.name, Health.WARNING, each.said, each.cure) for each in warnings_of(settings))
    from telefine_assets.control.health_alerts import ALERTS
    from telefine_assets.control.health_cluster import CLUSTER
    from telefine_assets.control.health_dagster import DAGSTER
    from telefine_assets.control.health_erasures import ERASURES
    from telefine_assets.control.health_labels import LABELS
    from telefine_assets.control.health_observing import OBSERVING
    from telefine_assets.control.health_runs import LOST_RUNS
    from telefine_assets.control.health_services import MODELS, SERVICES
    from telefine_assets.control.health_store import RECORDS, UNFINISHED

    models = () if no_lm else (MODELS,)
    yield from examine(
        settings,
        (*SERVICES, LABELS, RECORDS, UNFINISHED, *DAGSTER, *CLUSTER, LOST_RUNS, ALERTS, ERASURES, OBSERVING, *models),
    )


def _sum_up(found: list[Finding]) -> None:
    """How many of what; what is broken may have a cause that is broken too, which stands before it."""
    counts = Counter(str(each.health) for each in found)
    first = "; mend the first one first" if counts["broken"] > 1 else ""
    typer.echo(f"{', '.join(f'{number} {health}' for health, number in counts.items())}{first}")


def _show(each: Finding) -> None:
    colours = {"ok": typer.colors.GREEN, "broken": typer.colors.RED, "warning": typer.colors.YELLOW}
    colour = colours.get(each.health)
    typer.echo(f"{typer.style(f'{each.health:<8}', fg=colour)} {each.name}: {short(each.said, _LONG)}")
    if each.cure:
        typer.echo(f"{'':<8} cure: {each.cure}")
