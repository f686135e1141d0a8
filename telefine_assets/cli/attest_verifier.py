"""``telefine attest verifier``: the page that verifies attestations in a browser, as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from telefine_assets.cli.shared import AsJson


def verifier(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write it; what is there is replaced.")],
    as_json: AsJson = False,
) -> None:
    """Write the page that verifies attestations in a browser: one file, which connects to nothing.

    It comes from this package, not from a server, and the same version of the package
    writes the same bytes. Needs no deployment.

    Example: telefine attest verifier --out verify.html
    """
    from telefine_assets.api.pages.verifier import standalone
    from telefine_assets.canonical import sha256_hex
    from telefine_assets.cli.payouts_shared import replace_file
    from telefine_assets.cli.shared import tell

    page = standalone()
    replace_file(out, page)
    facts = {"file": str(out), "sha256": sha256_hex(page), "bytes": len(page)}
    tell(as_json, facts, [f"{out}: {len(page)} bytes", f"sha256 {facts['sha256']}"])
