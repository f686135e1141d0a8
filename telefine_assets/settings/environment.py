"""Which variables of the environment mean something; one that is misspelt must not be ignored.

A secret in a variable that nobody reads looks as if it were set, and what needs it runs without.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args, get_origin

import orjson
from pydantic import BaseModel

from telefine_assets.settings.file import SettingsError, merged

PREFIX = "TELEFINE_"
_OTHERS = {
    "TELEFINE_CONFIG",
    "TELEFINE_PROFILE",
    "TELEFINE_FOLDER",  # these two: of deploy/compose.yaml
    "TELEFINE_IMAGE",
    "TELEFINE_TEST_EXAMPLES",
}
_KUBERNETES = "KUBERNETES_SERVICE_HOST"
_SERVICE = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$")
"""What Kubernetes tells every pod of each service: a service `telefine-api` makes a `TELEFINE_API_PORT`."""
_GROUP, _ANYTHING = "__*", "__**"


def require_known(environ: Mapping[str, str], kind: type[BaseModel], values: Mapping[str, Any]) -> None:
    """Refuse variables that nothing reads.

    Args:
        environ: the environment.
        kind: the settings.
        values: what the file says, in all of its profiles: the names of programs, models and channels.

    Raises:
        SettingsError: a line for each variable, with the nearest that is read; values are not shown.
    """
    ours = {name.upper(): value for name, value in environ.items() if name.upper().startswith(PREFIX)}
    known = {*_OTHERS, *_variables(kind, _with_groups(ours, kind, values), "TELEFINE")}
    unknown = [name for name in sorted(ours) if not _is_known(name, known)]
    if _KUBERNETES in environ:
        unknown = [name for name in unknown if not _SERVICE.search(name)]
    if unknown:
        raise SettingsError("\n".join(_explained(name, known) for name in unknown))


def _is_known(name: str, known: set[str]) -> bool:
    parent = name.rpartition("__")[0]
    anywhere = tuple(each.removesuffix("**") for each in known if each.endswith(_ANYTHING))
    return name in known or f"{parent}{_GROUP}" in known or name.startswith(anywhere)


def _explained(name: str, known: set[str]) -> str:
    (nearest,) = get_close_matches(name, sorted(each for each in known if "*" not in each), n=1, cutoff=0)
    return f"environment: {name}: is not a variable that Telefine reads; the nearest is {nearest}"


def _with_groups(ours: Mapping[str, str], kind: type[BaseModel], values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings with the groups that are set whole, as JSON: they bring names of their own."""
    for name in sorted(ours, key=lambda each: each.count("__")):
        group = _json(ours[name])
        if isinstance(group, dict) and _is_known(name, {*_variables(kind, values, "TELEFINE")}):
            for part in reversed(name.removeprefix(PREFIX).lower().split("__")):
                group = {part: group}
            values = merged(values, group)
    return values


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None  # a plain text, or a mistake that is told when it is read


def _variables(kind: Any, values: Any, path: str) -> Iterator[str]:
    """Every variable below ``path``; a mark where names are one's own: for a group of settings, or for anything."""
    values = values if isinstance(values, dict) else {}
    if get_origin(kind) is dict:
        (_, below) = get_args(kind)
        is_group = next(_variables(below, {}, ""), None) is not None
        yield path + (_GROUP if is_group else _ANYTHING)
        for name in values:
            yield from _variable(below, values[name], f"{path}__{str(name).upper()}")
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        separator = "_" if path == "TELEFINE" else "__"
        for name, field in kind.model_fields.items():
            yield from _variable(field.annotation, values.get(name), f"{path}{separator}{name.upper()}")
    elif get_origin(kind) is not tuple:
        for each in get_args(kind):
            yield from _variables(each, values, path)


def _variable(kind: Any, values: Any, path: str) -> Iterator[str]:
    yield path
    yield from _variables(kind, values, path)
