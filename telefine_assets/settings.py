"""The one schema of a deployment's settings.

A deployment is described by ``telefine.yaml``; ``TELEFINE_*`` environment
variables override single keys (``TELEFINE_LM__MODEL`` is ``lm.model``) and a
named profile in the file overrides a group of them. The result is validated,
frozen, and printable: secrets are ``SecretStr`` and never shown.

Precedence, highest first: environment, the chosen profile, the file, defaults.
"""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from telefine_assets.settings_alerts import AlertsSettings as AlertsSettings
from telefine_assets.settings_api import ApiSettings as ApiSettings
from telefine_assets.settings_attribution import AttributionSettings as AttributionSettings
from telefine_assets.settings_attribution import check_weighing
from telefine_assets.settings_automation import AutomationSettings as AutomationSettings
from telefine_assets.settings_automation import ScheduleSettings as ScheduleSettings
from telefine_assets.settings_automation import SensorsSettings as SensorsSettings
from telefine_assets.settings_chain import ChainSettings as ChainSettings
from telefine_assets.settings_compile import CompileSettings as CompileSettings
from telefine_assets.settings_compile import StrategySettings as StrategySettings
from telefine_assets.settings_dagster import DagsterSettings as DagsterSettings
from telefine_assets.settings_deltaone import DeltaOneSettings as DeltaOneSettings
from telefine_assets.settings_environment import require_known
from telefine_assets.settings_file import ADDRESSES, UNFINISHED, Document, read_document, without_password
from telefine_assets.settings_file import SettingsError as SettingsError
from telefine_assets.settings_file import config_path as config_path
from telefine_assets.settings_group import Group as _Group
from telefine_assets.settings_group import ImportPath, Name, Percent, Wallet
from telefine_assets.settings_improvement import ImprovementSettings as ImprovementSettings
from telefine_assets.settings_lm import LmSettings as LmSettings
from telefine_assets.settings_metrics import ExactMatch, MetricSettings
from telefine_assets.settings_mlflow import MlflowSettings as MlflowSettings
from telefine_assets.settings_mlflow import anchored_artifacts
from telefine_assets.settings_observing import ObservingSettings as ObservingSettings
from telefine_assets.settings_payout import PayoutSettings as PayoutSettings
from telefine_assets.settings_retention import RetentionSettings as RetentionSettings
from telefine_assets.settings_retention import check_retention
from telefine_assets.settings_teachers import check_same_split, check_teachers
from telefine_assets.settings_traces import CleaningSettings, TracesSettings


class PartitionSettings(_Group):
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


class StoreSettings(_Group):
    """Tables, records and evidence, on any fsspec URI."""

    uri: str = Field("", description="A folder or fsspec URI; the folder `store` in `home` when empty.")


class LedgerSettings(_Group):
    """The append-only ledger, an SQLAlchemy URL."""

    url: str = Field("", description="SQLite or PostgreSQL; the file ledger.db in `home` when empty.")

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


class SignerSettings(_Group):
    """Who signs attestations. Key material is never in this file."""

    kind: Literal["keystore", "environment", "command"] = Field("keystore", description="Where the key is.")
    keystore: Path | None = Field(None, description="An encrypted key file, as Ethereum clients write it.")
    password_file: Path | None = Field(None, description="The file that holds the keystore's password.")
    private_key: SecretStr | None = Field(None, description="Only from TELEFINE_SIGNER__PRIVATE_KEY.")
    command: tuple[str, ...] = Field((), description="A program and its arguments; it reads a digest and signs it.")
    address: str | None = Field(None, description="The command signer's address.")
    chain_id: int = Field(1, ge=1, description="The chain whose EAS contract the signature names.")
    eas_contract: str = Field(
        "0xA1207F3BBa224E2c9c3c6D5aF63D0eb1582Ce587", pattern=r"^0x[0-9a-fA-F]{40}$", description="That contract."
    )
    eas_version: str = Field("0.26", description="What that contract's version() returns.")
    required: int = Field(1, ge=1, le=100, description="How many attesters must sign before anything is paid.")
    attesters: tuple[Wallet, ...] = Field((), description="The only ones who count; empty: every key good in the log.")

    @model_validator(mode="after")
    def _enough_attesters(self) -> SignerSettings:
        if self.required > 1 and len(set(self.attesters)) < self.required:
            raise ValueError(f"attesters must name at least the {self.required} who are required to sign")
        return self


class SplitSettings(_Group):
    """Shares of content clusters; the rest is train."""

    key: SecretStr = Field(description="Keys the hash that assigns clusters; never change it.")
    validation_percent: Percent = Field(20, description="What candidates are compared on.")
    holdout_percent: Percent = Field(30, description="What DeltaOne is decided on; no compile sees it.")

    @model_validator(mode="after")
    def _room_for_train(self) -> SplitSettings:
        if self.validation_percent + self.holdout_percent > 99:
            raise ValueError("validation_percent + holdout_percent must leave room for train (at most 99)")
        return self


class FieldsSettings(_Group):
    """The fields of a whole program; read off its code where they are left out."""

    inputs: tuple[str, ...] = Field((), description="What the program is called with.")
    outputs: tuple[str, ...] = Field((), description="What it returns that can be right or wrong.")


class ProgramSettings(_Group):
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


class _EnvironmentFirst(BaseSettings):
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


class Settings(_EnvironmentFirst):
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


