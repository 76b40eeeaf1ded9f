"""The machines beside this file have teeth: with the running code wrong, and the proofs as they are, they fail.

A wrong guard in `model/guards.py` is the proofs' affair, which read it (`tests/proofs/test_mutants.py`). Here guards
stay right and are used wrongly, or the heaps and dictionaries around them forget something: what no proof can see.
"""

# ruff: noqa: ARG005  (a wrong guard ignores what the right one looks at)

from collections.abc import Callable
from heapq import heappop
from typing import Any

import pytest
from hypothesis import Phase

from model import arbiter, deliveries, guards, lottery
from tests.refinement import test_arbiter_machine as arbiter_machine
from tests.refinement import test_lottery_machine as lottery_machine

Change = Callable[[pytest.MonkeyPatch], None]

FOUND = (AssertionError, pytest.fail.Exception, KeyError, IndexError)
"""A machine says that two readings differ, that something was not refused, or the wrong code falls over itself."""


class WrongGuards:
    """The guards, as the fold alone sees them, with some replaced."""

    def __init__(self, **wrong: Callable[..., Any]) -> None:
        self._wrong = wrong

    def __getattr__(self, name: str) -> Any:
        return self._wrong.get(name) or getattr(guards, name)


def guarded(**wrong: Callable[..., Any]) -> Change:
    def change(patch: pytest.MonkeyPatch) -> None:
        for room in (arbiter, deliveries):
            patch.setattr(room, "guards", WrongGuards(**wrong))

    return change


def changed(owner: object, name: str, wrong: Any) -> Change:
    return lambda patch: patch.setattr(owner, name, wrong)


def serves_whoever_was_offered_first(self: Any) -> int:
    return lottery.number_in(heappop(self._pot))


def waits_beside_a_lesser_one(self: Any, request: str, buyer: str, stamp_ns: int) -> None:
    """A buyer's lesser entry is offered, and the greater one is not withdrawn."""
    if buyer not in self.winners:
        known = self._waiting.get(buyer)
        self._buyers[request] = buyer
        self._stamps_ns.append(stamp_ns)
        slot = self._lottery.offer(guards.place_ns(stamp_ns, self.terms.opens_ns), request)
        if known is None or (stamp_ns, request) < (
            self._stamps_ns[lottery.number_in(known)],
            self._lottery.name(known),
        ):
            self._waiting[buyer] = slot


def draws_once(self: Any) -> Any:
    """Of several draws that are due, only the first is made."""
    for decision in _consequences(self):
        yield decision
        return


_consequences = arbiter.Fold._consequences

LOTTERY: dict[str, Change] = {
    "the pot ends before W": changed(lottery, "in_pot", lambda a, e, w: a < e + w),
    "the pot ends after W": changed(lottery, "in_pot", lambda a, e, w: a <= e + w + 1),
    "drawn at the frontier": changed(lottery, "pot_is_complete", lambda e, w, f, last: (e + w <= f) | (last < f)),
    "the last pot never ends": changed(lottery, "pot_is_complete", lambda e, w, f, last: e + w < f),
    "a twin goes by its position": changed(lottery.WindowLottery, "_take", serves_whoever_was_offered_first),
    "nobody is withdrawn": changed(lottery.WindowLottery, "withdraw", lambda self, slot: None),
}
ARBITER: dict[str, Change] = {
    "the greater entry waits": guarded(is_lesser_entry=lambda a, m, b, n: not guards.is_lesser_entry(a, m, b, n)),
    "equal stamps never replace": guarded(is_lesser_entry=lambda a, m, b, n: a < b),
    "the lobby is a race": guarded(place_ns=lambda stamp, opens: stamp),
    "one unit too many": guarded(in_stock=lambda sold, stock: sold <= stock),
    "a stamp below the mark": guarded(may_follow=lambda stamp, mark: mark - 1 <= stamp),
    "a mark that falls": guarded(mark_may_rise=lambda old, new: True),
    "closed before all are heard": guarded(everyone_is_heard=lambda f, last: last <= f),
    "a gap in a log": guarded(follows_in_log=lambda seq, last: seq > last),
    "a bound above ε": guarded(bound_holds=lambda bound, skew: bound <= skew + 1),
    "a stamp too late": guarded(certainly_late=lambda stamp, skew, closes: closes < stamp - skew - 1),
    "both entries of a buyer wait": changed(arbiter.Fold, "_wait", waits_beside_a_lesser_one),
    "one draw a look": changed(arbiter.Fold, "_consequences", draws_once),
    "the greatest mark counts": changed(
        arbiter.Fold,
        "frontier_ns",
        property(lambda self: max((r.mark_ns for r in self._regions.values()), default=self.terms.last_stamp_ns + 1)),
    ),
    "without a region nothing is decided": changed(
        arbiter.Fold,
        "frontier_ns",
        property(lambda self: min((region.mark_ns for region in self._regions.values()), default=0)),
    ),
}


@pytest.mark.parametrize("change", LOTTERY.values(), ids=LOTTERY)
def test_a_wrong_lottery_is_found(monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    change(monkeypatch)
    with pytest.raises(FOUND):
        lottery_machine.run(max_examples=300, phases=[Phase.generate])


@pytest.mark.parametrize("change", ARBITER.values(), ids=ARBITER)
def test_a_wrong_fold_is_found(monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    change(monkeypatch)
    with pytest.raises(FOUND):
        arbiter_machine.run(max_examples=300, phases=[Phase.generate])
