"""Who may import whom: the rules of the house, read off the source, and what importing the code location costs."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

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
HEAVY = {"mlflow", "dspy", "eth_account", "pandas", "duckdb", "web3", "vyper", "sentry_sdk", "opentelemetry"}
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


def broken_by(names: Iterable[str], found: Callable[[str], object]) -> dict[str, object]:
    """The files in which something was found that a rule forbids, and what."""
    return {name: what for name in names if (what := found(name))}


def called_in(name: str, pattern: re.Pattern[str]) -> set[str]:
    return {each for each in dotted_calls_of(name) if pattern.match(each)}


def at_import_of(name: str) -> set[str]:
    return {each for node in run_at_import(tree_of(name)) for each in names_in(node, name)}


def test_the_domain_knows_no_dagster():
    def found(name):
        return {each for each in imports_of(name) if each.split(".")[0].startswith("dagster")}

    assert broken_by(sources_of(*DOMAIN), found) == {}


def test_the_domain_reads_no_environment_and_no_clock():
    assert broken_by(sources_of(*DOMAIN), lambda name: called_in(name, ENVIRONMENT_OR_CLOCK)) == {}


def test_the_domain_draws_nothing_without_a_seed():
    def generators_without(name):
        calls = [node for node in ast.walk(tree_of(name)) if isinstance(node, ast.Call)]
        generators = [node for node in calls if MAKES_A_GENERATOR.search(ast.unparse(node.func))]
        return [ast.unparse(node) for node in generators if not (node.args or node.keywords)]

    assert broken_by(sources_of(*DOMAIN), lambda name: called_in(name, UNSEEDED)) == {}
    assert broken_by(sources_of(*DOMAIN), generators_without) == {}


def test_store_ledger_and_lm_know_nothing_of_the_domain():
    allowed = {f"telefine_assets.{layer}.records" for layer in DOMAIN}

    def found(name):
        own = {tuple(each.split(".")) for each in imports_of(name) if each.startswith("telefine_assets.")}
        return {".".join(each) for each in own if each[1] in DOMAIN and ".".join(each[:3]) not in allowed}

    assert broken_by(sources_of(*BASE), found) == {}


def test_what_is_observed_does_not_know_who_looks():
    assert broken_by(sources_of(*DOMAIN, *BASE), lambda name: own_layers_of(name) & {"observing"}) == {}


def test_nothing_below_imports_the_dagster_side():
    # The package's own __init__ makes `defs` on demand, for Dagster's `-m telefine_assets`.
    below = [each for each in SOURCES if layer_of(each) not in (*DAGSTER_SIDE, "demo", "cli", "api", "__init__")]
    assert broken_by(below, lambda name: own_layers_of(name) & {*DAGSTER_SIDE}) == {}
    assert own_layers_of("__init__.py") & {*DAGSTER_SIDE} <= {"definitions"}


def test_the_command_line_and_the_api_do_not_import_the_assets():
    sources = [each for each in sources_of("cli", "api") if each != "cli/demo.py"]
    assert broken_by(sources, lambda name: own_layers_of(name) & {"assets", "asset_checks", "demo"}) == {}


def test_nothing_but_its_own_command_imports_the_demonstration():
    others = [each for each in SOURCES if layer_of(each) != "demo" and each != "cli/demo.py"]
    assert broken_by(others, lambda name: own_layers_of(name) & {"demo"}) == {}


def test_nothing_private_of_dagster_is_imported():
    def found(name):
        return {each for each in imports_of(name) if re.match(r"dagster\w*\.(\w+\.)*_", each)}

    assert broken_by(SOURCES, found) == {}


def test_heavy_libraries_are_imported_inside_functions():
    def found(name):
        heavy = {each.split(".")[0] for each in at_import_of(name)} & HEAVY
        return heavy - ({"dspy"} if name in MAY_LOAD_DSPY else set())

    assert broken_by(SOURCES, found) == {}


def test_modules_that_need_dspy_are_themselves_imported_inside_functions():
    lazy = {f"telefine_assets.{each.removesuffix('.py').replace('/', '.')}" for each in MAY_LOAD_DSPY}
    others = [each for each in SOURCES if each not in MAY_LOAD_DSPY]
    assert broken_by(others, lambda name: at_import_of(name) & lazy) == {}


def test_parquet_is_read_without_threads_that_may_outlive_the_interpreter():
    def found(name):
        calls = [node for node in ast.walk(tree_of(name)) if isinstance(node, ast.Call)]
        reads = [
            ast.unparse(each)
            for each in calls
            if re.search(
                r"(^pq\.read_table|ParquetFile\(.*\)\.read|\.read_row_group|\.iter_batches)$", ast.unparse(each.func)
            )
        ]
        return [each for each in reads if "use_threads=False" not in each]

    assert broken_by(SOURCES, found) == {}


def test_a_file_has_at_most_400_lines_and_nothing_left_to_do():
    texts = {name: (PACKAGE / name).read_text(encoding="utf-8") for name in SOURCES}
    assert broken_by(SOURCES, lambda name: max(0, len(texts[name].splitlines()) - 400)) == {}
    assert broken_by(SOURCES, lambda name: re.findall(r"\b(TODO|FIXME|XXX)\b", texts[name])) == {}


def test_the_rules_are_applied_to_real_files():
    """A package that was renamed must not leave its rules without anything to hold of."""
    for layer in (*DOMAIN, *BASE, *DAGSTER_SIDE, "cli"):
        assert sources_of(layer), layer
    assert "traces.fields" in {each.removeprefix("telefine_assets.") for each in imports_of("programs/spec.py")}


def test_the_code_location_loads_no_heavy_library(tmp_path):
    # Not heavy, but a fifth of what is loaded at every start, and for whoever opens the ledger alone.
    unwanted = HEAVY | {"sqlalchemy"}
    program = (
        f"import sys, telefine_assets.definitions\nsys.exit(' '.join(sorted({unwanted!r} & set(sys.modules))) or None)"
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
