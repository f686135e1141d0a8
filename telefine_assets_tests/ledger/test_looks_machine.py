"""Looks in any order, some from before a rotation: numbers without a gap, items in one epoch, evidence for ever."""

from contextlib import closing
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from telefine_assets.ledger.connection import Ledger, LedgerError
from telefine_assets.ledger.looks import Looks
from telefine_assets_tests.ledger.workers import request

ANY = st.integers(0, 99)


def items_of(number):
    """What a look would compare if nothing had retired."""
    return [item for item in range(40) if item % 12 != number]


def digest_of(items):
    """One that can be read backwards."""
    return f"{sum(1 << item for item in items):x}"


def items_in(digests):
    return {item for each in digests for item in range(40) if int(each, 16) >> item & 1}


class LooksMachine(RuleBasedStateMachine):
    """Runs of one program: each prepares, records, begins and concludes, and others come in between."""

    ledger = None
    examples = count()

    def __init__(self):
        super().__init__()
        self.program = f"p{next(self.examples)}"
        self.looks = Looks(self.ledger)
        self.prepared, self.begun, self.extracts, self.recorded, self.reached = {}, {}, {}, set(), set()

    def key(self, number):
        return f"{self.program} {number}"

    def one_of(self, numbers, at):
        return sorted(numbers)[at % len(numbers)]

    @rule(number=st.integers(0, 11))
    def prepare(self, number):
        epoch, retired = self.looks.epoch(self.program, self.key(number))
        assert retired == [items for at, _, items in sorted(self.begun.values()) if at < epoch]
        fresh = [item for item in items_of(number) if item not in items_in(retired)]
        self.prepared[number] = (epoch, digest_of(fresh))

    @precondition(lambda self: self.prepared)
    @rule(at=ANY)
    def record(self, at):
        number = self.one_of(self.prepared, at)
        epoch, items = self.prepared[number]
        try:
            look = self.looks.record(request(self.key(number), self.program), epoch, items)
        except LedgerError as error:
            assert "rotated" in str(error)
            assert epoch in self.reached
        else:
            assert (look.epoch, look.item_list) == (epoch, items)
            self.recorded.add((number, epoch))

    @precondition(lambda self: self.recorded)
    @rule(at=ANY)
    def begin(self, at):
        number, epoch = self.one_of(self.recorded, at)
        if number not in self.begun and epoch in self.reached:
            with pytest.raises(LedgerError, match="the holdout rotated"):
                self.looks.begin(self.key(number), epoch)
        elif number not in self.begun or self.begun[number][0] == epoch:
            look = self.looks.begin(self.key(number), epoch)
            found = (look.epoch, look.k, look.item_list)
            assert found == self.begun.setdefault(number, found)

    @precondition(lambda self: self.begun)
    @rule(at=ANY, reached=st.booleans())
    def conclude(self, at, reached):
        number = self.one_of(self.begun, at)
        if self.looks.concluded(self.key(number)) is None:
            self.looks.conclude(self.key(number), reached, "report")
            if reached:
                self.reached.add(self.begun[number][0])

    @invariant()
    def numbers_have_no_gap_and_no_double(self):
        for epoch in {at for at, _, _ in self.begun.values()}:
            numbers = sorted(k for at, k, _ in self.begun.values() if at == epoch)
            assert numbers == list(range(1, len(numbers) + 1))
            assert self.looks.next_k(self.program, epoch) == len(numbers) + 1

    @invariant()
    def no_item_is_looked_at_in_two_epochs(self):
        seen = {}
        for epoch, _, items in self.begun.values():
            seen.setdefault(epoch, set()).update(items_in([items]))
        assert sum(map(len, seen.values())) == len(set().union(*seen.values()))

    @invariant()
    def evidence_never_changes(self):
        for number, (_, k, _) in self.begun.items():
            extract = self.looks.extract(self.program, self.key(number))
            assert extract == self.extracts.setdefault(number, extract)
            assert [row["k"] for row in extract] == list(range(1, k + 1))


def test_whatever_happens_in_whatever_order(new_url, kind):
    examples = settings(
        max_examples=25 if kind == "sqlite" else 8,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with closing(Ledger(new_url())) as ledger:
        run_state_machine_as_test(type("OnThisLedger", (LooksMachine,), {"ledger": ledger}), settings=examples)
