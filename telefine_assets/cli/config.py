"""``telefine config``: the settings, shown, checked and described."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from telefine_assets.cli.shared import AsJson, plain, print_json, tell

app = typer.Typer(no_args_is_help=True, help="Show, check and describe the settings.")

ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="Settings file instead of telefine.yaml.")]
Profile = Annotated[str | None, typer.Option("--profile", "-p", help="Named profile of the settings file.")]


@app.command()
def show(config: ConfigFile = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """Print the settings in force, defaults included, secrets masked.

    Example: telefine config show --profile production
    """
    import yaml

    from telefine_assets.settings.loading import load_settings, printable

    found = printable(load_settings(config, profile))
    tell(as_json, found, [yaml.safe_dump(found, sort_keys=False).rstrip()])


@app.command()
def check(config: ConfigFile = None, profile: Profile = None, as_json: AsJson = False) -> None:
    """Validate the settings; every mistake gets one line, and what may go wrong a warning. Exits 1 on a mistake.

    Example: telefine config check --config telefine.yaml
    """
    from telefine_assets.settings.file import SettingsError
    from telefine_assets.settings.loading import load_settings
    from telefine_assets.settings.warnings import warnings_of

    try:
        settings = load_settings(config, profile)
    except SettingsError as error:
        if as_json:
            print_json({"valid": False, "mistakes": plain(str(error)).splitlines()})
        raise
    programs, warned = list(settings.programs), warnings_of(settings)
    facts = {"valid": True, "programs": programs, "warnings": [asdict(each) for each in warned]}
    lines = [f"ok: {len(programs)} program(s): {', '.join(programs)}"]
    tell(as_json, facts, [*lines, *(f"warning: {each.said}: {each.cure}" for each in warned)])


@app.command()
def schema() -> None:
    """Print the JSON Schema of telefine.yaml.

    Example: telefine config schema
    """
    from telefine_assets.settings.schema import Settings

    described = Settings.model_json_schema()
    described["properties"]["profiles"] = {
        "description": "Groups of settings that override the file's, chosen by --profile or TELEFINE_PROFILE.",
        "type": "object",
        "additionalProperties": {"type": ["object", "null"]},
    }
    print_json(described)
