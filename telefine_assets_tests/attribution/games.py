"""Worlds of contributors and clusters, what honest people do in them, and what cheats do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from random import Random

from telefine_assets.attestation.signatures import Signature
from telefine_assets.attribution.addresses import checksum_address
from telefine_assets.attribution.submissions import LoggedSubmission, Scope, SignedSubmission, TraceSubmission
from telefine_assets.attribution.usage import Arrival, UsedDemo
from telefine_assets.attribution.weights import FULL_PPM, WeightTable
from telefine_assets.canonical import digest_of

SCOPE = Scope("games", "tickets")
SALT = "0x" + "5a" * 32


@cache
def wallet(number: int) -> str:
    return checksum_address((number + 1).to_bytes(20, "big"))


CHEAT = wallet(0)
OTHER_SELVES = [wallet(number) for number in range(100, 104)]
BAD_TAGS = (None, "carol.eth", "0x" + "0" * 40, "nobody")


@cache
def content_of(cluster: str) -> str:
    return digest_of(cluster)


@cache
def logged(cluster: str, who: str, position: int) -> LoggedSubmission:
    """A submission in the log; weights do not look at signatures, ``recompute_weights`` does."""
    said = TraceSubmission(SCOPE.trace_digest(content_of(cluster)), who, 0, SALT)
    return LoggedSubmission(SignedSubmission(said, Signature(27, 1, 1)), position, 0)


@dataclass(frozen=True)
class Given:
    """A trace as its contributor gave it."""

    name: str
    cluster: str
    who: str | None
    claims_ms: int
    quality: int
    used: bool
    signed: bool = False


@dataclass(frozen=True)
class World:
    """Traces, and who signed for which cluster, in the order of the log."""

    traces: tuple[Given, ...]
    log: tuple[tuple[str | None, str], ...]

    def demos(self) -> list[UsedDemo]:
        return [UsedDemo(each.cluster, each.name, each.quality) for each in self.traces if each.used]

    def arrivals(self) -> list[Arrival]:
        return [self._arrival(each) for each in self.traces]

    def _arrival(self, each: Given) -> Arrival:
        submission = None
        if each.signed:
            submission = logged(each.cluster, str(each.who), self.log.index((each.who, each.cluster)))
        return Arrival(each.cluster, each.name, each.who, None, each.claims_ms, content_of(each.cluster), submission)

    def first(self, cluster: str) -> Given:
        """Whose trace the cluster is paid for."""
        names = {each.name: each for each in self.traces}
        return names[min((a for a in self.arrivals() if a.cluster == cluster), key=lambda a: a.precedence).trace_id]

    def with_copy(self, copy: Given, instead_of: str | None = None) -> World:
        """The world with one more trace, signed for last; a copy may be shown in the place of its original."""
        signs = copy.signed and (copy.who, copy.cluster) not in self.log
        log = (*self.log, (copy.who, copy.cluster)) if signs else self.log
        kept = tuple(replace(each, used=False) if each.name == instead_of else each for each in self.traces)
        return World((*kept, copy), log)


def honest_world(random: Random) -> World:
    """Some contributors who gave traces of some clusters, each at most one of each; some of them signed."""
    people = [wallet(number) for number in range(random.randint(2, 6))]
    traces: list[Given] = []
    for cluster in range(random.randint(1, 6)):
        for who in random.sample(people, random.randint(1, len(people))):
            unknown = random.random() < 0.1
            traces.append(
                Given(
                    name=f"t{len(traces):02}",
                    cluster=f"c{cluster}",
                    who=random.choice(BAD_TAGS) if unknown and who != CHEAT else who,
                    claims_ms=random.randint(0, 20),
                    quality=random.choice((0, 1, FULL_PPM, random.randint(0, FULL_PPM))),
                    used=random.random() < 0.6,
                    signed=random.random() < 0.5 and not unknown,
                )
            )
    log = [(each.who, each.cluster) for each in traces if each.signed]
    random.shuffle(log)
    return World(tuple(traces), tuple(log))


def split(world: World, selves: list[str], random: Random) -> World:
    """The cheat does all that he did, at the same time, under several addresses."""
    names = {each.name: random.choice(selves) for each in world.traces if each.who == CHEAT}
    of_cluster = {each.cluster: names[each.name] for each in world.traces if each.who == CHEAT}
    traces = tuple(replace(each, who=names.get(each.name, each.who)) for each in world.traces)
    return World(traces, tuple((of_cluster[c] if who == CHEAT else who, c) for who, c in world.log))


def pays(table: WeightTable) -> dict[str, int]:
    """Parts per million by wallet, and by the reason of escrow."""
    return {line.address: line.weight_ppm for line in table.lines} | {
        f"escrow:{line.reason}": line.weight_ppm for line in table.escrow
    }
