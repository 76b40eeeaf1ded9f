"""Auctions: decided as an independent reading of the rules says, however bids come; and what that reading promises."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from model.auction import AuctionFold
from model.columns import read_ids
from model.deliveries import Deliveries
from model.folds import new_fold
from model.replay import ReplayError
from model.stated import LARGEST_PRICE, TermsError
from model.terms import read_terms
from model.vocabulary import (
    Cancelled,
    Closed,
    Complete,
    Contradiction,
    Decision,
    Entry,
    Halted,
    Outcome,
    Seen,
    Won,
)
from model.wire import decision_line, log_line, outcome_line, parse_decision_line, parse_log_line
from tests.auction_stories import Bidding, Result, an_auction, auction_terms, auctions, bid, perform, read_again, told
from tests.search import many
from tests.stories import LOOKED_NS, SEED, Story, entry, terms

CLOSING = ("close",)


def won(decisions: list[Decision]) -> list[tuple[str, int]]:
    return [(each.request, each.price or 0) for each in decisions if isinstance(each, Won)]


def cut_off_afterwards(story: Story) -> Story:
    """A story with the cut-offs that matter: who falls silent after the last bid may never be missed."""
    return replace(story, cut_offs={name: seq for name, seq in story.cut_offs.items() if seq < len(story.logs[name])})


@settings(max_examples=many(150))
@given(auctions(endings=CLOSING), st.integers(0, 2**32))
def test_an_auction_is_decided_as_its_rules_say(story: Story, delivery: int) -> None:
    bidding, again = perform(story, delivery), read_again(story)
    assert won(bidding.decisions) == again.won
    outcomes = bidding.outcomes()
    assert None not in outcomes
    assert told(outcomes) == again.outcomes
    prices = {each.price for log in story.logs.values() for each in log}
    event("all prices equal" if len(prices) == 1 else "several prices" if prices else "no bid")
    event("a buyer with several bids" if _has_several(story) else "one bid each")
    event("a region was cut off" if cut_off_afterwards(story).cut_offs else "every bid counts")


def _has_several(story: Story) -> bool:
    buyers = [each.buyer for log in story.logs.values() for each in log]
    return len(set(buyers)) < len(buyers)


@given(auctions(), st.lists(st.integers(0, 2**32), min_size=2, max_size=3))
def test_final_is_final(story: Story, deliveries: list[int]) -> None:
    """Bids come in any pieces and order, the arbiter looks whenever it likes: what is decided is the same."""
    results = {tuple(won(bidding.decisions)) for bidding in (perform(story, delivery) for delivery in deliveries)}
    assert results <= {(), tuple(read_again(story).won)}
    assert story.ending != "close" or len(results) == 1


@given(auctions(), st.integers(0, 2**32))
def test_nothing_is_told_before_the_end_and_what_is_told_stays(story: Story, delivery: int) -> None:
    bidding = Bidding(story, delivery)
    known: dict[str, Outcome] = {}
    for decision in bidding.steps():
        is_open = not any(isinstance(each, Won | Cancelled | Halted | Closed) for each in bidding.decisions)
        for (_, logged), outcome in zip(bidding.entries(), bidding.outcomes(), strict=True):
            if outcome is None:
                assert logged.request not in known
                continue
            assert known.setdefault(logged.request, outcome) == outcome
            assert not is_open or outcome.reason == "cut_off", decision
    assert isinstance(bidding.decisions[-1], Closed | Halted)


@settings(max_examples=many(40))
@given(auctions(endings=CLOSING), st.integers(0, 2**32), st.data())
def test_an_arbiter_that_is_killed_goes_on_to_the_same_end(story: Story, delivery: int, data: st.DataObject) -> None:
    whole = perform(story, delivery).decisions
    kept = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        again = Bidding.resumed(story, kept, delivery + 1)
    except ReplayError:
        assume(False)
    assert won(again.run().decisions) == won(whole)


@settings(max_examples=many(30))
@given(auctions(endings=CLOSING), st.data())
def test_lines_at_once_are_lines_one_by_one(story: Story, data: st.DataObject) -> None:
    one_by_one, at_once = AuctionFold(story.terms, SEED), AuctionFold(story.terms, SEED)
    for region, lines in story.lines.items():
        for line in lines:
            one_by_one.deliver(region, line)
        cut = data.draw(st.integers(0, len(lines)))
        at_once.deliver_all(region, lines[:cut])
        at_once.deliver_all(region, lines[cut:])
    assert all_heard(one_by_one) == all_heard(at_once)


def all_heard(fold: Deliveries) -> list[Decision]:
    last_ns = fold.terms.last_stamp_ns
    return fold.see(fold.look(dict.fromkeys(fold.regions, last_ns + 1), *LOOKED_NS))


@given(auctions(endings=CLOSING))
def test_what_is_promised_of_prices(story: Story) -> None:
    """No losing bid is higher than a winning one; nobody pays more than they bid, nor less than the reserve; a uniform
    price is one at which nobody who lost would have bought, and nobody who won would not."""
    result, stated = read_again(story), story.terms
    price_of = {each.request: each.price or 0 for log in story.logs.values() for each in log}
    lost = [price_of[name] for name, outcome in result.outcomes.items() if outcome.get("reason") == "outbid"]
    least_won = min((price_of[name] for name, _ in result.won), default=0)
    assert not lost or least_won >= max(lost)
    assert all(stated.reserve_price <= pays <= price_of[name] for name, pays in result.won)
    assert len(result.won) == stated.stock or not lost
    if stated.pricing == "uniform" and result.won:
        (price,) = {pays for _, pays in result.won}
        assert max([*lost, stated.reserve_price]) == price <= least_won


@settings(max_examples=many(80))
@given(auctions(endings=CLOSING), st.data())
def test_raising_a_bid_never_hurts(story: Story, data: st.DataObject) -> None:
    """Who wins goes on winning, at the same uniform price; who loses may win."""
    logged = [each for log in story.logs.values() for each in log]
    assume(logged)
    chosen = data.draw(st.sampled_from(logged))
    by = data.draw(st.integers(1, 40))
    raised = replace(chosen, price=(chosen.price or 0) + by)
    logs = {name: [raised if each == chosen else each for each in log] for name, log in story.logs.items()}
    before, after = perform(story), perform(replace(story, logs=logs))
    buyer = chosen.buyer
    was, now = before.fold.winners.get(buyer), after.fold.winners.get(buyer)
    assert was is None or now is not None
    if was is not None and story.terms.pricing == "uniform":
        assert dict(won(after.decisions))[now or ""] == dict(won(before.decisions))[was]
    event(f"{'won' if was else 'lost'}, then {'won' if now else 'lost'}")


def test_the_whole_story() -> None:
    """Ann's last word is not her best, joe, kim and zoe bid the same, lee's bid is beyond the cut-off."""
    bidding = an_auction()
    assert [each for each in bidding.decisions if not isinstance(each, Seen)][-1] == Closed("time")
    first, second, third = won(bidding.decisions)
    assert first == ("north.0002", 600)
    assert second == ("south.0002", 600), "ann bid 500, 650 and 600"
    assert third == ("south.0001", 600), "joe came certainly before kim and zoe, at the same price"
    outcomes = told(bidding.outcomes())
    assert outcomes["north.0001"] == {"state": "lost", "reason": "duplicate", "of": "south.0002"}
    assert outcomes["west.0002"] == {"state": "lost", "reason": "cut_off"}
    assert outcomes["south.0004"] == {"state": "lost", "reason": "outbid"}
    assert won(an_auction(pricing="first_price").decisions) == [
        ("north.0002", 700), ("south.0002", 650), ("south.0001", 600)
    ]  # fmt: skip


def decided(stock: int, *bids: tuple[str, int, int], **more: Any) -> Result:
    """An auction in one region: (buyer, price, when)."""
    stated = auction_terms(stock=stock, regions=("north",), **more)
    logs = {"north": [bid("north", seq, at, buyer, price) for seq, (buyer, price, at) in enumerate(bids, start=1)]}
    story = Story(stated, logs)
    bidding = perform(story)
    assert won(bidding.decisions) == read_again(story).won
    return read_again(story)


@pytest.mark.parametrize("pricing", ["first_price", "uniform"])
def test_an_auction_without_bids_sells_nothing(pricing: str) -> None:
    assert decided(3, pricing=pricing).won == []


def test_a_uniform_price_is_the_reserve_where_nobody_loses() -> None:
    assert decided(3, ("ann", 700, 1), ("bob", 500, 2), pricing="uniform", reserve_price=400).won == [
        ("north.0001", 400), ("north.0002", 400)
    ]  # fmt: skip


def test_another_bid_of_a_winner_is_no_losing_bid() -> None:
    """Ann's own 690 must not set the price that ann pays."""
    result = decided(1, ("ann", 690, 1), ("ann", 700, 2), ("bob", 500, 3), pricing="uniform")
    assert result.won == [("north.0002", 500)]


