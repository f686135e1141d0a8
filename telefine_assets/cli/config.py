"""``telefine config``: the settings, shown, checked and described."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
import yaml

app = typer.Typer(no_args_is_help=True, help="Show, check and describe the settings.")

ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="Settings file instead of telefine.yaml.")]
Profile = Annotated[str | None, typer.Option("--profile", "-p", help="Named profile of the settings file.")]


@app.command()
def show(config: ConfigFile = None, profile: Profile = None) -> None:
    """Print the settings in force, defaults included, secrets masked."""
    from telefine_assets.settings import load_settings, printable

    typer.echo(yaml.safe_dump(printable(load_settings(config, profile)), sort_keys=False).rstrip())


@app.command()
def check(config: ConfigFile = None, profile: Profile = None) -> None:
    """Validate the settings; every mistake gets one line. Exits 1 when there is one."""
    from telefine_assets.settings import load_settings

    settings = load_settings(config, profile)
    typer.echo(f"ok: {len(settings.programs)} program(s): {', '.join(settings.programs)}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of telefine.yaml."""
    from telefine_assets.settings import Settings

    described = Settings.model_json_schema()
    described["properties"]["profiles"] = {
        "description": "Groups of settings that override the file's, chosen by --profile or TELEFINE_PROFILE.",
        "type": "object",
        "additionalProperties": {"type": ["object", "null"]},
    }
    typer.echo(json.dumps(described, indent=2))
