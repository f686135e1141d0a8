"""The one schema of a deployment's settings.

A deployment is described by ``telefine.yaml``; ``TELEFINE_*`` environment
variables override single keys (``TELEFINE_LM__MODEL`` is ``lm.model``) and a
named profile in the file overrides a group of them. The result is validated,
frozen, and printable: secrets are ``SecretStr`` and never shown.

Precedence, highest first: environment, the chosen profile, the file, defaults.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from pydantic import (
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from telefine_assets.settings.addresses import Address
from telefine_assets.settings.alerts import AlertsSettings
from telefine_assets.settings.api import ApiSettings
from telefine_assets.settings.attribution import AttributionSettings, check_weighing
from telefine_assets.settings.automation import AutomationSettings, ScheduleSettings, SensorsSettings
from telefine_assets.settings.chain import ChainSettings
from telefine_assets.settings.compile import CompileSettings
from telefine_assets.settings.dagster import DagsterSettings
from telefine_assets.settings.deltaone import DeltaOneSettings
from telefine_assets.settings.file import (
    SettingsError,
)
from telefine_assets.settings.group import Group, ImportPath, Name, Percent
from telefine_assets.settings.improvement import ImprovementSettings
from telefine_assets.settings.lm import LmSettings
from telefine_assets.settings.metrics import ExactMatch, MetricSettings
from telefine_assets.settings.mlflow import MlflowSettings
from telefine_assets.settings.observing import ObservingSettings
from telefine_assets.settings.payout import PayoutSettings
from telefine_assets.settings.retention import RetentionSettings, check_retention
from telefine_assets.settings.signer import SignerSettings
from telefine_assets.settings.teachers import check_same_split, check_teachers
from telefine_assets.settings.traces import CleaningSettings, TracesSettings


class PartitionSettings(Group):
    """The days that exist. Every table is sliced by UTC day and by nothing else."""

    start: date = Field(description="First day, UTC.")
    end: date | None = Field(None, description="Last day, included; open-ended when absent.")
    today: bool = Field(
        False, description="Whether the day that is not over is one too, so that its traces are used at once."
    )

    @model_validator(mode="after")
    def _ordered(self) -> PartitionSettings:
        if self.end is not None and self.end < self.start:
            raise ValueError("end must not be before start")
        return self


class StoreSettings(Group):
    """Tables, records and evidence, on any fsspec URI."""

    uri: Address = Field("", repr=False, description="A folder or fsspec URI; the folder `store` in `home` when empty.")


class LedgerSettings(Group):
    """The append-only ledger, an SQLAlchemy URL."""

    url: str = Field("", repr=False, description="SQLite or PostgreSQL; the file ledger.db in `home` when empty.")

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        # A further @ or / would make another host of a part of the password, and errors name hosts.
        if not re.fullmatch(r"|sqlite:///.+|postgresql\+psycopg://([^@/\s]*@)?[^@/\s]*/[^@\s]*", url):
            raise ValueError(
                "must be sqlite:///<file> or postgresql+psycopg://<user>@<host>/<database>; "
                "write @ in a password as %40, / as %2F and a blank as %20"
            )
        return url


class SplitSettings(Group):
    """Shares of content clusters; the rest is train."""

    key: SecretStr = Field(description="Keys the hash that assigns clusters; never change it.")
    validation_percent: Percent = Field(20, description="What candidates are compared on.")
    holdout_percent: Percent = Field(30, description="What DeltaOne is decided on; no compile sees it.")

    @model_validator(mode="after")
    def _room_for_train(self) -> SplitSettings:
        if self.validation_percent + self.holdout_percent > 99:
            raise ValueError("validation_percent + holdout_percent must leave room for train (at most 99)")
        return self


class FieldsSettings(Group):
    """The fields of a whole program; read off its code where they are left out."""

    inputs: tuple[str, ...] = Field((), description="What the program is called with.")
    outputs: tuple[str, ...] = Field((), description="What it returns that can be right or wrong.")


class ProgramSettings(Group):
    """One DSPy program with its metric, its MLflow experiment and its schedule."""

    module: ImportPath = Field(description="'package.module:function' that returns the first version.")
    fields: FieldsSettings = FieldsSettings()
    experiment: str = Field(description="The MLflow experiment that its traces are logged to.")
    description: str = Field("", description="What it does; shown in Dagster.")
    owner: str = Field(
        "team:telefine", pattern=r"^(team:[\w/-]+|[^@\s]+@[^@\s]+)$", description="A team, or an e-mail address."
    )
    metric: MetricSettings = ExactMatch()
    traces: TracesSettings = TracesSettings()
    cleaning: CleaningSettings = CleaningSettings()
    split: SplitSettings
    compile: CompileSettings
    deltaone: DeltaOneSettings = DeltaOneSettings()
    attribution: AttributionSettings = AttributionSettings()
    payout: PayoutSettings = PayoutSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    improvement: ImprovementSettings = ImprovementSettings()
    sensors: SensorsSettings = SensorsSettings()

    @model_validator(mode="after")
    def _can_be_weighed(self) -> ProgramSettings:
        check_weighing(self.attribution, self.compile.max_validation)
        return self

    @property
    def models_asked(self) -> dict[str, str]:
        """Names of further models (see ``lms``) that are asked, by the setting that names them."""
        named = {f"compile: {each.strategy}: teacher_lm": each for each in self.compile.contenders}
        teachers = {where: getattr(each, "teacher_lm", None) for where, each in named.items()}
        judges = {f"deltaone: guardrails: {name}: lm": rail.metric for name, rail in self.deltaone.guardrails.items()}
        judges["metric: lm"] = self.metric
        asked = {**teachers, **{where: getattr(metric, "lm", None) for where, metric in judges.items()}}
        return {where: name for where, name in asked.items() if name is not None}


class EnvironmentFirst(BaseSettings):
    """Settings of which the environment overrides what a file says."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then what the file and the profile say."""
        if isinstance(env_settings, EnvSettingsSource):
            # Else a group that is set whole would drop, or not, those of its keys that are set besides.
            by_depth = sorted(env_settings.env_vars.items(), key=lambda each: each[0].count("__"))
            env_settings.env_vars = dict(by_depth)
        return (env_settings, init_settings)