def test_of_equal_bids_of_a_buyer_the_earliest_counts() -> None:
    """Logged in two regions: the stamp says which, not who was read first."""
    stated = auction_terms(stock=1)
    early, late = bid("south", 1, 5, "ann", 600), bid("north", 1, 30, "ann", 600)
    assert read_again(Story(stated, {"north": [late], "south": [early]})).won == [("south.0001", 600)]
    assert won(perform(Story(stated, {"north": [late], "south": [early]})).decisions) == [("south.0001", 600)]


def test_a_later_bid_at_a_higher_price_goes_before_an_earlier_one() -> None:
    assert decided(1, ("ann", 600, 0), ("bob", 601, 39)).won == [("north.0002", 601)]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (log_line(entry("north", 1, 3, "ann")), "a bid has a price"),
        (log_line(bid("north", 1, 3, "ann", 99)), "no bid is below the reserve"),
        (log_line(bid("north", 1, 3, "ann", 100)).replace(b":100,", b":0,"), "well formed"),
        (log_line(bid("north", 1, 3, "ann", 100)).replace(b":100,", b":0100,"), "well formed"),
        (log_line(bid("north", 1, 3, "ann", 100)).replace(b":100,", b":1e2,"), "well formed"),
        (log_line(bid("north", 1, 3, "ann", 100)).replace(b":100,", b":-100,"), "well formed"),
        (log_line(bid("north", 1, 3, "ann", LARGEST_PRICE)).replace(b"999,", b"9999,"), "well formed"),
    ],
)
def test_what_is_no_bid_contradicts(line: bytes, rule: str) -> None:
    for deliver in (AuctionFold.deliver, AuctionFold.deliver_all):
        fold = AuctionFold(auction_terms(reserve_price=100), SEED)
        with pytest.raises(Contradiction, match=rule):
            deliver(fold, "north", line if deliver is AuctionFold.deliver else [line])  # type: ignore[arg-type]


