"""How bids stood, and how each unit was drawn among equal ones, against a plain count beside the rule itself."""

from hypothesis import given

from model import guards
from model.lottery import ticket
from model.vocabulary import Entry, Won
from model.why import Draw, frontiers
from model.why_bids import Bids, Market
from tests.auction_stories import auctions, perform
from tests.stories import Story, drawn_by


def preference(one: Entry) -> tuple[int, int, str]:
    return -(one.price or 0), one.stamp_ns, one.request


@given(auctions(endings=("close",)))
def test_every_bid_is_told_as_the_rules_say(story: Story) -> None:
    stated, decisions = story.terms, perform(story).decisions
    bids, best = Bids(), dict[str, Entry]()
    for region, log in story.logs.items():
        for one in log[: story.cut_offs.get(region, len(log))]:
            bids.offer(one)
            best[one.buyer] = min(best.get(one.buyer, one), one, key=preference)
    won = [decision.request for decision in decisions if isinstance(decision, Won)]
    prices = [one.price or 0 for one in best.values()]
    for price, (higher, same) in bids.standings().items():
        assert (higher, same) == (sum(each > price for each in prices), prices.count(price))
    assert set(prices) <= bids.standings().keys()
    winning = [one.price for one in best.values() if one.request in won]
    losing = [one.price for one in best.values() if one.request not in won]
    assert bids.market(won) == Market(len(best), len(won), min(winning, default=None), max(losing, default=None))
    known_ns = frontiers(stated, decisions)
    found = bids.draws(stated, known_ns)
    assert list(found) == won
    waiting = {one.request: one for one in best.values()}
    for request in won:
        equals = [one for one in waiting.values() if one.price == waiting[request].price]
        places_ns = {one.request: guards.place_ns(one.stamp_ns, stated.opens_ns) for one in equals}
        earliest_ns = min(places_ns.values())
        pot = [
            (ticket(drawn_by(stated), stated.sale(), one.buyer), one.request)
            for one in equals
            if places_ns[one.request] <= earliest_ns + stated.tie_window_ns
        ]
        assert found[request] == Draw(earliest_ns, len(pot), known_ns[request])
        assert min(pot)[1] == request
        del waiting[request]


def test_without_bids_nothing_is_told() -> None:
    bids = Bids()
    assert (bids.standings(), bids.market([])) == ({}, Market(0, 0, None, None))
