"""Who may import whom: the rules of the house, read off the source, and what importing the code location costs."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "telefine_assets"
DOMAIN = (
    "traces",
    "programs",
    "deltaone",
    "attribution",
    "attestation",
    "payouts",
    "onchain",
    "improvement",
    "pages",
    "alerts",
    "keeping",
)
BASE = ("store", "ledger", "lm")
DAGSTER_SIDE = ("assets", "asset_checks", "automation", "control", "resources", "definitions")
HEAVY = {"mlflow", "dspy", "eth_account", "pandas", "duckdb", "web3", "vyper"}
# A dspy.Adapter, a dspy.LM and a journal of dspy's own messages cannot be written without it; all are imported lazily.
MAY_LOAD_DSPY = {"lm/plain_adapter.py", "lm/journal.py", "lm/asking.py", "programs/witness.py"} | {
    f"programs/strategies/{each}.py" for each in ("adapting", "bootstrapping", "standing_in")
}
SOURCES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse((PACKAGE / name).read_text(encoding="utf-8"), name)


def layer_of(name: str) -> str:
    return name.split("/")[0].removesuffix(".py")


def sources_of(*layers: str) -> list[str]:
    return [name for name in SOURCES if layer_of(name) in layers]


def names_in(node: ast.AST, name: str) -> list[str]:
    """Full names that an import statement of the file ``name`` brings in, relative ones resolved."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        folders = ["telefine_assets", *name.split("/")[:-1]]
        base = ".".join(folders[: len(folders) + 1 - node.level]) + "." if node.level else ""
        module = (base + (node.module or "")).rstrip(".")
        return [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return []


def imports_of(name: str) -> set[str]:
    """Everything that is imported anywhere in a file, inside functions too."""
    return {each for node in ast.walk(tree_of(name)) for each in names_in(node, name)}


def own_layers_of(name: str) -> set[str]:
    """Telefine's packages and top-level modules that a file imports."""
    return {each.split(".")[1] for each in imports_of(name) if each.startswith("telefine_assets.")}


def run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a module is imported: not function bodies, not ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from run_at_import(child)


def dotted_calls_of(name: str) -> set[str]:
    """Dotted names used in a file, with import aliases undone: ``dt.now`` is ``datetime.datetime.now``."""
    tree = tree_of(name)
    aliases = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {each.asname: each.name for each in node.names if each.asname}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            aliases |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}
    return {".".join([aliases.get(each.split(".")[0], each.split(".")[0]), *each.split(".")[1:]]) for each in used}


ENVIRONMENT_OR_CLOCK = re.compile(
    r"^(os\.(environ|getenv|putenv|urandom)\b|time\.(time|time_ns|localtime|gmtime|ctime|strftime)$"
    r"|datetime\.(datetime|date)\.(now|utcnow|today)$|secrets\b|uuid\.uuid[14]$)"
)
UNSEEDED = re.compile(
    r"^(random\.(?!Random($|\())|(numpy|np)\.random\.(?!default_rng$|Generator$|PCG64$|SeedSequence$|RandomState$)\w)"
)
MAKES_A_GENERATOR = re.compile(r"(^|\.)(Random|default_rng|PCG64|SeedSequence|RandomState)$")


@pytest.mark.parametrize("name", sources_of(*DOMAIN))
def test_the_domain_knows_no_dagster(name):
    assert not {each for each in imports_of(name) if each.split(".")[0].startswith("dagster")}


@pytest.mark.parametrize("name", sources_of(*DOMAIN))
def test_the_domain_reads_no_environment_and_no_clock(name):
    assert not {each for each in dotted_calls_of(name) if ENVIRONMENT_OR_CLOCK.match(each)}


@pytest.mark.parametrize("name", sources_of(*DOMAIN))
def test_the_domain_draws_nothing_without_a_seed(name):
    assert not {each for each in dotted_calls_of(name) if UNSEEDED.match(each)}
    calls = [node for node in ast.walk(tree_of(name)) if isinstance(node, ast.Call)]
    generators = [node for node in calls if MAKES_A_GENERATOR.search(ast.unparse(node.func))]
    assert all(node.args or node.keywords for node in generators)


@pytest.mark.parametrize("name", sources_of(*BASE))
def test_store_ledger_and_lm_know_nothing_of_the_domain(name):
    allowed = {f"telefine_assets.{layer}.records" for layer in DOMAIN}
    domain = {each for each in imports_of(name) if each.startswith("telefine_assets.") and each.split(".")[1] in DOMAIN}
    assert not {each for each in domain if ".".join(each.split(".")[:3]) not in allowed}


@pytest.mark.parametrize(
    "name", [each for each in SOURCES if layer_of(each) not in (*DAGSTER_SIDE, "demo", "cli", "api")]
)
def test_nothing_below_imports_the_dagster_side(name):
    # The package's own __init__ makes `defs` on demand, for Dagster's `-m telefine_assets`.
    allowed = {"definitions"} if name == "__init__.py" else set()
    assert not own_layers_of(name) & {*DAGSTER_SIDE} - allowed


@pytest.mark.parametrize("name", [each for each in sources_of("cli", "api") if each != "cli/demo.py"])
def test_the_command_line_and_the_api_do_not_import_the_assets(name):
    assert not own_layers_of(name) & {"assets", "asset_checks", "demo"}


@pytest.mark.parametrize("name", [each for each in SOURCES if layer_of(each) != "demo" and each != "cli/demo.py"])
def test_nothing_but_its_own_command_imports_the_demonstration(name):
    assert "demo" not in own_layers_of(name)


@pytest.mark.parametrize("name", SOURCES)
def test_nothing_private_of_dagster_is_imported(name):
    assert not {each for each in imports_of(name) if re.match(r"dagster\w*\.(\w+\.)*_", each)}


@pytest.mark.parametrize("name", SOURCES)
def test_heavy_libraries_are_imported_inside_functions(name):
    at_import = {each for node in run_at_import(tree_of(name)) for each in names_in(node, name)}
    heavy = {each.split(".")[0] for each in at_import} & HEAVY
    assert heavy <= ({"dspy"} if name in MAY_LOAD_DSPY else set())


@pytest.mark.parametrize("name", [each for each in SOURCES if each not in MAY_LOAD_DSPY])
def test_modules_that_need_dspy_are_themselves_imported_inside_functions(name):
    at_import = {each for node in run_at_import(tree_of(name)) for each in names_in(node, name)}
    lazy = {f"telefine_assets.{each.removesuffix('.py').replace('/', '.')}" for each in MAY_LOAD_DSPY}
    assert not at_import & lazy


@pytest.mark.parametrize("name", SOURCES)
def test_a_file_has_at_most_400_lines_and_nothing_left_to_do(name):
    text = (PACKAGE / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", text)


def test_the_rules_are_applied_to_real_files():
    """A package that was renamed must not leave its rules without anything to hold of."""
    for layer in (*DOMAIN, *BASE, *DAGSTER_SIDE, "cli"):
        assert sources_of(layer), layer
    assert "traces.fields" in {each.removeprefix("telefine_assets.") for each in imports_of("programs/spec.py")}


def test_the_code_location_loads_no_heavy_library(tmp_path):
    program = (
        f"import sys, telefine_assets.definitions\nsys.exit(' '.join(sorted({HEAVY!r} & set(sys.modules))) or None)"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TELEFINE_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "TELEFINE_CONFIG": str(ROOT / "telefine.yaml")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert not list(tmp_path.iterdir())


def test_importing_the_package_alone_loads_no_dagster():
    program = "import sys, telefine_assets, telefine_assets.partitions; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