def test_a_price_anywhere_else_contradicts() -> None:
    priced = log_line(bid("north", 1, 3, "ann", 100))
    for kind in ({}, {"kind": "reservation", "hold_ns": "1000"}):
        stated = {name: value for name, value in terms().stated.items() if name != "seed_commitment"}
        fold = new_fold(read_terms({**stated, **kind}).committed(SEED), SEED)
        with pytest.raises(Contradiction, match="a bid has a price"):
            fold.deliver_all("north", [priced])


@given(st.integers(1, LARGEST_PRICE), st.integers(1, LARGEST_PRICE))
def test_prices_survive_their_lines(price: int, pays: int) -> None:
    line = log_line(bid("north", 1, 3, "ann", price))
    assert parse_log_line(line) == bid("north", 1, 3, "ann", price)
    assert read_ids([line]) == (("north.0001",), ("ann",))
    decision = Won("north.0001", "north", 0, 0, pays)
    assert parse_decision_line(4, decision_line(4, decision)) == decision
    assert outcome_line(Outcome("north.0001", "won", rank=0, unit=0, price=pays)).startswith(b'{"price":%d,' % pays)


def test_with_a_beacon_nothing_is_decided_before_its_round() -> None:
    story = Story(auction_terms(beacon=True, stock=1), {"north": [bid("north", 1, 3, "ann", 5)], "south": []})
    kinds = [type(each).__name__ for each in perform(story).decisions if not isinstance(each, Seen)]
    assert kinds == ["Complete", "BeaconValue", "Won", "Closed"]
    assert any(isinstance(each, Complete) for each in perform(story).decisions)


BAD_TERMS: dict[str, tuple[dict[str, Any], str]] = {
    "no currency": ({"currency": None}, "currency"),
    "small letters": ({"currency": "eur"}, "currency"),
    "a sign": ({"currency": "€"}, "currency"),
    "four letters": ({"currency": "EURO"}, "currency"),
    "no reserve": ({"reserve_price": 0}, "reserve_price"),
    "a negative reserve": ({"reserve_price": -1}, "reserve_price"),
    "cents of cents": ({"reserve_price": 12.5}, "reserve_price"),
    "a reserve as text": ({"reserve_price": "100"}, "reserve_price"),
    "true": ({"reserve_price": True}, "reserve_price"),
    "more than there is": ({"reserve_price": LARGEST_PRICE + 1}, "reserve_price"),
    "another pricing": ({"pricing": "english"}, "pricing"),
    "another kind": ({"kind": "flash"}, "currency"),
    "at the door": ({"method": "central"}, "kind"),
}


@pytest.mark.parametrize("case", BAD_TERMS)
def test_terms_that_no_auction_can_have(case: str) -> None:
    fields, field = BAD_TERMS[case]
    stated = {name: value for name, value in auction_terms().stated.items() if name != "seed_commitment"}
    with pytest.raises(TermsError) as raised:
        read_terms({name: value for name, value in {**stated, **fields}.items() if value is not None})
    assert field in {breach.field for breach in raised.value.breaches}


def test_terms_say_what_was_left_open() -> None:
    stated = {name: value for name, value in auction_terms().stated.items() if name != "seed_commitment"}
    del stated["pricing"], stated["reserve_price"]
    read = read_terms(stated)
    assert (read.pricing, read.reserve_price, read.currency) == ("first_price", 1, "EUR")
    assert (read.stated["pricing"], read.stated["reserve_price"]) == ("first_price", 1)


def test_an_entry_is_a_bid_by_its_price_alone() -> None:
    assert replace(bid("north", 1, 3, "ann", 5), price=None) == entry("north", 1, 3, "ann")
    assert isinstance(bid("north", 1, 3, "ann", 5), Entry)
