"""``telefine demo``: the whole line once, on real input."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    sentences: Annotated[
        int, typer.Option(help="Different sentences a day. Fewer are faster, and may not reach DeltaOne.", min=20)
    ] = 180,
) -> None:
    """Run the film reviews demonstration: real model, traces, compile, proof and payout.

    Killed anywhere, it goes on where it stopped when it is started again.

    Example: telefine demo --sentences 60
    """
    from telefine_assets.demo.run import run_demo
    from telefine_assets.settings.loading import load_settings

    run_demo(load_settings(), sentences)