def load_settings(path: Path | None = None, profile: str | None = None, restoring: bool = False) -> Settings:
    """Read, merge and validate the settings.

    Relative paths in the file are relative to the file's own directory.

    Args:
        path: the file; by default, where ``config_path`` says.
        profile: which of its profiles is laid over it.
        restoring: whether it is for whoever finishes a restore; for all others an unfinished one is in the way.

    Raises:
        SettingsError: one line per mistake: key, value, what is allowed; a variable of the environment that
            nothing reads; or a restore was cut off there.
    """
    path = (path or config_path()).resolve()
    document = read_document(path)
    values = document.of(profile or os.environ.get("TELEFINE_PROFILE"))
    require_known(os.environ, Settings, document.everything())
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError(explain(error, path.name)) from None
    except UnreadableVariable as error:
        raise SettingsError(f"environment: {error}: a group of settings is written there as JSON") from None
    anchored = _anchored(settings, path.parent)
    if not restoring and os.access(mark := anchored.home / UNFINISHED, os.F_OK):
        # An empty ledger would be made where the backup's belongs, and be taken for it.
        raise SettingsError(
            f"home = {anchored.home}: half restored: run `telefine restore` again; to give it up, remove {mark}"
        )
    return anchored


class _SignerAlone(_EnvironmentFirst):
    """The signer's settings of a machine that has no deployment."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_prefix="TELEFINE_", env_nested_delimiter="__")

    signer: SignerSettings = SignerSettings()


def load_signer_settings(path: Path | None = None) -> SignerSettings:
    """The signer's settings alone, from the settings file if there is one, and the environment.

    Raises:
        SettingsError: one line per mistake.
    """
    path = (path or config_path()).resolve()
    document = read_document(path) if path.is_file() else Document(path.name, {}, {})
    values = document.of(os.environ.get("TELEFINE_PROFILE") if path.is_file() else None)
    require_known(os.environ, Settings, document.everything())
    try:
        signer = _SignerAlone(**{"signer": values["signer"]} if "signer" in values else {}).signer
    except ValidationError as error:
        raise SettingsError(explain(error, path.name)) from None
    return signer.model_copy(update=_anchored_key(signer, path.parent))


def explain(error: ValidationError, source: str) -> str:
    """One line per mistake: ``file: key = value: what is allowed``."""
    lines = []
    for mistake in error.errors(include_url=False):
        key = ".".join(str(part) for part in mistake["loc"] if part != "[key]") or "(whole file)"
        line = f"{source}: {key}"
        secret = any(word in key for word in ("key", "password", "secret", "dsn", "alerts.channels"))
        if mistake["type"] == "missing":
            line += ": is required"
        elif mistake["type"] == "extra_forbidden":
            line += ": is not a setting (see `telefine config schema`)"
        else:
            # A group is not shown: one of its keys may be a secret.
            shown = "**********" if secret else without_password(repr(mistake["input"]))
            line += "" if isinstance(mistake["input"], dict) else f" = {shown[:80]}"
            line += f": {mistake['msg'].removeprefix('Value error, ')}"
        lines.append(line)
    return "\n".join(lines)


def _anchored(settings: Settings, directory: Path) -> Settings:
    """Make local paths absolute and fill open locations with places under ``home``."""
    home = (directory / settings.home).resolve()
    tracking_uri = settings.mlflow.tracking_uri or f"sqlite:///{home / 'mlflow.db'}"
    ledger_url = settings.ledger.url or f"sqlite:///{home / 'ledger.db'}"
    store_uri = settings.store.uri or str(home / "store")
    return settings.model_copy(
        update={
            "home": home,
            "lm": _anchored_lm(settings.lm, directory),
            "lms": {name: _anchored_lm(lm, directory) for name, lm in settings.lms.items()},
            "store": StoreSettings(uri=store_uri if "://" in store_uri else str((directory / store_uri).resolve())),
            "ledger": LedgerSettings(url=_anchored_sqlite(ledger_url, directory)),
            "mlflow": settings.mlflow.model_copy(
                update={
                    "tracking_uri": _anchored_sqlite(tracking_uri, directory),
                    "artifacts": anchored_artifacts(settings.mlflow.artifacts, tracking_uri, home, directory),
                }
            ),
            "signer": settings.signer.model_copy(update=_anchored_key(settings.signer, directory)),
            "chain": settings.chain.model_copy(update=_anchored_key(settings.chain, directory)),
            "observing": settings.observing.anchored(directory),
        }
    )


def _anchored_key(group: SignerSettings | ChainSettings, directory: Path) -> dict[str, Path]:
    files = {"keystore": group.keystore, "password_file": group.password_file}
    return {name: (directory / path).resolve() for name, path in files.items() if path is not None}


def _anchored_lm(settings: LmSettings, directory: Path) -> LmSettings:
    state_dir = settings.embedded.state_dir
    embedded = settings.embedded.model_copy(update={"state_dir": state_dir and (directory / state_dir).resolve()})
    return settings.model_copy(update={"embedded": embedded})


def _anchored_sqlite(url: str, directory: Path) -> str:
    """A URL whose SQLite file, if it names one, stands at an absolute path."""
    prefix, sqlite, file = url.partition("sqlite:///")
    return f"{sqlite}{(directory / file).resolve()}" if sqlite and not prefix and file != ":memory:" else url


def printable(settings: Settings) -> dict[str, Any]:
    """The settings as plain JSON values, secrets masked."""
    values = settings.model_dump(mode="json")
    for group, name in ADDRESSES:
        values[group][name] = without_password(values[group][name])
    return values
