"""``telefine doctor``: whether all that a deployment depends on is in order, and what to do where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from telefine_assets.cli.shared import AsJson, print_json, short

if TYPE_CHECKING:
    from telefine_assets.control.health import Finding

NoLm = Annotated[bool, typer.Option("--no-lm", help="Do not ask the language models, which may cost money.")]
_LONG = 500


def doctor(no_lm: NoLm = False, as_json: AsJson = False) -> None:
    """Check every dependency: ok, broken with its cure, or skipped. Exits 1 when anything is broken.

    Example: telefine doctor --no-lm
    """
    found = []
    for each in _findings(no_lm):
        found.append(each)
        if not as_json:
            _show(each)
    if as_json:
        print_json([asdict(each) for each in found])
    if any(each.health == "broken" for each in found):
        raise typer.Exit(1)


def _findings(no_lm: bool) -> Iterator[Finding]:
    from telefine_assets.control.health import Finding, Health, examine
    from telefine_assets.settings import SettingsError, config_path, load_settings

    try:
        settings = load_settings()
    except SettingsError as error:
        # Without settings there is nothing else to look at.
        yield Finding("settings", Health.BROKEN, str(error), "mend the file, or write one: `telefine init`")
        return
    yield Finding("settings", Health.OK, f"{config_path()}: {', '.join(settings.programs)}")
    from telefine_assets.control.health_alerts import ALERTS
    from telefine_assets.control.health_dagster import DAGSTER
    from telefine_assets.control.health_runs import LOST_RUNS
    from telefine_assets.control.health_services import MODELS, SERVICES
    from telefine_assets.control.health_store import RECORDS

    yield from examine(settings, (*SERVICES, RECORDS, *DAGSTER, LOST_RUNS, ALERTS, *(() if no_lm else (MODELS,))))


def _show(each: Finding) -> None:
    colour = {"ok": typer.colors.GREEN, "broken": typer.colors.RED}.get(each.health)
    typer.echo(f"{typer.style(f'{each.health:<8}', fg=colour)} {each.name}: {short(each.said, _LONG)}")
    if each.cure:
        typer.echo(f"{'':<8} cure: {each.cure}")
