"""The versions of a program: which there are, what they are called, and what is known of each."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from telefine_assets.errors import TelefineError
from telefine_assets.ledger.records import Champion
from telefine_assets.programs.versions import Version

FIRST, CHAMPION, CANDIDATE = "first", "champion", "candidate"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_PREFIX = re.compile(r"[0-9a-f]{6,64}")


class UnknownVersion(TelefineError):
    """No version, or more than one, goes by that name."""


class Records(Protocol):
    """The part of ``store.records.RecordStore`` that is read here."""

    def find(self, program: str, stage: str, day: str) -> dict[str, Any] | None:
        """A day's record, or None."""
        ...

    def read(self, program: str, stage: str, day: str) -> dict[str, Any]:
        """A day's record."""
        ...

    def days(self, program: str, stage: str) -> list[str]:
        """Days that have a record."""
        ...


@dataclass(frozen=True)
class Entry:
    """A version in the list, on one of its days."""

    version: str
    day: str | None
    """The day that it was compiled for; None for the first version."""
    strategy: str
    baseline: str | None
    validation_ppm: int | None
    """Score on the validation items, parts per million; None where it was not kept."""
    deltaone: str | None
    """What the look at the holdout came to; None where there was none."""
    serves: bool

    def to_record(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)


@dataclass(frozen=True)
class Catalogue:
    """All that is stored of one program's versions."""

    program: str
    first: Version
    records: Records
    history: list[Champion]
    find: Callable[[str], bytes | None]
    """Evidence by its digest, or None."""
    get: Callable[[str], bytes]
    """Evidence by its digest, verified."""

    @property
    def serving(self) -> str:
        """The version that serves."""
        return self.history[-1].version if self.history else self.first.digest

    def entries(self) -> list[Entry]:
        """The first version, then the candidates by day."""
        first = Entry(
            self.first.digest, None, FIRST, None, None, None, not self.history or self.serving == self.first.digest
        )
        return [first, *(self._entry(day, record) for day, record in self._candidates())]

    def compiled(self, digest: str) -> tuple[str, dict[str, Any]] | None:
        """The latest day, and its ``compiled_programs`` record, that a version was the candidate of."""
        found = [(day, record) for day, record in self._candidates() if record["candidate"] == digest]
        return found[-1] if found else None

    def lineage(self, digest: str) -> list[str]:
        """A version, what it was compiled against, and so on to the first."""
        line = [digest]
        while (made := self.compiled(line[-1])) and made[1]["baseline"] not in line:
            line.append(made[1]["baseline"])
        return line

    def resolve(self, name: str) -> str:
        """The digest of the version that ``name`` means.

        Args:
            name: ``champion``, ``candidate`` (the latest), ``first``, a day whose
                candidate is meant, or the digest's first digits, at least 6.

        Raises:
            UnknownVersion: saying which versions there are.
        """
        if name == FIRST:
            return self.first.digest
        if name == CHAMPION:
            return self.serving
        candidates = dict(self._candidates())
        if name == CANDIDATE and candidates:
            return str(candidates[max(candidates)]["candidate"])
        if _DAY.fullmatch(name) and name in candidates:
            return str(candidates[name]["candidate"])
        known = self._known()
        if not _PREFIX.fullmatch(name):
            raise UnknownVersion(
                f"{self.program}: no version {name!r}; say champion, candidate, first, a day that has a candidate, "
                f"or at least 6 digits of a version: {_short(known)}"
            )
        fitting = sorted(each for each in known if each.startswith(name))
        if len(fitting) > 1:
            raise UnknownVersion(f"{self.program}: {name} is not enough, it may be {_short(fitting, len(name) + 6)}")
        if not fitting:
            raise UnknownVersion(f"{self.program}: no version begins with {name}; there are {_short(known)}")
        return fitting[0]

    def version(self, digest: str) -> Version:
        """The version, from its evidence.

        Raises:
            EvidenceError: when its document is missing or was changed.
        """
        return self.first if digest == self.first.digest else Version(self.get(digest))

    def _known(self) -> list[str]:
        versions = [self.first.digest, *(each.version for each in self.history)]
        for day in self.records.days(self.program, "compiled_programs"):
            record = self.records.read(self.program, "compiled_programs", day)
            versions += [each for each in (record["baseline"], record["candidate"]) if each]
        return list(dict.fromkeys(versions))

    def _candidates(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for day in self.records.days(self.program, "compiled_programs"):
            record = self.records.read(self.program, "compiled_programs", day)
            if record["candidate"]:
                yield day, record

    def _entry(self, day: str, record: Mapping[str, Any]) -> Entry:
        digest = record["candidate"]
        document = self.find(digest)
        strategy = json.loads(document)["strategy"].get("strategy", "?") if document else "its document is missing"
        report = self.records.find(self.program, "deltaone_reports", day)
        told = report["code"] if report and report["candidate"] == digest else None
        return Entry(digest, day, strategy, record["baseline"], validation_ppm(record), told, digest == self.serving)


def validation_ppm(record: Mapping[str, Any]) -> int | None:
    """The validation score of a ``compiled_programs`` record's winner, parts per million; None where it has none."""
    return next((each["mean_ppm"] for each in record["standings"] if each["name"] == record["winner"]), None)


def described(catalogue: Catalogue, digest: str) -> dict[str, Any]:
    """Everything that is known of a version, as JSON values.

    Raises:
        EvidenceError: when its document is missing or was changed.
    """
    content = json.loads(catalogue.version(digest).document)
    made = catalogue.compiled(digest)
    traced = {(demo["predictor"], demo["position"]): demo for demo in (made[1]["demos"] if made else [])}
    predictors = {
        name: {
            "instructions": part["signature"].get("instructions", ""),
            "demos": [
                _demo(content["signatures"][name], demo, traced.get((name, position)))
                for position, demo in enumerate(part["demos"])
            ],
        }
        for name, part in content["state"].items()
    }
    return {
        "version": digest,
        "program": content["program"],
        "day": made[0] if made else None,
        "serves": digest == catalogue.serving,
        "strategy": content["strategy"],
        "lm": content["lm"],
        "trainset": content["trainset"] or None,
        "lineage": catalogue.lineage(digest),
        "predictors": predictors,
    }


def _demo(sides: Mapping[str, Any], demo: Mapping[str, Any], traced: Mapping[str, Any] | None) -> dict[str, Any]:
    def shown(side: str) -> dict[str, Any]:
        return {field["name"]: demo[field["name"]] for field in sides[side] if field["name"] in demo}

    return {
        "inputs": shown("inputs"),
        "outputs": shown("outputs"),
        "augmented": bool(demo.get("augmented")),
        "trace_id": traced["trace_id"] if traced else None,
        "contributor": traced["contributor"] if traced else None,
    }


def _short(versions: list[str], digits: int = 12) -> str:
    return ", ".join(each[:digits] for each in versions)
