"""The fold: the same decisions however the logs are delivered, a contradiction for what cannot be true."""

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from model import wire
from model.arbiter import Fold
from model.vocabulary import Cancelled, Closed, Contradiction, Entry, Seen, SoldOut, Won
from tests.stories import OPENS_NS, SEED, Performance, Story, entry, stories, terms


@given(stories(endings=("close",)), st.integers(0, 2**32), st.integers(0, 2**32))
def test_final_is_final_whatever_the_delivery(story: Story, one: int, other: int) -> None:
    first, second = Performance(story, one).run(), Performance(story, other).run()
    assert what_follows(first) == what_follows(second)
    assert first.fold.winners == second.fold.winners
    assert first.outcomes() == second.outcomes()
    for kind in {type(decision).__name__ for decision in first.decisions}:
        event(kind)
    event(f"ends {first.standing.closed}")


@given(stories(endings=("cancel", "halt")), st.integers(0, 2**32), st.integers(0, 2**32))
def test_an_early_end_only_shortens_what_would_have_been_decided(story: Story, one: int, other: int) -> None:
    short, whole = (
        Performance(story, one).run(),
        Performance(Story(story.terms, story.logs, story.cut_offs), other).run(),
    )
    won = [decision for decision in short.decisions if isinstance(decision, Won)]
    assert won == [decision for decision in whole.decisions if isinstance(decision, Won)][: len(won)]


def what_follows(performance: Performance) -> list:
    return [decision for decision in performance.decisions if isinstance(decision, Won | SoldOut | Closed)]


def fold(**about) -> Fold:
    return Fold(terms(**about), SEED)


def deliver(sale: Fold, *entries: Entry) -> None:
    for one in entries:
        sale.deliver(one.request.partition(".")[0], wire.log_line(one))


def see(sale: Fold, **marks: int):
    return sale.see(sale.look({name: OPENS_NS + mark for name, mark in marks.items()}, 0, 0))


def test_a_winner_is_decided_as_soon_as_nobody_can_join_the_pot() -> None:
    sale = fold(skew=2, slack=0)
    deliver(sale, entry("north", 1, 3, "ann"))
    assert sale.wanted_ns() == OPENS_NS + 7
    assert see(sale, north=8, south=7) == []
    assert see(sale, south=8) == [Won("north.0001", "north", 0, 0)]
    assert sale.waiting == 0


def test_the_last_unit_sells_the_sale_out_and_reading_to_the_end_closes_it() -> None:
    sale = fold(stock=1)
    deliver(sale, entry("north", 1, 3, "ann"), entry("south", 1, 30, "bob"))
    assert see(sale, north=20, south=20) == [Won("north.0001", "north", 0, 0), SoldOut()]
    assert (sale.is_decided, sale.over, sale.waiting) == (True, False, 0)
    assert see(sale, north=50, south=50) == []
    assert sale.close() == Closed("sold_out")


def test_the_stock_may_end_with_the_last_buyer() -> None:
    sale = fold(stock=2)
    deliver(sale, entry("north", 1, 3, "ann"), entry("south", 1, 30, "bob"))
    decisions = see(sale, north=43, south=43)
    assert [type(decision) for decision in decisions] == [Won, Won, SoldOut]


def test_a_lesser_entry_of_the_same_buyer_takes_its_turn() -> None:
    sale = fold(stock=2)
    deliver(sale, entry("north", 1, 20, "ann"), entry("south", 1, 12, "bob"), entry("south", 2, 4, "ann"))
    assert [won.request for won in see(sale, north=43, south=43)[:2]] == ["south.0002", "south.0001"]


def test_all_who_entered_before_opening_share_one_place() -> None:
    chances = set()
    for number in range(40):
        sale = fold(stock=1, lobby=30, slack=0)
        deliver(sale, entry("north", 1, -30, f"early{number}"), entry("north", 2, 0, f"prompt{number}"))
        chances.add(see(sale, north=20, south=20)[0].request)
    assert chances == {"north.0001", "north.0002"}


def test_with_every_region_cut_off_what_counts_is_decided() -> None:
    sale = fold(stock=5)
    deliver(sale, entry("north", 1, 3, "ann"))
    see(sale)
    assert sale.cut_off("south")[1] == []
    assert sale.cut_off("north")[1] == [Won("north.0001", "north", 0, 0), Closed("time")]


