"""The model and the real scripts do the same steps and must say the same, whatever the steps are.

The machine keeps a log as the model has it: guards decide what may follow a mark and how numbers go on. Beside it the
shipped scripts run in a real store. Every answer is compared, and after every step the whole state. A last test asks
whether all of these runs together have seen every kind of answer, or they would prove little.
"""

from collections import Counter
from typing import Any, ClassVar

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from model import guards
from model.vocabulary import Entry
from model.wire import log_line, parse_log_line
from service.store import keys
from service.store.attempts import around, purchase_id, words
from service.store.chunks import lines_in
from service.store.scripts import source

SALE = "cd" * 16
BASE_NS = 999_999_999_990
"""Stamps around a power of ten: where strings of digits grow by one, a comparison of strings goes wrong first."""
STATES = {
    "logged",
    "all new",
    "known",
    "known although stopped",
    "known although below",
    "unknown",
    "below",
    "stopped",
    "mark raised",
    "mark not lowered",
    "retry of the same request",
    "buyer twice in one call",
}

times = st.integers(BASE_NS, BASE_NS + 20)
buyers = st.sampled_from(["ada", "bob", "eve", "dan"])


class Admission(RuleBasedStateMachine):
    """One region's log of one sale."""

    client: ClassVar[Any]
    reached: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.client.flushall()
        self.log: list[Entry] = []
        self.by_buyer: dict[str, Entry] = {}
        self.mark_ns = 0
        self.stop = ""
        self.requests = 0
        self.attempted: list[tuple[str, str, int]] = []

    @rule(attempts=st.lists(st.tuples(buyers, times), min_size=1, max_size=4))
    def enter(self, attempts: list[tuple[str, int]]) -> None:
        """New requests, several in one call."""
        made = []
        for buyer, stamp_ns in attempts:
            self.requests += 1
            made.append((f"here.{self.requests}", buyer, stamp_ns))
        if len({buyer for _, buyer, _ in made}) < len(made):
            self.reached["buyer twice in one call"] += 1
        self.attempted += made
        self._compare(made)

    @precondition(lambda self: self.attempted)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        """A call whose answer was lost is made again, with the same request and stamp."""
        self.reached["retry of the same request"] += 1
        self._compare([data.draw(st.sampled_from(self.attempted))])

    @rule(buyer=buyers)
    def look_up(self, buyer: str) -> None:
        """Without a stamp nothing is logged."""
        expected = self._known(buyer) or [b"unknown"]
        self.reached[expected[0].decode()] += 1
        assert self._admit(words(0, [], [buyer])) == [expected]

    @rule(mark_ns=times)
    def raise_mark(self, mark_ns: int) -> None:
        rises = guards.mark_may_rise(self.mark_ns, mark_ns)
        self.reached["mark raised" if rises else "mark not lowered"] += 1
        self.mark_ns = mark_ns if rises else self.mark_ns
        told = self.client.eval(source("raise_mark"), 1, keys.mark(SALE), str(mark_ns))
        assert int(told) == self.mark_ns

    @precondition(lambda self: len(self.log) > 1)
    @rule(reason=st.sampled_from(["sold_out", "cancelled"]))
    def set_stop(self, reason: str) -> None:
        """As the arbiter does it: the first reason stays."""
        self.stop = self.stop or reason
        self.client.set(keys.stop(SALE), reason, nx=True)

    @invariant()
    def the_store_has_what_the_model_has(self) -> None:
        stored: Any = self.client.xrange(keys.log(SALE))
        first, lines = lines_in([(number, *fields.items()) for number, fields in stored])
        assert [parse_log_line(line) for line in lines] == self.log
        assert first == (1 if lines else 0)
        last_seq = 0
        for entry in self.log:
            assert guards.follows_in_log(entry.seq, last_seq)
            last_seq = entry.seq
        assert len({entry.buyer for entry in self.log}) == len(self.log)
        assert self.client.hgetall(keys.buyers(SALE)) == {entry.buyer.encode(): b"%d" % entry.seq for entry in self.log}

    def _compare(self, attempts: list[tuple[str, str, int]]) -> None:
        lines = [around(stamp_ns, 7, "here-1/3", 0).line(request, buyer) for request, buyer, stamp_ns in attempts]
        expected = [self._expect(*attempt) for attempt in attempts]
        told = self._admit(
            words(min(stamp_ns for _, _, stamp_ns in attempts), lines, [buyer for _, buyer, _ in attempts])
        )
        if isinstance(told, int):
            self.reached["all new"] += 1
            told = list(range(told - len(attempts) + 1, told + 1))
        assert told == expected

    def _expect(self, request: str, buyer: str, stamp_ns: int) -> int | list[bytes]:
        """What the model says: the buyer's entry, else the stop, else the mark, else the next number."""
        may_follow = guards.may_follow(stamp_ns, self.mark_ns)
        known = self._known(buyer)
        if known:
            self.reached["known"] += 1
            self.reached["known although stopped"] += bool(self.stop)
            self.reached["known although below"] += not may_follow
            return known
        if self.stop:
            self.reached["stopped"] += 1
            return [b"stopped", self.stop.encode()]
        if not may_follow:
            self.reached["below"] += 1
            return [b"below", b"%d" % self.mark_ns]
        self.reached["logged"] += 1
        seq = len(self.log) + 1
        entry = Entry(seq, purchase_id(request, seq), buyer, stamp_ns, 7, "here-1/3", 0)
        self.log.append(entry)
        self.by_buyer[buyer] = entry
        return entry.seq

    def _known(self, buyer: str) -> list[bytes]:
        entry = self.by_buyer.get(buyer)
        return [] if entry is None else [b"known", log_line(entry)]

    def _admit(self, arguments: list[str]) -> Any:
        names = [keys.log(SALE), keys.buyers(SALE), keys.mark(SALE), keys.stop(SALE)]
        return self.client.eval(source("admit"), len(names), *names, *arguments)


def test_model_and_scripts_say_the_same(client: "redis.Redis[bytes]") -> None:
    Admission.client = client
    Admission.reached.clear()
    run_state_machine_as_test(Admission, settings=settings(max_examples=60, stateful_step_count=25))
    missing = STATES - {state for state, times_reached in Admission.reached.items() if times_reached}
    print("states reached:", ", ".join(f"{state} {number}" for state, number in sorted(Admission.reached.items())))
    if missing:
        pytest.fail(f"never reached: {', '.join(sorted(missing))}")
