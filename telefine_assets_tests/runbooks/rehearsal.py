"""A deployment in a folder that can be broken, and the commands of a runbook's page, run in this process."""

import contextlib
import copy
import io
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import yaml

from telefine_assets.cli.main import main
from telefine_assets.control.reading import BESIDE
from telefine_assets.definitions import build_defs
from telefine_assets.partitions import bounds_ms
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.control.home import SETTINGS, Home
from telefine_assets_tests.programs.tickets import ticket
from telefine_assets_tests.traces.mlflow_store import fill

PAGES = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
DAY = "2026-11-02"
PROGRAM = "tickets"
SHAPE = ("How you notice", "What it means", "What to do", "How to see that it is over", "Never")
STAGES = (
    "traces",
    "cleaned_traces",
    "compiled_programs",
    "deltaone_reports",
    "contributor_weights",
    "attestations",
    "champions",
    "contributor_payouts",
)


def settings_of(api_base: str) -> str:
    """One program whose candidate is far better than its first version, so that few items are enough."""
    values = yaml.safe_load(SETTINGS)
    values["partitions"] = {"start": DAY, "end": DAY}
    program = values["programs"].pop("slow") | values["programs"][PROGRAM]
    program |= {
        "cleaning": {
            "outcomes": [{"feedback": "resolved", "kind": "boolean"}],
            "expectations": {"team": "right_team"},
        },
        "compile": {
            "strategies": [{"strategy": "labeled_few_shot", "max_labeled_demos": 12}],
            "lookback_days": 1,
            "min_train": 20,
            "min_validation": 10,
        },
        "split": {"key": "test", "validation_percent": 20, "holdout_percent": 40},
        "deltaone": {"min_items": 30, "min_power_ppm": 0},
        "payout": {"pool": "1000000", "token_symbol": "TOKEN"},
    }
    values["programs"] = {PROGRAM: program}
    values["retention"] = {"traces_days": 400}
    values["lm"] |= {"api_base": api_base, "num_retries": 0}
    return yaml.safe_dump(values)


def filled(store: Path, traces: int = 200) -> Path:
    """Give a store a day of tickets, all of whose labels are right."""
    fill(f"sqlite:///{store / 'mlflow.db'}", traces, bounds_ms(DAY)[0], ticket=lambda rng: ticket(rng.getrandbits(32)))
    return store


def commands(page: str, section: str = "What to do") -> list[str]:
    """The command lines of a section of a page, in order; a line that ends in a backslash goes on."""
    text = (PAGES / f"{page}.md").read_text()
    (found,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^ *```\n(.*?)^ *```", found, re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split(" # ")[0].strip() for line in lines if line.strip()]


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    line: str
    code: int
    output: str


class Rehearsed(Home):
    """A deployment, and the commands there."""

    def __init__(self, folder: Path, store: Path, api_base: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        super().__init__(folder, store, settings_of(api_base))
        self.own = folder / ".telefine"

    def copied(self, folder: Path) -> "Rehearsed":
        """The same deployment elsewhere: SQLite's files may be open still where it was made."""
        shutil.copytree(self.folder, folder)
        made = copy.copy(self)
        made.folder, made.telefine, made.own = folder, folder / self.telefine.name, folder / self.own.name
        made.environment = {
            name: value.replace(str(self.folder), str(folder)) for name, value in self.environment.items()
        }
        return made

    def follow(self, page: str, *sections: str, **names: str) -> list[Done]:
        """Run the commands of a page, with its names in capitals replaced."""
        lines = [line for section in sections or ("What to do",) for line in commands(page, section)]
        assert lines, page
        return [self.run(line, **names) for line in lines]

    def run(self, line: str, **names: str) -> Done:
        """Run a command line in this process. What ``telefine run`` starts, Dagster does here."""
        for name, value in ({"DAY": DAY, "PROGRAM": PROGRAM, "REASON": "because", "NAME": "ann"} | names).items():
            line = re.sub(rf"\b{name}\b", value, line)
        command, *arguments = shlex.split(line)
        assert command == "telefine", line
        if arguments[0] == "run":
            return self._materialised(line, [each for each in arguments[1:] if each in (*STAGES, BESIDE)])
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                main(arguments)
            except SystemExit as ended:
                return Done(line, int(ended.code or 0), output.getvalue())
        raise AssertionError(line)

    def _materialised(self, line: str, stages: list[str]) -> Done:
        defs = build_defs(load_settings(self.telefine))
        keys = [dg.AssetKey([PROGRAM, stage]) for stage in stages or STAGES]
        output = io.StringIO()
        with dg.instance_for_test() as instance, contextlib.redirect_stderr(output):
            done = dg.materialize(
                [*(defs.assets or ()), *(defs.asset_checks or ())],
                selection=dg.AssetSelection.assets(*keys),
                instance=instance,
                resources=defs.resources,
                partition_key=DAY,
                raise_on_error=False,
            )
        failed = [str(each.step_failure_data.error) for each in done.all_events if each.is_step_failure]
        failed += [
            str(each.description or each.metadata) for each in done.get_asset_check_evaluations() if not each.passed
        ]
        return Done(line, int(not done.success or bool(failed)), "\n".join(failed))
