"""``telefine erase``: a contributor's words are taken out of all that is kept; the proofs stay."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from telefine_assets.cli import erase_restate
from telefine_assets.cli.attest_shared import Yes, asked
from telefine_assets.cli.backup import By, Proxied, user
from telefine_assets.cli.erase_doing import Instructions
from telefine_assets.cli.shared import AsJson, tell

app = typer.Typer(no_args_is_help=True, help="Take a person's words out of all that is kept; the proofs stay.")


@app.command()
def contributor(
    address: Annotated[str, typer.Argument(help="The contributor's wallet, 0x and 40 digits.")],
    reason: Annotated[str, typer.Option(help="Why; it stays in the audit log and in the log. Name no person in it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go, and what cannot.")] = False,
    instructions: Instructions = None,
    yes: Yes = False,
    mlflow_artifacts: Proxied = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Erase what a contributor said: inputs, outputs, comments and corrections, wherever they are kept.

    Wallet, weights, amounts and digests stay, and so does every proof. A version
    that serves is not touched: let another one serve, and run it again. Stop the
    daemon and the API first. Exits 1 while any of the words stand somewhere.

    Example: telefine erase contributor 0x52908400098527886E0F7030069857D2E4169EE7 --reason "asked by mail" --dry-run
    """
    from telefine_assets.cli.erase_doing import (
        Wish,
        erase_one,
        find,
        in_turn,
        lines_of,
        opened,
        require_gone,
        wallet_of,
    )
    from telefine_assets.settings.loading import load_settings

    wish = Wish(wallet_of(address), reason, by or user(), instructions)
    here = opened(load_settings(), mlflow_artifacts)
    with in_turn(here, as_json):
        if dry_run:
            planned = find(here, wish)
            tell(as_json, planned.to_record() | {"erased": False}, [*lines_of(planned), "nothing was erased"])
            return
        sure = partial(asked, f"Erase what {wish.wallet} said, for ever?", yes, as_json)
        done = erase_one(here, wish, as_json, sure)
    tell(as_json, done)
    require_gone([done])


@app.command()
def again(
    instructions: Instructions = None,
    yes: Yes = False,
    mlflow_artifacts: Proxied = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Erase again what came back with a backup, or was cut off on another machine.

    Whose words they are is known from the ledger, and from the list in the store
    that no restore replaces. `telefine restore` does it by itself. Exits 1 while
    any of the words stand somewhere.

    Example: telefine erase again --yes
    """
    from telefine_assets.cli.erase_doing import erase_again, opened, require_gone
    from telefine_assets.keeping.erasure_list import came_back
    from telefine_assets.settings.loading import load_settings

    here = opened(load_settings(), mlflow_artifacts)
    back = came_back(here.ledger, here.deployment.files, here.settings.programs)
    if back.whose:
        asked(f"Erase again what {', '.join(back.whose)} said, for ever?", yes, as_json)
    done = erase_again(here, back, instructions, by or user(), as_json)
    tell(as_json, {"came_back": list(back.said), "erased": done}, [] if done else ["nothing came back"])
    require_gone(done)


app.command("restate")(erase_restate.restate)
