"""The settings of a deployment, read, merged, validated, and made absolute."""

from __future__ import annotations

import operator
import os
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from telefine_assets.settings.addresses import MASK, addresses_of, in_text, place_of, without_password
from telefine_assets.settings.chain import ChainSettings
from telefine_assets.settings.environment import require_known
from telefine_assets.settings.file import (
    UNFINISHED,
    Document,
    SettingsError,
    config_path,
    read_document,
)
from telefine_assets.settings.lm import LmSettings
from telefine_assets.settings.mlflow import anchored_artifacts
from telefine_assets.settings.schema import EnvironmentFirst, LedgerSettings, Settings, StoreSettings
from telefine_assets.settings.signer import SignerSettings


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


_SECRETS = ("key", "password", "secret", "dsn", "alerts.channels")
_ADDRESSES = frozenset(
    {"url", "uri", "tracking_uri", "ui_url", "artifacts", "api_base", "otlp_endpoint", "pushgateway"}
)
"""Names of settings whose value may hold a password where nobody looks for it: it was refused, maybe for its form."""
_LONGEST = 80


class _SignerAlone(EnvironmentFirst):
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
        key = ".".join(_told(str(part)) for part in mistake["loc"] if part != "[key]") or "(whole file)"
        line = f"{source}: {key}"
        if mistake["type"] == "missing":
            line += ": is required"
        elif mistake["type"] == "extra_forbidden":
            line += ": is not a setting (see `telefine config schema`)"
        else:
            # A group is not shown: one of its keys may be a secret.
            line += "" if isinstance(mistake["input"], dict) else f" = {_shown(key, mistake['input'])[:_LONGEST]}"
            line += f": {mistake['msg'].removeprefix('Value error, ')}"
        lines.append(line)
    return "\n".join(lines)


def _shown(key: str, value: Any) -> str:
    """A value that was refused."""
    is_address = not _ADDRESSES.isdisjoint(key.split("."))
    if any(word in key for word in _SECRETS) or (is_address and not isinstance(value, str)):
        return MASK
    return repr(_told(value, is_address))


def _told(value: Any, is_address: bool = False) -> Any:
    """The same with addresses cut short wherever they stand in it."""
    if isinstance(value, str):
        return place_of(value) if is_address or "://" in value else value
    if isinstance(value, dict):
        return {_told(key): _told(each) for key, each in value.items()}
    return [_told(each) for each in value] if isinstance(value, list | tuple) else value


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
    values: dict[str, Any] = _texts_masked(settings.model_dump(mode="json"))
    for (*groups, name), address in addresses_of(settings).items():
        reduce(operator.getitem, groups, values)[name] = without_password(address)
    return values


def _texts_masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _texts_masked(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_texts_masked(each) for each in value]
    return in_text(value) if isinstance(value, str) and "://" in value else value
