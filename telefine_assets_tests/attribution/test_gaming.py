"""300 games: a cheat gets at most what honesty pays him, and his victim keeps everything."""

from dataclasses import replace
from random import Random

import pytest

from telefine_assets.attribution.shapley import ShapleyRules, shapley_values, shapley_weights
from telefine_assets.attribution.usage import usage_weights
from telefine_assets.attribution.weights import FULL_PPM
from telefine_assets_tests.attribution.games import (
    CHEAT,
    OTHER_SELVES,
    World,
    honest_world,
    pays,
    split,
    wallet,
)

GAMES = range(300)
LATER = 1_000
RULES = ShapleyRules()
THIEF = wallet(50)


def by_usage(world: World, _seed: int):
    return usage_weights(world.demos(), world.arrivals())


def by_worth(world: World, seed: int):
    """Shapley weights, of clusters that have each a worth and, with another, more or less than that."""
    random = Random(seed)
    alone = {f"c{i}": random.randint(-200_000, FULL_PPM) for i in range(6)}
    together = {frozenset((a, b)): random.randint(-100_000, 100_000) for a in alone for b in alone if a < b}

    def utility(coalition):
        return sum(alone[each] for each in coalition) + sum(v for pair, v in together.items() if pair <= coalition)

    demos, arrivals = world.demos(), world.arrivals()
    values = shapley_values([demo.cluster for demo in demos], utility, RULES)
    return shapley_weights(values, demos, arrivals, RULES).table


@pytest.fixture(params=[by_usage, by_worth])
def method(request):
    return request.param


def same_for_everybody(honest, cheated, selves=(CHEAT,)):
    """Nobody's pay changes by one part; the cheat's selves count together."""
    before, after = pays(honest), pays(cheated)
    assert before.pop(CHEAT, 0) == sum(after.pop(each, 0) for each in {CHEAT, *selves})
    assert before == after


def test_an_address_that_is_split_earns_what_it_earned(method):
    for game in GAMES:
        random = Random(game)
        world = honest_world(random)
        selves = [CHEAT, *OTHER_SELVES][: random.randint(2, 5)]
        same_for_everybody(method(world, game), method(split(world, selves, random), game), selves)


def test_copies_of_oneself_earn_nothing(method):
    for game in GAMES:
        random = Random(game)
        world = copied = honest_world(random)
        mine = [each for each in world.traces if each.who == CHEAT]
        for number, original in enumerate(random.choices(mine, k=4) if mine else []):
            shown = original.used and random.random() < 0.5
            copied = copied.with_copy(replace(original, name=f"t-copy{number}", claims_ms=LATER + number, used=shown))
        same_for_everybody(method(world, game), method(copied, game))


@pytest.mark.parametrize(
    ("victim_signed", "copy"),
    [
        (True, {"signed": False, "claims_ms": -LATER}),
        (True, {"signed": True, "claims_ms": -LATER}),
        (True, {"signed": True, "claims_ms": LATER}),
        (False, {"signed": False, "claims_ms": LATER}),
    ],
    ids=[
        "unsigned, backdated, of a signed",
        "signed later, backdated",
        "signed later",
        "unsigned later, of an unsigned",
    ],
)
def test_a_rival_who_is_copied_keeps_everything(method, victim_signed, copy):
    played = 0
    for game in GAMES:
        random = Random(game)
        world = honest_world(random)
        honest = method(world, game)
        for victim in (each for each in rivals(world) if each.signed == victim_signed):
            stolen = replace(victim, name="t-copy", who=random.choice([CHEAT, THIEF]), **copy)
            better = replace(stolen, quality=random.randint(0, FULL_PPM))
            same_for_everybody(honest, method(world.with_copy(better), game))
            if shown_alone(world, victim):
                same_for_everybody(honest, method(world.with_copy(stolen, instead_of=victim.name), game))
            played += 1
    assert played > 100


def rivals(world: World):
    """Traces that others are paid for."""
    firsts = {world.first(each.cluster) for each in world.traces}
    return sorted((each for each in firsts if each.who != CHEAT), key=lambda each: each.name)


def shown_alone(world: World, victim) -> bool:
    """Whether the victim's is the cluster's one demo, as in a compiled program; then a copy can take its place."""
    return [each for each in world.traces if each.used and each.cluster == victim.cluster] == [victim]


def test_an_original_that_nobody_signed_for_loses_to_a_signed_copy():
    """What is not promised: whoever wants certainty signs."""
    taken = 0
    for game in GAMES:
        random = Random(game)
        world = honest_world(random)
        for victim in (each for each in rivals(world) if not each.signed and each.used and each.quality):
            copied = world.with_copy(replace(victim, name="t-copy", who=THIEF, signed=True, used=False))
            taken += pays(by_usage(copied, game)).get(THIEF, 0) > 0
    assert taken > 50
