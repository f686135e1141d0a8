"""The package as its users have it: built, and installed from its wheel beside the libraries of this environment.

Run all tests so: python -m telefine_assets_tests.packaging.from_wheel [WHEEL] [arguments of pytest]
Without a wheel one is built. They run in a copy of this repository in which the package's folder is a link to what
was installed: what the wheel lacks, is lacking.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "telefine_assets"
_JUNK = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "*.egg-info", "build", "dist")
_MADE_OF = ("pyproject.toml", "setup.cfg", "README.md", "LICENSE")


def build(folder: Path, at: int = 1_800_000_000) -> tuple[Path, Path]:
    """Build wheel and sdist in ``folder``, from a copy, so that nothing is left behind in this one.

    Args:
        folder: where to.
        at: the time that the archives' files get, in seconds since 1970.
    """
    source = folder / "source"
    shutil.copytree(ROOT / PACKAGE, source / PACKAGE, ignore=_JUNK)
    for name in _MADE_OF:
        shutil.copy(ROOT / name, source)
    program = "import sys; from setuptools import build_meta as b; print(b.build_wheel('..'), b.build_sdist('..'))"
    known = os.environ | {"SOURCE_DATE_EPOCH": str(at)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=source, env=known, capture_output=True, text=True, check=True)
    wheel, sdist = done.stdout.splitlines()[-1].split()
    return folder / wheel, folder / sdist


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel into a fresh environment, which borrows all else; returns its folder of programs."""
    venv.create(folder, symlinks=True)
    programs, python = folder / "bin", folder / "bin" / "python"
    borrowed = [each for each in sys.path if each.endswith("site-packages")]
    # A path in a .pth file is searched, but its own .pth files are not read: the editable install stays out.
    own = next((folder / "lib").glob("python3.*")) / "site-packages"
    (own / "borrowed.pth").write_text("\n".join(borrowed))
    for entry in entry_points(group="console_scripts"):
        text = f"#!{python}\nimport sys\nfrom {entry.module} import {entry.attr} as main\nsys.exit(main())\n"
        (programs / entry.name).write_text(text)
        (programs / entry.name).chmod(0o755)
    for path in Path(sys.executable).parent.iterdir():
        if not (programs / path.name).exists() and not path.name.startswith(("activate", "python")):
            (programs / path.name).symlink_to(path)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    (programs / "telefine").unlink()
    subprocess.run([*pip, "--no-deps", "--no-index", "--ignore-installed", str(wheel)], check=True)
    return programs


def environment(programs: Path) -> dict[str, str]:
    """The environment of a process that knows the installed package alone."""
    kept = {name: each for name, each in os.environ.items() if not name.startswith(("PYTHON", "TELEFINE_", "DAGSTER_"))}
    return kept | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


def _without_package(folder: str, names: list[str]) -> set[str]:
    return _JUNK(folder, names) | ({PACKAGE} if Path(folder) == ROOT else set())


def main(arguments: Sequence[str]) -> int:
    """Run the tests; returns pytest's exit code."""
    with tempfile.TemporaryDirectory(prefix="telefine-wheel-") as name:
        folder = Path(name)
        given = [Path(each).resolve() for each in arguments[:1] if each.endswith(".whl")]
        wheel = given[0] if given else build(folder)[0]
        programs = install(wheel, folder / "venv")
        (folder / "tests").mkdir()
        (folder / "tests" / PACKAGE).symlink_to(next((folder / "venv").glob(f"lib/*/site-packages/{PACKAGE}")))
        shutil.copytree(ROOT, folder / "tests", ignore=_without_package, dirs_exist_ok=True)
        for kept in (".github", ".mkdocs.yml", ".pre-commit-config.yaml"):
            if (ROOT / kept).exists():
                copy = shutil.copytree if (ROOT / kept).is_dir() else shutil.copy
                copy(ROOT / kept, folder / "tests" / kept)
        command = [programs / "python", "-m", "pytest", "-p", "no:cacheprovider", *arguments[len(given) :]]
        return subprocess.run(command, cwd=folder / "tests", env=environment(programs), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
