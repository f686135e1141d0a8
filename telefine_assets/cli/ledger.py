"""``telefine ledger``: which schema the ledger has, and bringing an older one to this Telefine's."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from telefine_assets.cli.attest_shared import Yes
from telefine_assets.cli.backup import By, user
from telefine_assets.cli.shared import AsJson, tell

if TYPE_CHECKING:
    from telefine_assets.ledger.migrating import Standing

app = typer.Typer(no_args_is_help=True, help="Which schema the ledger has, and bringing an older one forward.")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Say which schema the ledger has, which one this Telefine needs, and what lies between; nothing is changed.

    Example: telefine ledger status --json
    """
    from telefine_assets.ledger.migrating import standing
    from telefine_assets.settings.loading import load_settings

    found = standing(load_settings().ledger.url)
    has = "there is no ledger yet" if found.found is None else f"the ledger has schema {found.found}"
    needed = ["to be done by: telefine ledger migrate"] if found.steps else []
    tell(as_json, asdict(found), [f"{has}, this Telefine's is {found.known}", *_steps(found), *needed])


@app.command()
def migrate(yes: Yes = False, by: By = None, as_json: AsJson = False) -> None:
    """Bring the ledger to this Telefine's schema, in one transaction; there is no way back but a backup.

    First stop everything that works with the deployment, and back it up with the
    Telefine that wrote it. One that is cut off has changed nothing; where
    nothing is to be done, nothing is.

    Example: telefine ledger migrate --yes
    """
    from telefine_assets.cli.attest_shared import asked
    from telefine_assets.ledger.migrating import migrate, standing
    from telefine_assets.settings.loading import load_settings

    url = load_settings().ledger.url
    before = standing(url)
    if before.steps:
        question = (
            f"Migrate the ledger from schema {before.found} to {before.known}? There is no way back but a backup."
        )
        asked(question, yes, as_json)
    done = migrate(url, by or user(), datetime.now(UTC))
    said = f"the ledger has schema {done.known}" + ("" if done.steps else " already")
    tell(as_json, {"schema": done.known, "done": [each.version for each in done.steps]}, [*_steps(done), said])


def _steps(standing: Standing) -> list[str]:
    return [f"  {each.version}: {each.what}" for each in standing.steps]
