"""The arbiter's fold and the proofs' protocol do the same steps: neither more, nor others, nor less.

The machine drives a real fold through small sales. Before and after each of its steps the fold is seen as a state of
`proofs/protocol.py` (`abstraction.py`), and the very terms that are proved are asked (`finite.py`):

- what the fold did is that step of the protocol, and no other one;
- it takes a line exactly if `may_deliver` holds, and a mark exactly if it may rise;
- when it rests, no draw, no closing and no selling out is due: it has done all that it may;
- every invariant of `proofs/induction.py` holds in every state, and the world is as the proofs assume it;
- what a buyer is told (`model/outcomes.py`) is what `proofs/promises.py` reasons about.

A last test asks whether all runs together have reached what matters.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from model.outcomes import Standing
from model.vocabulary import CloseReason, Complete, Contradiction, Decision, Entry, Outcome, SoldOut, Won
from model.wire import log_line
from proofs import protocol
from proofs.promises import BEYOND_CUT_OFF, DUPLICATE, LOST, PENDING, WON
from tests.refinement.abstraction import UNLOGGED, Moment, Sale
from tests.refinement.relations import Course, is_good, no_line_can_follow, told
from tests.search import many
from tests.stories import OPENS_NS, beacon_value, terms

MOST_REQUESTS = 8
STATES = {
    "won", "lost: sold_out", "lost: duplicate", "lost: cut_off", "lost: cancelled", "lost: halted",
    "tie: the later stamp won", "drawn while another region was silent", "the lobby shares one place",
    "the same buyer in two regions", "replaced by a lesser entry", "not replaced by a greater entry",
    "read after the end", "a winner's other entry", "cut off", "cut off with lines beyond", "every region cut off",
    "sold out", "closed by time", "closed when sold out", "closed when cancelled", "cancelled", "halted",
    "line refused", "mark refused", "asked after the end", "complete", "beacon entered", "beacon refused",
}  # fmt: skip
TOLD = {"won": WON, "duplicate": DUPLICATE, "cut_off": BEYOND_CUT_OFF}


class Arbiter(RuleBasedStateMachine):
    """One sale, from its opening to whatever ends it."""

    reached: ClassVar[Counter[str]] = Counter()
    steps_taken: ClassVar[Counter[str]] = Counter()

    @initialize(data=st.data())
    def first_sale(self, data: st.DataObject) -> None:
        self._publish(data)

    def _publish(self, about: st.DataObject) -> None:
        """A sale of its own kind: an operator may stop it, regions may fall silent."""
        stock, skew, slack, lobby = about.draw(
            st.tuples(
                st.sampled_from([1, 2, 2, 3]),
                st.integers(0, 3),
                st.sampled_from([0, 0, 1, 6]),
                st.sampled_from([0, 6, 12]),
            )
        )
        regions, seed = about.draw(st.integers(2, 3)), about.draw(st.binary(min_size=1, max_size=1))
        beacon = about.draw(st.sampled_from([False, False, True]))
        self.ending = about.draw(st.sampled_from(["", "", "cancel", "halt"]))
        self.may_be_silent = about.draw(st.sampled_from([0, 1, 3, 3]))
        stated = terms(
            stock=stock,
            regions=("north", "south", "west")[:regions],
            skew=skew,
            slack=slack,
            lasts=20,
            lobby=lobby,
            beacon=beacon,
        )
        self.sale = Sale(stated, seed)
        self.fold = self.sale.fold
        self.standing = Standing(stated)
        self.records = 0
        self.course = Course(self.sale, self.steps_taken)

    @property
    def moment(self) -> Moment:
        return self.course.moment

    # What the world does.

    @precondition(lambda self: self.fold.regions and len(self.sale.entries) <= MOST_REQUESTS)
    @rule(data=st.data(), buyers=st.lists(st.sampled_from(["ann", "ann", "bob", "eve", "joe"]), min_size=1, max_size=3))
    def deliver(self, data: st.DataObject, buyers: list[str]) -> None:
        for buyer in buyers[: MOST_REQUESTS + 1 - len(self.sale.entries)]:
            self._next_line(data, buyer)

    def _next_line(self, data: st.DataObject, buyer: str) -> None:
        """A region's next line: most are good, and some are not."""
        if self.fold.winners and data.draw(st.booleans()):
            buyer = data.draw(st.sampled_from(sorted(self.fold.winners)))
        stated = self.sale.terms
        region, skew = data.draw(st.sampled_from(self.fold.regions)), stated.skew_bound_ns
        least = max(stated.entries_from_ns - skew, self.moment.mark[region])
        if least > stated.last_stamp_ns and data.draw(st.integers(0, 9)) != 5:
            return  # nothing good can follow here; that it is refused is tried often enough
        stamp = data.draw(st.integers(least, max(least, min(stated.last_stamp_ns, OPENS_NS + 12))))
        bound, seq = data.draw(st.integers(0, skew)), self.fold.delivered(region).seq + 1
        match data.draw(st.integers(0, 39)):
            case 11:
                bound = skew + 1
            case 13:
                seq += 1
            case 17:
                seq -= 1
            case 23:
                stamp = least - 1
            case 29:
                stamp = stated.last_stamp_ns + 1
        error = data.draw(st.integers(-bound, bound))
        # Ids carry no order of arrival.
        random = f"{data.draw(st.integers(0, 9))}{len(self.sale.entries)}{self.records}"
        self._deliver(region, Entry(seq, f"{region}.{random}", buyer, stamp, bound, "host/1", 0), stamp + error)

    @precondition(lambda self: self.fold.regions and not self.fold.over)
    @rule(data=st.data())
    def see(self, data: st.DataObject) -> None:
        """The arbiter looks: marks have risen, or claim to have fallen."""
        stated, end = self.sale.terms, self.sale.terms.last_stamp_ns + 1
        wanted = self.fold.wanted_ns()
        least = data.draw(st.sampled_from([0, wanted, wanted + 1, end if self.records > 4 else 0]))
        marks = {
            region: min(
                max(self.moment.mark[region], stated.entries_from_ns, least) + data.draw(st.sampled_from([0, 1, 3])),
                end,
            )
            for region in self.fold.regions
        }
        if data.draw(st.integers(0, 30)) == 17:
            region = data.draw(st.sampled_from(self.fold.regions))
            marks[region] = self.moment.mark[region] - 1
        self._see(marks)

    @precondition(lambda self: self.fold.regions and self.may_be_silent and self.records > 2 and not self.fold.over)
    @rule(data=st.data(), beyond=st.integers(0, 1))
    def cut_off(self, data: st.DataObject, beyond: int) -> None:
        """A region falls silent, perhaps with lines that nobody has read."""
        region = data.draw(st.sampled_from(self.fold.regions))
        self.may_be_silent -= 1
        reached = self.fold.delivered(region)
        if self.fold._regions[region].counted != reached.seq:
            self._see({})  # a region is cut off where it was last seen
            if self.fold.over:
                return
        if beyond:
            stamp = max(OPENS_NS, reached.mark_ns)
            unread = Entry(reached.seq + 1, f"{region}.unread", "eve", stamp, 0, "", 0)
            self.sale.heard(region, unread, stamp)
            self.reached["cut off with lines beyond"] += 1
        before = self.sale.now()
        record, follows = self.fold.cut_off(region)
        self._record([record, *follows])
        self._passed(before, "cut off", follows)
        self.reached["cut off"] += 1
        self.reached["every region cut off"] += not self.fold.regions

    @precondition(lambda self: self.ending == "cancel" and self.records > 2 and not self.fold.is_decided)
    @rule()
    def cancel(self) -> None:
        self._stop(self.fold.cancel("the merchant asked for it"))
        self.reached["cancelled"] += 1

    @precondition(lambda self: self.ending == "halt" and self.records > 2 and not self.fold.over)
    @rule()
    def halt(self) -> None:
        self._stop(self.fold.halt("south: log numbers have no gap"))
        self.reached["halted"] += 1

    @precondition(lambda self: (self.fold.sold_out or self.fold.cancelled) and not self.fold.over)
    @rule()
    def close(self) -> None:
        """All was read to its end. For the proofs the sale has ended before."""
        reason: CloseReason = "sold_out" if self.fold.sold_out else "cancelled"
        self._see({})
        closed = self.fold.close()
        assert closed.reason == reason
        self._stop(closed)
        self.reached[f"closed when {reason.replace('_', ' ')}"] += 1

    @precondition(lambda self: self.fold.awaits_beacon and not self.fold.is_decided)
    @rule()
    def enter_beacon(self) -> None:
        """The round is published. For the proofs nothing happens; then everything that was due does."""
        value, before = beacon_value(self.sale.terms), self.moment
        if not self.fold.is_complete:
            with pytest.raises(Contradiction, match="once every entry is in"):
                self.fold.enter_beacon(value)
            self.reached["beacon refused"] += 1
            return
        follows = self.fold.enter_beacon(value)
        self._record([value, *follows])
        assert self.sale.passed.pop(0) == before
        self._follow(before, follows)
        self.reached["beacon entered"] += 1

    @precondition(lambda self: self.fold.over)
    @rule(data=st.data())
    def another_sale(self, data: st.DataObject) -> None:
        """Past the end no record is taken, and nothing changes. Then there is another sale."""
        before, fold = self.sale.now(), self.fold
        for refused in (
            lambda: fold.see(fold.look({}, 5, 9)),
            lambda: fold.cut_off(self.sale.terms.regions[0]),
            lambda: fold.cancel("too late"),
            lambda: fold.halt("too late"),
            fold.close,
        ):
            with pytest.raises(Contradiction):
                refused()
        assert self.sale.now() == before
        assert self.sale.passed == []
        self.reached["asked after the end"] += 1
        self._count_outcomes()
        self._publish(data)

    # What the fold does with it, against the protocol.

    def _deliver(self, region: str, entry: Entry, true_arrival_ns: int) -> None:
        sale, before, in_time = self.sale, self.moment, not self.fold.is_decided
        known = {name: logged for name, logged in sale.entries.items() if name in before.log}
        sale.heard(region, entry, true_arrival_ns)
        good = is_good()(sale.world(before, x=entry.request))
        try:
            self.fold.deliver(region, log_line(entry))
        except Contradiction:
            assert not good
            self.reached["line refused"] += 1
            assert sale.now() == before
            del sale.entries[entry.request], sale.region_of[entry.request], sale.true_arrival_ns[entry.request]
            return
        assert good
        sale.delivered(entry, in_time=in_time)
        after = sale.now()
        self.course.step("deliver", before, after)
        others = [other for other in known.values() if other.buyer == entry.buyer]
        if not in_time:
            self.reached["read after the end"] += 1
        elif entry.buyer in self.fold.winners:
            self.reached["a winner's other entry"] += 1
        elif others:
            replaced = after.front[entry.buyer] == entry.request
            self.reached["replaced by a lesser entry" if replaced else "not replaced by a greater entry"] += 1
            self.reached["the same buyer in two regions"] += any(region != sale.region_of[o.request] for o in others)

    def _see(self, marks_ns: dict[str, int]) -> None:
        before, falls = self.moment, {r: ns for r, ns in marks_ns.items() if ns < self.moment.mark[r]}
        seen = self.fold.look(marks_ns, 5, 9)
        if falls:
            with pytest.raises(Contradiction, match="only moves forward"):
                self.fold.see(seen)
            assert self.sale.now() == before
            for region, mark_ns in falls.items():
                lower = replace(before, mark={**before.mark, region: mark_ns})
                assert self.course.steps_between(before, lower) == set()
            self.reached["mark refused"] += 1
            return
        follows = self.fold.see(seen)
        self._record([seen, *follows])
        # The marks of a record rise at once. Each is one step of the protocol, and their order is of no matter.
        for region, was in seen.regions.items():
            if was.mark_ns != before.mark[region]:
                higher = replace(before, mark={**before.mark, region: was.mark_ns})
                self.course.step("raise mark", before, higher)
                before = higher
        assert self.sale.passed.pop(0) == before
        self._follow(before, follows)

    def _stop(self, decision: Decision) -> None:
        before, open_before = self.sale.now(), self.moment.ending == protocol.OPEN
        self.sale.watch(decision)
        self._record([decision])
        if open_before:
            self._passed(before, "stop", [])
        else:
            assert self.sale.passed.pop() == before  # it had ended: for the proofs nothing happens
            assert self.sale.passed == []

    def _passed(self, before: Moment, step: str, follows: list[Decision]) -> None:
        after = self.sale.passed.pop(0)
        self.course.step(step, before, after)
        self._follow(after, follows)

    def _follow(self, before: Moment, follows: list[Decision]) -> None:
        """What follows from a record: draws, and perhaps the end."""
        passed, self.sale.passed = self.sale.passed, []
        assert len(passed) == len(follows)
        for decision, after in zip(follows, passed, strict=True):
            match decision:
                case Complete():
                    self._complete(before, after)
                case Won():
                    self._drawn(decision, before)
                    self.course.step("draw", before, after)
                case SoldOut():
                    self.reached["sold out"] += 1
                    self.course.step("sell out", before, after)
                case _:
                    self.reached["closed by time"] += 1
                    self.course.step("close", before, after)
            before = after
        assert self.sale.now() == before

    def _complete(self, before: Moment, after: Moment) -> None:
        """Every entry is in: nobody has won, no line could follow, whatever it said. For the proofs it is no step."""
        assert before == after
        assert not after.unit
        assert no_line_can_follow()(self.sale.world(after))
        self.reached["complete"] += 1

    def _drawn(self, won: Won, before: Moment) -> None:
        waiting = {request for request in before.front.values() if request not in before.unit}
        winner = self.sale.entries[won.request]
        others = [self.sale.entries[request] for request in waiting - {won.request}]
        self.reached["won"] += 1
        self.reached["tie: the later stamp won"] += any(
            OPENS_NS <= other.stamp_ns < winner.stamp_ns for other in others
        )
        self.reached["the lobby shares one place"] += winner.stamp_ns < OPENS_NS and any(
            other.stamp_ns != winner.stamp_ns and other.stamp_ns < OPENS_NS for other in others
        )
        self.reached["drawn while another region was silent"] += len(before.present) > 1 and any(
            before.read[region] == 0 for region in before.present
        )

    def _record(self, decisions: list[Decision]) -> None:
        self.records += len(decisions)
        buyers = {request: buyer for buyer, request in self.fold.winners.items()}
        for decision in decisions:
            self.standing.apply(decision, buyers[decision.request] if isinstance(decision, Won) else None)

    # What holds whenever it rests.

    @invariant()
    def nothing_is_due(self) -> None:
        """While a beacon's round is waited for, nobody wins, whatever is due."""
        if self.fold.awaits_beacon:
            assert not self.fold.winners
        else:
            assert self.course.due() == []

    @invariant()
    def buyers_are_told_what_is_proved(self) -> None:
        world = self.sale.world(self.moment)
        asked_of = {**world.scope}
        for request, entry in self.sale.entries.items():
            if request == UNLOGGED:
                continue
            region = self.sale.region_of[request]
            said = self.standing.outcome(region, entry.seq, request, entry.buyer)
            asked_of["s_one"] = request
            proved = told().within(asked_of)
            if said is None:
                # Nobody is told anything before a `seen` has counted the entry: it could still be cut off.
                uncounted = entry.seq > self.standing.counted.get(region, 0)
                assert proved == PENDING or uncounted
            else:
                assert proved == meaning(said)
                if said.reason == "duplicate":
                    assert said.of == self.moment.front[entry.buyer]

    def _count_outcomes(self) -> None:
        for request, entry in self.sale.entries.items():
            said = self.standing.outcome(self.sale.region_of[request], entry.seq, request, entry.buyer)
            if said is not None and request != UNLOGGED and said.state == "lost":
                self.reached[f"lost: {said.reason}"] += 1


def meaning(said: Outcome) -> int:
    """What a buyer is told, as the proofs call it."""
    return TOLD.get(said.reason or said.state, LOST)


def run(max_examples: int, phases: Sequence[Phase] = tuple(Phase)) -> None:
    """Run the machine, up to the first failure.

    Raises:
        AssertionError: fold and protocol differ somewhere.
    """
    Arbiter.reached.clear()
    Arbiter.steps_taken.clear()
    how = settings(stateful_step_count=40, max_examples=max_examples, phases=phases, report_multiple_bugs=False)
    run_state_machine_as_test(Arbiter, settings=how)


def test_fold_and_protocol_do_the_same_steps() -> None:
    run(max_examples=many(100))
    print("states reached:", ", ".join(f"{state} {number}" for state, number in sorted(Arbiter.reached.items())))
    print("steps taken:", ", ".join(f"{step} {number}" for step, number in sorted(Arbiter.steps_taken.items())))
    missing = STATES - {state for state, number in Arbiter.reached.items() if number}
    missing |= protocol.STEPS.keys() - Arbiter.steps_taken.keys()
    if missing:
        pytest.fail(f"never reached: {', '.join(sorted(missing))}")
