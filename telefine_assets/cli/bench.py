"""``telefine bench``: the benchmarks, which come with the source and not with the package."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from telefine_assets.errors import TelefineError

_PACKAGE = "telefine_assets_tests.benchmarks"


def bench(
    name: Annotated[str | None, typer.Argument(help="One benchmark, such as import_time; all if left out.")] = None,
) -> None:
    """Measure against peers and limits. The machine should be quiet; all of them take three hours.

    Example: telefine bench import_time
    """
    from importlib.util import find_spec

    module = _PACKAGE if name is None else f"{_PACKAGE}.{name}"
    try:
        found = find_spec(_PACKAGE) is not None and (name is None or (name.isidentifier() and find_spec(module)))
    except ModuleNotFoundError:
        raise TelefineError("the benchmarks are part of the source: run this in a clone of the repository") from None
    if not found:
        raise TelefineError(f"{name}: no such benchmark; they are the files of {_PACKAGE.replace('.', '/')}")
    if subprocess.run([sys.executable, "-m", module], check=False).returncode:  # noqa: S603
        raise typer.Exit(1)
