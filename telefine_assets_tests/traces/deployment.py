"""A deployment with three days of generated traces, and its first two stages."""

from pathlib import Path

import dagster as dg

from telefine_assets.definitions import build_defs
from telefine_assets.partitions import bounds_ms
from telefine_assets.settings.loading import load_settings
from telefine_assets_tests.traces.mlflow_store import copy_store, empty_store, fill

FIRST, MIDDLE, LAST = DAYS = ("2026-11-02", "2026-11-03", "2026-11-04")
SETTINGS = """
deployment: generated
partitions: {{start: {first}, end: {last}}}
lm: {{model: openai/none, api_base: "http://127.0.0.1:9"}}
programs:
  tickets:
    module: telefine_assets_tests.programs.tickets:build
    experiment: tickets
    cleaning:
      outcomes: [{{feedback: resolved, kind: boolean}}]
      expectations: {{team: right_team}}
    split: {{key: test}}
    compile: {{strategies: [{{strategy: labeled_few_shot}}]}}
"""


def three_days(folder: Path) -> Path:
    """A store in ``folder`` with a hundred traces on each day, to be copied."""
    fill(empty_store(folder), 300, bounds_ms(FIRST)[0], days=3)
    return folder


class Deployment:
    """A deployment of its own in a folder."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.home = folder / ".telefine"
        copy_store(template, self.home)
        self.file = self.home / "mlflow.db"
        (folder / "telefine.yaml").write_text(SETTINGS.format(first=FIRST, last=LAST))
        self.settings = load_settings(folder / "telefine.yaml")
        self.defs = build_defs(self.settings)

    def run(self, instance, *days, raise_on_error=True):
        """One run over the days, from traces to cleaned traces, with their checks."""
        selection = dg.AssetSelection.assets("tickets/traces", "tickets/cleaned_traces")
        tags = {"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[-1]}
        return dg.materialize(
            [*self.defs.assets, *self.defs.asset_checks],
            selection=selection | selection.required_multi_asset_neighbors(),
            instance=instance,
            resources=self.defs.resources,
            partition_key=days[0] if len(days) == 1 else None,
            tags=tags if len(days) > 1 else None,
            raise_on_error=raise_on_error,
        )

    def files(self):
        """Everything that is stored, by name."""
        root = self.home / "store"
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