class Settings(EnvironmentFirst):
    """A whole deployment, read by ``load_settings`` and never changed afterwards."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="TELEFINE_", env_nested_delimiter="__")

    deployment: str = Field("telefine", pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$", description="Its name, for ever.")
    home: Path = Field(Path(".telefine"), description="Folder of what has no other place; relative to this file.")
    partitions: PartitionSettings
    mlflow: MlflowSettings = MlflowSettings()
    dagster: DagsterSettings = DagsterSettings()
    lm: LmSettings = Field(LmSettings(), description="The model that programs run on.")
    lms: dict[Name, LmSettings] = Field({}, description="Further models by name: teachers, judges.")
    store: StoreSettings = StoreSettings()
    ledger: LedgerSettings = LedgerSettings()
    signer: SignerSettings = SignerSettings()
    chain: ChainSettings = ChainSettings()
    automation: AutomationSettings = AutomationSettings()
    alerts: AlertsSettings = AlertsSettings()
    api: ApiSettings = ApiSettings()
    observing: ObservingSettings = ObservingSettings()
    retention: RetentionSettings = RetentionSettings()
    programs: dict[Name, ProgramSettings] = Field(min_length=1, description="Your programs by name.")

    @model_validator(mode="after")
    def _models_exist(self) -> Settings:
        for name, program in self.programs.items():
            for where, model in program.models_asked.items():
                if model not in self.lms:
                    known = ", ".join(self.lms) or "none"
                    raise ValueError(f"programs.{name}.{where} = {model!r}: is not in 'lms' (there are: {known})")
        return self

    @model_validator(mode="after")
    def _teachers_can_be(self) -> Settings:
        check_teachers({name: program.compile.teacher_program for name, program in self.programs.items()})
        check_same_split(self.programs)
        return self

    @model_validator(mode="after")
    def _alerted_programs_exist(self) -> Settings:
        for name, channel in self.alerts.channels.items():
            if unknown := sorted({*channel.programs} - {*self.programs}):
                raise ValueError(f"alerts.channels.{name}.programs: there is no program {unknown[0]!r}")
        return self

    @model_validator(mode="after")
    def _keeps_what_is_looked_at(self) -> Settings:
        check_retention(self.retention, self.programs)
        return self

    def program(self, name: str) -> ProgramSettings:
        """Settings of one program.

        Raises:
            SettingsError: when there is no such program; the message lists those there are.
        """
        try:
            return self.programs[name]
        except KeyError:
            raise SettingsError(f"no program {name!r} in the settings; there are: {', '.join(self.programs)}") from None