def test_a_cancelled_sale_decides_nothing_more() -> None:
    sale = fold()
    deliver(sale, entry("north", 1, 3, "ann"))
    assert sale.cancel("wrong price") == Cancelled("wrong price")
    assert see(sale, north=43, south=43) == []
    assert sale.close() == Closed("cancelled")


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (entry("north", 3, 12, "b"), "log numbers have no gap"),
        (entry("north", 1, 12, "b"), "log numbers have no gap"),
        (entry("north", 2, 9, "b"), "no stamp is below its mark"),
        (entry("north", 2, 12, "b", bound=3), "bound is at most ε"),
        (entry("north", 2, 43, "b"), "certainly late"),
        (entry("south", 2, 12, "b"), "named after its region"),
        (entry("north.east", 2, 12, "b"), "named after its region"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_entry_that_cannot_be_true_is_a_contradiction(line: Entry, rule: str) -> None:
    sale = fold(skew=2)
    deliver(sale, entry("north", 1, 5, "a"))
    see(sale, north=10)
    before = sale.delivered("north")
    with pytest.raises(Contradiction, match=rule) as raised:
        sale.deliver("north", wire.log_line(line))
    assert raised.value.region == "north"
    assert sale.delivered("north") == before


def test_what_the_clocks_leave_open_is_let_in() -> None:
    sale = fold(skew=2, lobby=10)
    deliver(sale, entry("north", 1, -12, "a", bound=2), entry("north", 2, 42, "b", bound=2))
    with pytest.raises(Contradiction, match="certainly early"):
        deliver(sale, entry("north", 3, -13, "c"))


def test_a_malformed_line_is_a_contradiction() -> None:
    with pytest.raises(Contradiction, match="line 1 of its log is well formed"):
        fold().deliver("north", b"{}")


def alter(seen: Seen, **fields) -> Seen:
    region = {
        "seq": seen.regions["north"].seq,
        "head": seen.regions["north"].head,
        "mark_ns": seen.regions["north"].mark_ns,
    }
    return Seen({**seen.regions, "north": type(seen.regions["north"])(**{**region, **fields})}, seen.earliest_ns, 9)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"seq": 2}, "as the arbiter saw it"),
        ({"seq": 0, "head": wire.FIRST_HEAD}, "as the arbiter saw it"),
        ({"head": "11" * 32}, "as the arbiter saw it"),
        ({"mark_ns": OPENS_NS + 3}, "only moves forward"),
    ],
)
def test_a_seen_record_that_is_not_what_was_delivered_is_a_contradiction(fields, rule: str) -> None:
    sale = fold()
    deliver(sale, entry("north", 1, 5, "a"))
    see(sale, north=4)
    with pytest.raises(Contradiction, match=rule):
        sale.see(alter(sale.look({}, 0, 0), **fields))


def test_a_seen_record_names_every_region_still_in_the_sale_and_a_real_interval() -> None:
    sale = fold()
    seen = sale.look({}, 0, 0)
    with pytest.raises(Contradiction, match="names every region"):
        sale.see(Seen({"north": seen.regions["north"]}, 0, 0))
    with pytest.raises(Contradiction, match="not empty"):
        sale.see(Seen(seen.regions, 1, 0))
    see(sale)
    sale.cut_off("south")
    with pytest.raises(Contradiction, match="names every region"):
        sale.see(seen)


def test_nothing_follows_the_end_and_nothing_ends_without_a_reason() -> None:
    sale = fold()
    with pytest.raises(Contradiction, match="only when sold out or cancelled"):
        sale.close()
    with pytest.raises(Contradiction, match="was in the sale"):
        sale.cut_off("mars")
    sale.halt("south: log numbers have no gap")
    for late in (
        sale.close,
        lambda: sale.cancel("x"),
        lambda: sale.cut_off("north"),
        lambda: see(sale),
        lambda: sale.halt("x"),
    ):
        with pytest.raises(Contradiction):
            late()


@pytest.mark.parametrize("buyer", ["ann", "bob"])
def test_a_request_that_is_logged_twice_is_a_contradiction(buyer: str) -> None:
    sale = fold()
    deliver(sale, entry("north", 1, 3, "ann", name="x"))
    with pytest.raises(Contradiction, match="every request is logged once"):
        deliver(sale, entry("north", 2, 4, buyer, name="x"))


def test_a_region_is_cut_off_only_where_it_was_last_seen() -> None:
    sale = fold()
    deliver(sale, entry("north", 1, 3, "ann"))
    with pytest.raises(Contradiction, match="where it was last seen"):
        sale.cut_off("north")
    see(sale)
    assert sale.cut_off("north")[0].seq == 1
