"""Arbiters under one fence never fork a log, whatever is lost, repeated or late, and whoever takes over when.

The machine has three arbiters, each with the token that it took and the log as it has seen it. Calls may be lost on
their way, or their replies; an arbiter that has no answer calls again, with the same words, before it says anything
else, as `service/arbiter/ledger.py` does. A network may also deliver any old call once more, at any time.

What a script must answer is said of the whole content of a log, by the guards of the model: an append is taken under
the newest token, and only onto the very log that its writer had seen. The scripts compare a length and one line. That
this comes to the same is what is tested, on the real servers; and after every step that no arbiter, however old, has
ever seen anything that is not in the log.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
import redis
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from model import guards
from service.store import keys
from service.store.scripts import source

SALE = "ef" * 16
REGION_LOG = [b"line %d" % number for number in range(1, 1_000)]
"""What the region has logged; line n is at n - 1."""
SIZES = st.sampled_from([1, 1, 2, 3, 8, 45, 45])
"""Of batches: logs soon have numbers of two and of three digits."""
STATES = {
    "append: appended", "append: appended before", "append: fenced", "append: moved", "copy: copied",
    "copy: copied before", "copy: fenced", "copy: moved", "push: taken", "push: nothing new",
    "push: a gap is not taken", "push: a difference is told", "push: by an arbiter that was fenced off",
    "open: opened", "open: opened before", "open: fenced", "mark: raised", "mark: raised to more digits",
    "mark: not lowered", "mark: not lowered to fewer digits", "mark: compared with one of as many digits",
    "call lost", "reply lost", "late: a call comes once more", "taken over while a call was on its way",
    "a token of more digits", "a log of two digits", "a log of three digits",
}  # fmt: skip

Record = tuple[bytes, bytes]
"""A line, and the winner beside it."""


@dataclass(frozen=True)
class Call:
    """A call of a script, and what must become of it now."""

    script: str
    names: list[str]
    words: list[Any]
    expect: Callable[[], Any]
    """Does to the model what the call may do now, and gives the answer that must come."""
    done: Callable[[Any], None] = lambda _: None
    """Told the caller's answer, when that arrives."""


@dataclass
class Arbiter:
    """What one arbiter has seen. `waits_for` is a call without an answer yet."""

    token: int = 0
    log: list[Record] = field(default_factory=list)
    copied: int = 0
    waits_for: Call | None = None


