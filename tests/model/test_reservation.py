"""Reservations: a confirmation counts, or the hold is over, and never both; no unit is ever with two people.

Thousands of replies come here at the very edge, by clocks that are off, in simulated true time. What holds there:

- a confirmation that counts truly came before the hold was over; one that truly came more than 2ε before that, and is
  read, counts;
- the unit is given to somebody else only at a true time later than until + grace − ε, which is later than until + ε.

So at no true time could two people confirm the same unit.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from model import wire
from model.folds import new_fold
from model.lottery import ticket
from model.replay import Replay
from model.replies import reply_line
from model.reservation import ReservationFold
from model.vocabulary import (
    Cancelled,
    Closed,
    Complete,
    Confirmed,
    Contradiction,
    CutOff,
    Decision,
    Entry,
    Expired,
    Held,
    Listed,
    ListFull,
    Outcome,
    Released,
    Reply,
    Seen,
    SoldOut,
)
from tests.reservation_stories import (
    Performance,
    Plan,
    Story,
    a_full_reservation,
    each_unit_is_with_one,
    line_of,
    races,
    stories,
    terms,
)
from tests.search import many
from tests.stories import OPENS_NS, SEED, entry

SAID = Reply(2, "confirm", "north.0001", OPENS_NS + 110, 3, "h/1", 0)
"""By a clock that is not sure enough."""
ANY = st.one_of(stories(), st.integers(0, 10**6).map(races))


def check(done: Performance) -> Counter[str]:
    """Everything that is true of every run. Returns what was reached."""
    reached = each_unit_is_with_one(done.story.terms, done.decisions)
    reached += confirming_and_expiring_exclude_each_other_in_true_time(done)
    outcomes_are_for_good(done)
    return reached


def confirming_and_expiring_exclude_each_other_in_true_time(done: Performance) -> Counter[str]:
    reached: Counter[str] = Counter()
    stated = done.story.terms
    skew_ns = stated.skew_bound_ns
    until_ns: dict[str, int] = {}
    decided: dict[str, str] = {}
    now_ns, cut_off = 0, set[str]()
    for index, decision in enumerate(done.decisions):
        now_ns = done.looked_at_ns.get(index, now_ns)
        match decision:
            case Held(request, _, _, _, at_ns):
                until_ns[request] = at_ns
                assert now_ns + stated.hold_ns <= at_ns <= now_ns + skew_ns + stated.hold_ns
            case CutOff(region):
                cut_off.add(region)
            case Confirmed(request):
                decided[request] = "confirm"
                assert done.true_reply_ns[request, "confirm"] < until_ns[request]
            case Released(request):
                decided[request] = "release"
            case Expired(request):
                decided[request] = "nothing"
                is_heard = len(cut_off) < len(stated.regions)
                assert not is_heard or now_ns > until_ns[request] + stated.intake_grace_ns - skew_ns
                reached["expired although confirmed too late"] += (request, "confirm") in done.true_reply_ns
            case _:
                pass
    for region, log in done.logs.items():
        first: dict[str, Reply] = {}
        for record in log[: done.standing.counted.get(region, 0)]:
            if not isinstance(record, Reply):
                continue
            early_ns = until_ns[record.purchase] - done.true_reply_ns[record.purchase, record.says]
            reached["at the edge"] += -1 <= early_ns <= 2 * skew_ns + 1
            said_first = first.setdefault(record.purchase, record)
            if said_first is record and record.says == "confirm" and early_ns > 2 * skew_ns and not ended(done):
                assert decided[record.purchase] == "confirm", "certainly in time, and read"
    return reached


def ended(done: Performance) -> bool:
    """Whether somebody stopped the sale."""
    return done.standing.cancelled is not None or done.standing.halted is not None


def outcomes_are_for_good(done: Performance) -> None:
    """What is told after each record stays true; a confirmation that was acknowledged is not lost, whatever follows."""
    again = Performance(done.story, 0)
    entries = done.entries()
    told: dict[str, Outcome] = {}
    for decision, buyer in zip(done.decisions, done.buyers, strict=True):
        again.standing.apply(decision, buyer)
        for region, logged in entries:
            outcome = again.standing.outcome_of(region, logged)
            assert told.get(logged.request, outcome) == outcome
            if outcome is not None:
                told[logged.request] = outcome
    assert told.keys() == {logged.request for _, logged in entries}, "everybody is told in the end"
    confirmed = {decision.request for decision in done.decisions if isinstance(decision, Confirmed)}
    assert {request for request, outcome in told.items() if outcome.state == "won"} == confirmed


@given(ANY, st.integers(0, 2**32))
def test_everything_that_is_true_of_every_run(story: Story, delivery: int) -> None:
    for what, times in check(Performance(story, delivery).run()).items():
        if times:
            event(what)


def test_the_same_of_thousands_of_races_at_the_edge() -> None:
    reached: Counter[str] = Counter()
    for seed in range(many(800)):
        reached += check(Performance(races(seed), seed).run())
    print(", ".join(f"{what} {times}" for what, times in sorted(reached.items())))
    assert reached["at the edge"] > many(1_000)
    assert min(reached[kind] for kind in ("Confirmed", "Expired", "Released", "promoted", "SoldOut", "ListFull")) > 0
    assert reached["expired although confirmed too late"] > many(100)


@given(ANY, st.integers(0, 2**32), st.data())
def test_a_restart_anywhere_goes_on_with_the_same_decisions(story: Story, delivery: int, data: st.DataObject) -> None:
    done = Performance(story, delivery).run()
    lines = done.lines
    whole = Replay(story.terms, SEED, lambda name, first, last: lines[name][first - 1 : last])
    for decision in done.decisions:
        whole.apply(decision)
    assert whole.finish().over
    looks = [index for index, decision in enumerate(done.decisions) if isinstance(decision, Seen)]
    at = data.draw(st.sampled_from(looks))
    part = Replay(story.terms, SEED, lambda name, first, last: lines[name][first - 1 : last])
    for decision in done.decisions[:at]:
        part.apply(decision)
    fold = part.finish()
    assert isinstance(fold, ReservationFold)
    seen = done.decisions[at]
    assert isinstance(seen, Seen)
    for region in fold.regions:
        begun = fold.delivered(region).seq
        for line in lines[region][begun : seen.regions[region].seq]:
            fold.deliver_all(region, [line])
    follows = done.decisions[at + 1 :]
    until = next((n for n, record in enumerate(follows) if comes_from_the_world(record)), len(follows))
    assert fold.see(seen) == follows[:until]


def comes_from_the_world(record: Decision) -> bool:
    return isinstance(record, Seen | CutOff | Cancelled | Closed) or type(record).__name__ == "Halted"


@given(st.integers(0, 10**6), st.integers(0, 2**32))
def test_the_list_is_in_the_order_of_the_window_lottery(seed: int, delivery: int) -> None:
    done = Performance(races(seed), delivery).run()
    drawn = [decision for decision in done.decisions if isinstance(decision, Held | Listed)]
    by_rank = {decision.rank: decision.request for decision in drawn}
    served = read_slowly(done)
    assert list(by_rank) == sorted(by_rank)
    assert list(by_rank.values()) == served[: len(by_rank)]
    if done.standing.sold_out_at is None:
        assert len(by_rank) == min(len(served), done.story.terms.places)


def read_slowly(done: Performance) -> list[str]:
    """The rule, as design.md says it."""
    stated = done.story.terms
    least: dict[str, Entry] = {}
    for _, logged in done.entries():
        known = least.get(logged.buyer)
        if known is None or (logged.stamp_ns, logged.request) < (known.stamp_ns, known.request):
            least[logged.buyer] = logged
    waiting = [(max(logged.stamp_ns, stated.opens_ns), logged) for logged in least.values()]
    served = []
    while waiting:
        earliest_ns = min(place_ns for place_ns, _ in waiting)
        pot = [one for one in waiting if one[0] <= earliest_ns + stated.tie_window_ns]
        first = min(pot, key=lambda one: (ticket(SEED, stated.sale(), one[1].buyer), one[1].request))
        waiting.remove(first)
        served.append(first[1].request)
    return served


@given(st.integers(1, 12), st.integers(0, 2**32), st.data())
def test_when_everybody_else_lets_go_the_last_in_line_gets_the_unit(
    others: int, delivery: int, data: st.DataObject
) -> None:
    lets_go = st.sampled_from([(), (("release", -9, 1, 0),), (("confirm", 0, 0, 0),), (("confirm", -2, 0, 0),)])
    plans = [Plan(f"b{n}", "north", 3 * n, says=data.draw(lets_go)) for n in range(others)]
    last = Plan("last", "south", 3 * others + 20, says=(("confirm", -9, -2, 1),))
    story = Story(terms(stock=1, lasts=80, waiting_list=others), (*plans, last))
    done = Performance(story, delivery).run()
    assert check(done)["Held"] == others + 1
    winner = next(
        logged.buyer for _, logged in done.entries() if done.standing.outcome_of("south", logged).state == "won"
    )  # type: ignore[union-attr]
    assert winner == "last"
    assert done.standing.closed == "sold_out"


def test_a_full_reservation_has_something_for_every_check() -> None:
    for delivery in range(5):
        done = a_full_reservation(delivery=delivery)
        kinds = {type(decision) for decision in done.decisions}
        assert kinds == {Seen, Held, Listed, ListFull, Confirmed, Released, Expired, CutOff, SoldOut, Closed}
        buyers = {logged.request: logged.buyer for _, logged in done.entries()}
        told = [(buyers[one.request], one.state, one.reason) for one in done.outcomes() if one is not None]
        assert sorted(told, key=str) == [
            ("ann", "lost", "duplicate"),
            ("ann", "won", None),
            ("bob", "lost", "released"),
            ("eve", "lost", "list_full"),
            ("joe", "lost", "expired"),
            ("kim", "lost", "expired"),
            ("zoe", "won", None),
        ]
        check(done)


# By hand: one unit, ε = 2, held until 30 ns after the look at which it is given out.


def scene(**about: int) -> ReservationFold:
    """Ann holds the unit until 130 ns after the opening; bob waits."""
    fold = new_fold(terms(stock=1, skew=2, slack=0, hold=30, **about), SEED)  # type: ignore[arg-type]
    assert isinstance(fold, ReservationFold)
    fold.deliver("north", wire.log_line(entry("north", 1, 3, "ann")))
    fold.deliver("south", wire.log_line(entry("south", 1, 12, "bob")))
    follows = look(fold, 100, north=90, south=90)
    assert follows[0] == Held("north.0001", "north", 0, 0, OPENS_NS + 130)
    return fold


def look(fold: ReservationFold, at: int, **marks: int) -> list[Decision]:
    """A look that ends `at` ns after the opening."""
    return fold.see(fold.look({name: OPENS_NS + mark for name, mark in marks.items()}, OPENS_NS, OPENS_NS + at))


def says(fold: ReservationFold, seq: int, what: str, stamp: int, purchase: str = "north.0001") -> None:
    reply = Reply(seq, what, purchase, OPENS_NS + stamp, 0, "north-host/1", 0)  # type: ignore[arg-type]
    fold.deliver(purchase.partition(".")[0], reply_line(reply))


def test_a_confirmation_counts_until_it_could_have_come_too_late() -> None:
    fold = scene()
    says(fold, 2, "confirm", 127)
    assert look(fold, 128) == [Confirmed("north.0001"), SoldOut()]
    fold = scene()
    says(fold, 2, "confirm", 128)
    assert look(fold, 129, north=128, south=130) == []
    assert look(fold, 140, north=130, south=131) == [], "a stamp at the very end may still follow"
    assert look(fold, 140, north=131) == [Expired("north.0001"), Held("south.0001", "south", 1, 0, OPENS_NS + 170)]


def test_what_was_said_first_stands() -> None:
    fold = scene()
    says(fold, 2, "release", 110)
    says(fold, 3, "confirm", 111)
    assert look(fold, 112)[0] == Released("north.0001")
    fold = scene()
    says(fold, 2, "confirm", 110)
    says(fold, 3, "release", 111)
    assert look(fold, 112) == [Confirmed("north.0001"), SoldOut()]


def test_a_reply_counts_at_the_look_that_has_read_it_whatever_the_marks() -> None:
    fold = scene()
    says(fold, 2, "release", 129)
    assert look(fold, 500, north=131, south=131) == [
        Released("north.0001"),
        Held("south.0001", "south", 1, 0, OPENS_NS + 530),
    ]


def test_a_sale_nobody_confirms_in_is_complete_once_nobody_holds_anything() -> None:
    fold = scene(waiting_list=1)
    assert fold.waiting == 2
    assert look(fold, 200, north=131, south=131)[0] == Expired("north.0001")
    assert fold.wanted_ns() == OPENS_NS + 230
    assert look(fold, 300, north=231, south=231) == [Expired("south.0001"), Complete()]
    assert fold.close() == Closed("time")


def test_marks_matter_when_a_hold_ends_and_not_before() -> None:
    fold = scene(waiting_list=1)
    assert fold.wanted_ns() == OPENS_NS + 130
    says(fold, 2, "confirm", 110)
    look(fold, 111)
    assert fold.is_decided


def test_a_region_that_is_cut_off_takes_its_holders_with_it() -> None:
    fold = scene()
    look(fold, 140, south=131)
    record, follows = fold.cut_off("north")
    assert record.region == "north"
    assert follows == [Expired("north.0001"), Held("south.0001", "south", 1, 0, OPENS_NS + 170)]


@pytest.mark.parametrize(
    ("breaks", "rule"),
    [
        (lambda fold: says(fold, 2, "confirm", 110, "north.0009"), "logged there before"),
        (lambda fold: says(fold, 3, "confirm", 110), "no gap"),
        (lambda fold: says(fold, 2, "confirm", 89), "below its mark"),
        (lambda fold: [says(fold, seq, "confirm", 110) for seq in (2, 3)], "confirmed once"),
        (lambda fold: fold.deliver("north", reply_line(SAID)), "ε"),
        (lambda fold: fold.deliver("south", reply_line(replace(SAID, bound_ns=1))), "logged there before"),
        (lambda fold: fold.deliver("north", b'{"type":"stocked"}'), "well formed"),
    ],
)  # fmt: skip
def test_a_log_that_cannot_be_true_is_a_contradiction(breaks: Callable[[ReservationFold], object], rule: str) -> None:
    with pytest.raises(Contradiction, match=rule):
        breaks(scene())


def test_a_purchase_is_logged_once_also_after_it_was_drawn() -> None:
    fold = new_fold(terms(), SEED)
    fold.deliver_all("north", [line_of(entry("north", 1, 3, "ann", name="a"))])
    with pytest.raises(Contradiction, match="logged once"):
        fold.deliver_all("north", [line_of(entry("north", 2, 9, "eve", name="a"))])


def test_who_only_waits_may_say_something_and_nothing_comes_of_it() -> None:
    """Gateways refuse that; a region that logs it harms nobody."""
    fold = scene()
    says(fold, 2, "confirm", 110, "south.0001")
    assert look(fold, 111) == []
    assert look(fold, 140, north=131, south=131)[1] == Held("south.0001", "south", 1, 0, OPENS_NS + 170)
