"""What telefine.yaml says: read, its profile laid over it, and nothing in it that belongs in the environment.

What the values mean is not known here; ``settings`` validates them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from telefine_assets.errors import TelefineError
from telefine_assets.settings.addresses import ADDRESSES, has_password
from telefine_assets.settings.strict_yaml import RepeatedKey, load_yaml

UNFINISHED = "restoring"
"""The file in a home that says which backup is being restored there; until it is done, nothing else may work there."""


class SettingsError(TelefineError):
    """The settings cannot be used; the message has one line for each mistake."""


def config_path() -> Path:
    """The settings file: ``$TELEFINE_CONFIG``, or ``telefine.yaml`` in the working directory."""
    return Path(os.environ.get("TELEFINE_CONFIG") or "telefine.yaml").resolve()


@dataclass(frozen=True)
class Document:
    """What a settings file says.

    Attributes:
        source: the file's name.
        values: what stands outside of profiles.
        profiles: what each profile lays over it.
    """

    source: str
    values: Mapping[str, Any]
    profiles: Mapping[str, dict[str, Any]]

    def of(self, profile: str | None) -> dict[str, Any]:
        """The settings, with those of the named profile laid over them.

        Raises:
            SettingsError: there is no such profile, or a name that settings cannot have.
        """
        if profile and profile not in self.profiles:
            known = ", ".join(sorted(self.profiles)) or "none"
            raise SettingsError(f"{self.source}: profile = {profile!r}: not in 'profiles' (there are: {known})")
        chosen = merged(self.values, self.profiles[profile] if profile else {})
        # pydantic-settings would take a leading underscore for an option of its own.
        if odd := [key for key in chosen if not isinstance(key, str) or key.startswith("_")]:
            raise SettingsError(f"{self.source}: {odd[0]}: is not a setting (see `telefine config schema`)")
        return chosen

    def everything(self) -> dict[str, Any]:
        """The settings with all profiles laid over them."""
        return reduce(merged, self.profiles.values(), dict(self.values))


def read_document(path: Path) -> Document:
    """What a settings file says.

    Raises:
        SettingsError: when the file cannot be read, or holds a secret.
    """
    values = _read_yaml(path)
    profiles = _profiles(values.pop("profiles", None), path.name)
    _refuse_secrets(values, path.name)
    for name, group in profiles.items():
        _refuse_secrets(group, f"{path.name}: profiles.{name}")
    return Document(path.name, values, profiles)


def _refuse_secrets(values: Mapping[str, Any], source: str) -> None:
    """Keys come from the environment, where neither a repository nor a backup keeps them."""
    more = values.get("lms")
    models = {f"lms.{name}": group for name, group in more.items()} if isinstance(more, dict) else {}
    ours = {"signer": "private_key", "chain": "rpc_url", "observing": "sentry_dsn"}
    for group, found in {**{each: values.get(each) for each in ("lm", *ours)}, **models}.items():
        name = ours.get(group, "api_key")
        if isinstance(found, dict) and name in found:
            variable = f"TELEFINE_{group}__{name}".replace(".", "__").upper()
            raise SettingsError(
                f"{source}: {group}.{name}: must not stand in a file; set {variable} in the environment"
            )
    _refuse_channels(values.get("alerts"), source)
    addresses = [(group, name, values.get(group)) for group, name in ADDRESSES]
    for group, name, found in [*addresses, *((group, "api_base", found) for group, found in models.items())]:
        address = found.get(name) if isinstance(found, dict) else None
        if isinstance(address, str) and has_password(address):
            variable = f"TELEFINE_{group}__{name}".replace(".", "__").upper()
            raise SettingsError(
                f"{source}: {group}.{name}: its password must not stand in a file; set {variable} in the environment"
            )


def _refuse_channels(alerts: Any, source: str) -> None:
    """The address of a channel lets whoever knows it write to people."""
    channels = alerts.get("channels") if isinstance(alerts, dict) else None
    for channel, found in channels.items() if isinstance(channels, dict) else ():
        for name in ("url", "secret"):
            if isinstance(found, dict) and name in found:
                variable = f"TELEFINE_ALERTS__CHANNELS__{channel}__{name}".upper()
                raise SettingsError(
                    f"{source}: alerts.channels.{channel}.{name}: must not stand in a file; "
                    f"set {variable} in the environment"
                )


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = load_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"{path}: no such settings file; set TELEFINE_CONFIG or start where telefine.yaml is"
        ) from None
    except RepeatedKey as error:
        raise SettingsError(f"{path.name}: {error}") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path.name}: is not YAML: {_where(error)}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path.name}: is not UTF-8 text") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path.name}: must be a mapping of settings")
    return values


def _where(error: yaml.YAMLError) -> str:
    """What is wrong, and where: YAML's own words name a place in an unnamed string."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())
    return f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {error.problem}"


def _profiles(values: Any, source: str) -> dict[str, dict[str, Any]]:
    """The named profiles; one without a setting changes nothing."""
    if not isinstance(values or {}, dict):
        raise SettingsError(f"{source}: profiles: must map the name of each profile to its settings")
    profiles = {str(name): {} if group is None else group for name, group in (values or {}).items()}
    for name, group in profiles.items():
        if not isinstance(group, dict):
            raise SettingsError(f"{source}: profiles.{name}: must be a mapping of settings")
    return profiles


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others laid over them, key by key."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