class Fence(RuleBasedStateMachine):
    """One sale's logs in the arbiter's store and in a region's."""

    client: ClassVar[Any]
    reached: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.client.flushall()
        self.arbiters = [Arbiter(), Arbiter(), Arbiter()]
        self.calls: list[Call] = []
        """All that were ever made."""
        self.log: list[Record] = []
        self.copied = 0
        self.chunks: list[int] = []
        """The last number of each."""
        self.pushed: list[Record] = []
        self.opened: dict[str, str] = {}
        self.sales: list[bytes] = []
        self.mark_ns: int | None = None
        self.numbers = 0

    @initialize(token=st.sampled_from([0, 8, 98]))
    def begin(self, token: int) -> None:
        """The fence may have been taken often before. One arbiter has written; another took over, and wrote too."""
        self.token = token
        if token:
            self.client.set(keys.FENCE, token)
        self.take_over(self.arbiters[0])
        self.append_as(self.arbiters[0], 8, b"", "arrives")
        self.take_over(self.arbiters[1])
        for _ in range(2):
            self.append_as(self.arbiters[1], 1, b"", "arrives")
            self.copy_as(self.arbiters[1], 1, "arrives")
        for late in [*self.calls]:
            self._make(late)

    arbiter = st.sampled_from([None, None, None, None, 0, 1, 2])
    """Which arbiter; None for the one that has the newest token."""
    fate = st.sampled_from(["arrives", "arrives", "arrives", "call lost", "reply lost"])

    def _arbiter(self, who: int | None) -> Arbiter:
        return max(self.arbiters, key=lambda one: one.token) if who is None else self.arbiters[who]

    @rule(who=st.integers(0, 2), after=st.integers(0, 3))
    def somebody_takes_over(self, who: int, after: int) -> None:
        """It starts anew: whatever it waited for is forgotten, but may still be on its way."""
        if after > 1:
            return
        self.reached["taken over while a call was on its way"] += self._arbiter(None).waits_for is not None
        self.arbiters[who] = Arbiter()
        self.take_over(self.arbiters[who])

    def take_over(self, arbiter: Arbiter) -> None:
        """Take a token first, then read what is there."""
        before, self.token = self.token, int(self.client.incr(keys.FENCE))
        self.reached["a token of more digits"] += len(str(before)) < len(str(self.token))
        assert self.token == before + 1
        arbiter.token, arbiter.log, arbiter.copied = self.token, self._stored(keys.ledger(SALE)), self.copied

    @rule(who=arbiter, size=SIZES, fate=fate, what=st.binary(max_size=1))
    def append(self, who: int | None, size: int, fate: str, what: bytes) -> None:
        """Records onto the log as this arbiter has seen it. Lines of different arbiters may be the same."""
        self.append_as(self._arbiter(who), size, what, fate)

    def append_as(self, writer: Arbiter, size: int, what: bytes, fate: str) -> None:
        if writer.waits_for is None:
            seen, token = [*writer.log], writer.token
            batch = [(b"line %d%s" % (len(seen) + more, what.hex().encode()), b"") for more in range(size)]

            def expect() -> list[bytes]:
                if token != self.token:
                    return [b"fenced", b"%d" % self.token]
                if self.log == seen + batch:
                    return [b"appended"]
                if self.log != seen:
                    return [b"moved", b"%d" % len(self.log)]
                self.log += batch
                return [b"appended"]

            def done(answer: list[bytes]) -> None:
                if answer == [b"appended"]:
                    writer.log = seen + batch

            words = [str(token), str(len(seen)), *(word for record in batch for word in record)]
            writer.waits_for = Call("append", [keys.FENCE, keys.ledger(SALE)], words, expect, done)
        self._send(writer, fate)

    @rule(who=arbiter, size=SIZES, fate=fate)
    def copy(self, who: int | None, size: int, fate: str) -> None:
        """The region's next lines, as this arbiter counts them."""
        self.copy_as(self._arbiter(who), size, fate)

    def copy_as(self, writer: Arbiter, size: int, fate: str) -> None:
        if writer.waits_for is None:
            token, first = writer.token, writer.copied + 1
            last = min(first + size - 1, len(REGION_LOG))

            def expect() -> list[bytes]:
                if token != self.token:
                    return [b"fenced", b"%d" % self.token]
                if self.copied == last:
                    return [b"copied"]
                if not guards.follows_in_log(first, self.copied):
                    return [b"moved", b"%d" % self.copied]
                self.copied = last
                self.chunks.append(last)
                return [b"copied"]

            def done(answer: list[bytes]) -> None:
                if answer == [b"copied"]:
                    writer.copied = last

            words = [str(token), str(first), str(last), b"\n".join(REGION_LOG[first - 1 : last])]
            writer.waits_for = Call("copy", [keys.FENCE, keys.copied_log(SALE, "here")], words, expect, done)
        self._send(writer, fate)

    @rule(who=arbiter, proposal=st.sampled_from(["p1", "p2", "p3"]), fate=fate)
    def open_sale(self, who: int | None, proposal: str, fate: str) -> None:
        """Each try draws another seed, so it would be another sale."""
        writer = self._arbiter(who)
        if writer.waits_for is None:
            self.numbers += 1
            token, sale, line = writer.token, f"s{self.numbers}", b"terms %d" % self.numbers

            def expect() -> list[bytes]:
                if token != self.token:
                    return [b"fenced", b"%d" % self.token]
                if proposal not in self.opened:
                    self.opened[proposal] = sale
                    self.sales.append(line)
                return [b"opened", self.opened[proposal].encode()]

            names = [keys.FENCE, keys.ARBITER_SALES, keys.SEEDS, keys.OPENED]
            writer.waits_for = Call("open_sale", names, [str(token), proposal, sale, line, f"seed of {sale}"], expect)
        self._send(writer, fate)

    @rule(who=st.sampled_from([None, 0, 1, 2]), first=st.integers(0, 9), size=SIZES, differs=st.booleans())
    def push(self, who: int | None, first: int, size: int, differs: bool) -> None:
        """Decisions to a region, from about where it stands. A fence does not keep an old arbiter from that."""
        known = self._arbiter(who).log
        start = max(0, len(self.pushed) + 3 - first)
        batch = known[start : start + size]
        self.reached["push: by an arbiter that was fenced off"] += bool(batch) and (
            self._arbiter(who).token != self.token
        )
        if differs and batch and start + len(batch) <= len(self.pushed):  # what is not there yet has no difference
            batch = [*batch[:-1], (b"another line", b"")]
        self._push(start + 1, batch)

    def _push(self, first: int, batch: list[Record]) -> None:
        def expect() -> int:
            before = len(self.pushed)
            for number, record in enumerate(batch, first):
                if number <= len(self.pushed) and self.pushed[number - 1] != record:
                    self.reached["push: a difference is told"] += 1
                    return -number
                if guards.follows_in_log(number, len(self.pushed)):
                    self.pushed.append(record)
            self.reached["push: taken"] += len(self.pushed) > before
            self.reached["push: nothing new"] += bool(batch) and first + len(batch) - 1 <= before
            self.reached["push: a gap is not taken"] += bool(batch) and first > before + 1
            return len(self.pushed)

        words = [str(first), *(word for record in batch for word in record)]
        self._make(Call("push", [keys.decisions(SALE)], words, expect))

    @rule(digits=st.sampled_from([1, 2, 2, 18]), more=st.integers(-2, 2))
    def raise_mark(self, digits: int, more: int) -> None:
        """Marks around powers of ten, where a comparison of strings goes wrong first."""
        mark_ns = max(0, 10**digits + more)

        def expect() -> bytes:
            before = self.mark_ns
            self.reached["mark: compared with one of as many digits"] += len(str(before)) == len(str(mark_ns))
            if before is None or guards.mark_may_rise(before, mark_ns):
                self.reached["mark: raised"] += 1
                self.reached["mark: raised to more digits"] += len(str(before or 0)) < len(str(mark_ns))
                self.mark_ns = mark_ns
            else:
                self.reached["mark: not lowered"] += 1
                self.reached["mark: not lowered to fewer digits"] += len(str(mark_ns)) < len(str(before))
            return b"%d" % (self.mark_ns or 0)

        self._make(Call("raise_mark", [keys.mark(SALE)], [str(mark_ns)], expect))

    @rule(
        data=st.data(),
        script=st.sampled_from(["append", "append", "copy", "copy", "open_sale", "push"]),
        newest=st.booleans(),
    )
    def a_late_call_comes_once_more(self, data: st.DataObject, script: str, newest: bool) -> None:
        """Nobody waits for its answer. `newest`: one of the arbiter that has the newest token."""
        calls = [call for call in self.calls if call.script == script]
        calls = [call for call in calls if not newest or call.words[0] == str(self.token)]
        if calls:
            self.reached["late: a call comes once more"] += 1
            self._make(data.draw(st.sampled_from(calls[-20:])))

    def _send(self, writer: Arbiter, fate: str) -> None:
        """The call that an arbiter waits for: lost, taken with its reply lost, or answered."""
        call = writer.waits_for
        assert call is not None
        if fate == "call lost":
            self.reached[fate] += 1
            self.calls.append(call)
            return
        answer = self._make(call)
        if fate == "reply lost":
            self.reached[fate] += 1
            return
        writer.waits_for = None
        call.done(answer)

    def _make(self, call: Call) -> Any:
        """Call the script, and compare its answer; then once more, which changes nothing."""
        length = len(self.log), self.copied, len(self.sales)
        expected = call.expect()
        before = "" if length != (len(self.log), self.copied, len(self.sales)) else " before"
        with self.client.pipeline(transaction=False) as both:
            for _ in range(2):
                both.eval(source(call.script), len(call.names), *call.names, *call.words)
            answer, again = both.execute()
        assert answer == expected
        assert again == expected
        name = {"open_sale": "open"}.get(call.script, call.script)
        if isinstance(answer, list):
            said = answer[0].decode()
            self.reached[f"{name}: {said}{before if said in {'appended', 'copied', 'opened'} else ''}"] += 1
        self.calls.append(call)
        return answer

    def _stored(self, key: str) -> list[Record]:
        return records(self.client.xrange(key))

    @invariant()
    def no_log_forks(self) -> None:
        """The log is the one that the rules allow, and whatever anybody has ever seen or was told is a part of it."""
        with self.client.pipeline(transaction=False) as look:
            for key in (keys.ledger(SALE), keys.decisions(SALE), keys.ARBITER_SALES, keys.copied_log(SALE, "here")):
                look.xrange(key)
            look.hgetall(keys.OPENED)
            look.hgetall(keys.SEEDS)
            log, pushed, sales, chunks, opened, seeds = look.execute()
        assert records(log) == self.log
        assert records(pushed) == self.pushed
        for seen in (self.pushed, *(arbiter.log for arbiter in self.arbiters)):
            assert seen == self.log[: len(seen)]
        self.reached["a log of two digits"] += len(self.log) > 9
        self.reached["a log of three digits"] += len(self.log) > 99
        # Copies are the region's log as far as they go.
        assert [number for number, _ in chunks] == [b"%d-0" % last for last in self.chunks]
        lines = [line for _, fields in chunks for line in fields[keys.LINE].split(b"\n")]
        assert lines == REGION_LOG[: self.copied]
        # Every proposal has one sale, every sale one seed.
        assert [line for line, _ in records(sales)] == self.sales
        assert opened == {proposal.encode(): sale.encode() for proposal, sale in self.opened.items()}
        assert seeds == {sale: b"seed of " + sale for sale in opened.values()}


def records(found: Any) -> list[Record]:
    """A log as the store has it; its numbers must count from 1."""
    last = 0
    for number, _ in found:
        seq = int(number.partition(b"-")[0])
        assert guards.follows_in_log(seq, last)
        last = seq
    return [(fields[keys.LINE], fields[keys.BUYER]) for _, fields in found]


def run(client: "redis.Redis[bytes]", max_examples: int, phases: Sequence[Phase] = tuple(Phase)) -> None:
    """Run the machine.

    Raises:
        AssertionError: a log has forked, or a script said something else than the rules.
    """
    Fence.client = client
    Fence.reached.clear()
    how = settings(stateful_step_count=40, max_examples=max_examples, phases=phases)
    run_state_machine_as_test(Fence, settings=how)


def test_no_arbiter_forks_a_log(client: "redis.Redis[bytes]") -> None:
    run(client, max_examples=80)
    print("states reached:", ", ".join(f"{state} {number}" for state, number in sorted(Fence.reached.items())))
    missing = STATES - {state for state, number in Fence.reached.items() if number}
    if missing:
        pytest.fail(f"never reached: {', '.join(sorted(missing))}")
