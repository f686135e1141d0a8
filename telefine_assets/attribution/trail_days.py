"""What the stages recorded of a day, as far as it concerns who is paid for what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from telefine_assets.attestation.standing import DayStanding


_LATER = ("attestations", "contributor_payouts", "reissues")


class Records(Protocol):
    """The part of ``store.records.RecordStore`` that is used here."""

    def find(self, program: str, stage: str, day: str) -> dict[str, Any] | None:
        """A stage's record of a day, or None."""
        ...

    def days(self, program: str, stage: str) -> list[str]:
        """Days that have a record, oldest first."""
        ...


@dataclass(frozen=True)
class Share:
    """What a day's weights say of a content cluster.

    Attributes:
        payee: the wallet that it is paid to; None where there is none.
        weight_ppm: what the payee's line weighs, all its clusters together.
        clusters: how many clusters the line is for.
        held: why the cluster is in escrow instead, as a code.
    """

    payee: str | None = None
    weight_ppm: int = 0
    clusters: int = 0
    held: str | None = None


@dataclass(frozen=True)
class DayRecords:
    """The records of one day on which a candidate was weighed.

    Attributes:
        day: the day, YYYY-MM-DD.
        compiled: of ``compiled_programs``.
        weighed: of ``contributor_weights``, with the weights of what was issued again where that is in force.
        before: the weights as they were attested first.
        attested: of ``attestations``; None while there is none.
        paid: of ``contributor_payouts``; None while there is none.
        standing: what of the day's attestations is in force.
    """

    day: str
    compiled: Mapping[str, Any]
    weighed: Mapping[str, Any]
    before: Mapping[str, Any]
    attested: Mapping[str, Any] | None
    paid: Mapping[str, Any] | None
    standing: DayStanding

    def demos(self, cluster: str) -> list[dict[str, Any]]:
        """The candidate's demos of a cluster: trace_id, predictor, position."""
        return [
            {name: demo[name] for name in ("trace_id", "predictor", "position")}
            for demo in self.compiled["demos"]
            if demo["cluster"] == cluster
        ]

    def share(self, cluster: str) -> Share:
        """Whom the cluster pays, by this day's weights."""
        table = self.weighed["weights"]
        for line in table["lines"]:
            if cluster in line["clusters"]:
                return Share(line["address"], line["weight_ppm"], len(line["clusters"]))
        for line in table["escrow"]:
            if cluster in line["clusters"]:
                return Share(None, line["weight_ppm"], len(line["clusters"]), line["reason"])
        return Share()

    def worth(self, cluster: str) -> dict[str, Any] | None:
        """What demos of the cluster are worth, where that was tried: ``value_ppm`` and ``error_ppm``."""
        found = [each for each in self.weighed["worth"] or [] if each["cluster"] == cluster]
        return {name: found[0][name] for name in ("value_ppm", "error_ppm")} if found else None

    def weight(self, wallet: str) -> int:
        """A wallet's parts per million."""
        return _weight(self.weighed["weights"], wallet)

    def weight_before(self, wallet: str) -> int:
        """The same as it was attested first; another one where the day was issued again."""
        return _weight(self.before, wallet)

    def clusters(self, wallet: str) -> list[str]:
        """The content clusters that a wallet's weight is for."""
        lines = self.weighed["weights"]["lines"]
        return [cluster for line in lines if line["address"] == wallet for cluster in line["clusters"]]

    @property
    def uid(self) -> str | None:
        """The attestation's, if there is one."""
        return None if self.attested is None else self.attested["uid"]

    def amount(self, wallet: str) -> int | None:
        """What the day's payout gives a wallet, in smallest units; None where the day pays nobody (yet)."""
        if self.paid is None or self.paid["plan"] is None:
            return None
        return sum(int(each["amount"]) for each in self.paid["plan"]["payments"] if each["address"] == wallet)

    @property
    def unclaimed(self) -> bool:
        """Whether what was attested was revoked, and no claim is in force."""
        return self.standing.amended and self.standing.in_force is None

    @property
    def paid_before(self) -> bool:
        """Whether the day was paid on an attestation that was issued again since: a day is paid once."""
        replaced = {each.uid for each in self.standing.issued[:-1]}
        return bool(replaced) and self.paid is not None and self.paid["attestation"] in replaced

    @property
    def public(self) -> set[str]:
        """Wallets that stand in the day's attestation, for everybody to read."""
        return {line["address"] for line in self.weighed["weights"]["lines"]} if self.uid else set()


def read_days(records: Records, program: str, standing: Callable[[str], DayStanding]) -> list[DayRecords]:
    """The days on which a candidate of the program was weighed, oldest first; ``standing`` says what is in force."""
    found = []
    for day in records.days(program, "contributor_weights"):
        weighed = records.find(program, "contributor_weights", day)
        compiled = records.find(program, "compiled_programs", day)
        if weighed is not None and compiled is not None and weighed["candidate"] == compiled["candidate"]:
            attested, paid, again = (records.find(program, stage, day) for stage in _LATER)
            now, before = standing(day), weighed["weights"]
            if again is not None and now.in_force is not None and now.in_force.uid == again["uid"]:
                weighed = {**weighed, "weights": again["weights"]}
            found.append(DayRecords(day, compiled, weighed, before, attested, paid, now))
    return found


def _weight(table: Mapping[str, Any], wallet: str) -> int:
    return sum(line["weight_ppm"] for line in table["lines"] if line["address"] == wallet)
