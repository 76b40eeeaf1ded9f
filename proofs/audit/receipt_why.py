"""Why a purchase came out as it did: the numbers must fit the entry, the terms, the outcome and each other.

They are derived, and nobody's signature covers them; a replay of the bundle gives them again (`receipt_replayed.py`).
Of a place in time: the draw that it came from. Of a bid: how many bid more and how many the same, how the units went
among those, and how what is paid came about. Of a reserved unit: the draw of its place on the list, and its turn.
"""

from collections.abc import Mapping
from typing import Any, Final

from model import guards
from model.terms import Terms
from model.vocabulary import Entry, Won
from proofs.audit.receipt_told import ReceiptReport, expect

DRAW: Final = {"place_ns", "tie_window_ns", "earliest_ns", "pot", "frontier_ns", "ticket"}
BID: Final = DRAW | {"higher", "same", "buyers", "sold", "lowest_winning", "highest_losing"}
TURN: Final = {"rank", "unit", "held_ns", "until_ns", "end", "ended_ns", "ended_frontier_ns"}
OWN_ENDS: Final = ("confirmed", "released", "expired")


def check_why(told: ReceiptReport, terms: Terms, entry: Entry, why: dict[str, Any]) -> None:
    """The numbers behind an outcome.

    Raises:
        FindingError: some do not fit.
    """
    match terms.kind:
        case "auction":
            _check_bid(told, terms, entry, why)
        case "reservation":
            expect(why.keys() == DRAW | {"turn"}, "why states place, window, pot and frontier, and a turn")
            _check_draw(terms, entry, why, is_drawn=bool(told.turn))
            _check_turn(told, terms, why["turn"])
        case _:
            expect(why.keys() == DRAW, "why states place, window, pot and frontier")
            is_drawn = isinstance(told.decision, Won) and told.decision.request == entry.request
            _check_draw(terms, entry, why, is_drawn=is_drawn)


def check_paid(terms: Terms, entry: Entry, won: Won) -> None:
    """What is paid, as far as the bid alone tells.

    Raises:
        FindingError: it is too much, too little, or none.
    """
    if entry.price is None:
        expect(won.price is None, "only an auction's winners pay a price", won.price)
        return
    rule = "nobody pays more than they bid, nor less than the reserve"
    fits = won.price is not None and terms.reserve_price <= won.price <= entry.price
    expect(fits, rule, won.price, f"{terms.reserve_price} to {entry.price}")
    if terms.pricing == "first_price":
        expect(won.price == entry.price, "at first price everybody pays their own bid", won.price, entry.price)


def _check_draw(terms: Terms, entry: Entry, why: Mapping[str, Any], *, is_drawn: bool) -> None:
    """A draw, and whether who was drawn can have been."""
    decimal = all(_is_ns(why[name]) for name in DRAW - {"ticket", "pot"}) and isinstance(why["pot"], int)
    expect(decimal, "why states place, window, pot and frontier")
    expect(why["ticket"] is None or isinstance(why["ticket"], str), "a ticket is hex digits, or null")
    _check_place(terms, entry, why)
    if is_drawn:
        _check_in_pot(terms, why)


def _check_place(terms: Terms, entry: Entry, why: Mapping[str, Any]) -> None:
    place_ns, place, window_ns = (
        int(why["place_ns"]),
        guards.place_ns(entry.stamp_ns, terms.opens_ns),
        terms.tie_window_ns,
    )
    expect(place_ns == place, "the place is the stamp, or the opening where that is later", place_ns, place)
    expect(int(why["tie_window_ns"]) == window_ns, "the window is the terms'", why["tie_window_ns"], window_ns)


def _check_in_pot(terms: Terms, why: Mapping[str, Any]) -> None:
    place_ns, earliest_ns, frontier_ns = (int(why[name]) for name in ("place_ns", "earliest_ns", "frontier_ns"))
    within = earliest_ns <= place_ns and guards.in_pot(place_ns, earliest_ns, terms.tie_window_ns)
    expect(within and why["pot"] >= 1, "whoever wins is in the pot that it was drawn from", place_ns, earliest_ns)
    complete = guards.pot_is_complete(earliest_ns, terms.tie_window_ns, frontier_ns, terms.last_stamp_ns)
    expect(complete, "a pot is drawn from once nobody can join it any more", frontier_ns)


def _check_bid(told: ReceiptReport, terms: Terms, entry: Entry, why: Mapping[str, Any]) -> None:
    """Where a bid stood, and what is paid."""
    expect(why.keys() == BID, "why states place, window, pot and frontier, and how the bid stood")
    known = all(_is_ns(why[name]) for name in ("place_ns", "tie_window_ns", "frontier_ns"))
    counts = all(_is_count(why[name]) for name in ("higher", "same", "buyers", "sold"))
    prices = all(why[name] is None or _is_count(why[name]) for name in ("lowest_winning", "highest_losing"))
    drawn = (why["earliest_ns"] is None and why["pot"] is None) or (
        _is_ns(why["earliest_ns"]) and _is_count(why["pot"])
    )
    expect(known and counts and prices and drawn, "why states numbers, and times as decimal strings")
    expect(why["ticket"] is None or isinstance(why["ticket"], str), "a ticket is hex digits, or null")
    _check_place(terms, entry, why)
    heard = guards.everyone_is_heard(int(why["frontier_ns"]), terms.last_stamp_ns)
    expect(heard, "nothing is decided before every bid is in", why["frontier_ns"], f"above {terms.last_stamp_ns}")
    expect(why["sold"] <= terms.stock, "no more units are sold than there are", why["sold"], terms.stock)
    expect(why["higher"] + why["same"] <= why["buyers"], "a buyer has one best bid", why["buyers"])
    if isinstance(told.decision, Won) and told.decision.request == entry.request:
        _check_winning_bid(terms, entry, told.decision, why)
    else:
        _check_losing_bid(terms, entry, why)


def _check_winning_bid(terms: Terms, entry: Entry, won: Won, why: Mapping[str, Any]) -> None:
    _check_bid_rank(won, why)
    expect(why["earliest_ns"] is not None, "whoever wins is in the pot that it was drawn from")
    _check_in_pot(terms, why)
    losing = why["highest_losing"]
    expect(losing is None or losing <= entry.price, "no losing bid is higher than a winning one", losing, entry.price)
    if terms.pricing == "uniform":
        due = guards.uniform_price(losing or 0, terms.reserve_price)
        rule = "at a uniform price everybody pays the highest losing bid, and at least the reserve"
        expect(won.price == due, rule, won.price, due)


def _check_bid_rank(won: Won, why: Mapping[str, Any]) -> None:
    first, last = why["higher"], why["higher"] + why["same"] - 1
    rule = "whoever wins is served after those who bid more, and among those who bid the same"
    expect(first <= won.rank <= last, rule, won.rank, f"{first} to {last}")


def _check_losing_bid(terms: Terms, entry: Entry, why: Mapping[str, Any]) -> None:
    lowest = why["lowest_winning"]
    expect(why["sold"] == terms.stock, "nobody is outbid while a unit is left", why["sold"], terms.stock)
    rule = "no losing bid is higher than a winning one"
    expect(lowest is not None and entry.price is not None and entry.price <= lowest, rule, entry.price, lowest)
    if entry.price != lowest:
        enough = why["higher"] >= terms.stock
        expect(enough, "whoever is outbid is so by as many as there are units", why["higher"], terms.stock)


def _check_turn(told: ReceiptReport, terms: Terms, turn: Any) -> None:
    """The turn is the one whose records are signed, and its times fit."""
    if turn is None:
        expect(not told.turn, "a purchase that has a place has a turn")
        return
    fits = isinstance(turn, dict) and turn.keys() == TURN and _is_count(turn["rank"]) and isinstance(turn["end"], str)
    times = ("held_ns", "until_ns", "ended_ns", "ended_frontier_ns")
    fits = fits and all(turn[name] is None or _is_ns(turn[name]) for name in times)
    expect(fits, "a turn states rank, unit, times and end")
    held = told.held
    _expect_same(turn["rank"], next((record.rank for _, record in told.turn), turn["rank"]), "rank")
    if held is not None:
        _expect_same(turn["unit"], held.unit, "unit")
        _expect_same(turn["until_ns"], str(held.until_ns), "end of hold")
        until_ns = guards.held_until_ns(int(turn["held_ns"] or 0), terms.hold_ns)
        expect(until_ns == held.until_ns, "a hold lasts as long as the terms say", until_ns, held.until_ns)
    if turn["end"] in OWN_ENDS and told.outcome is not None:
        reason = told.outcome.get("reason")
        _expect_same("confirmed" if reason is None else reason, turn["end"], "end")
    if turn["end"] == "expired":
        heard_ns, until_ns = int(turn["ended_frontier_ns"] or 0), int(turn["until_ns"] or 0)
        rule = "a hold expires once nobody can confirm in time any more"
        expect(guards.hold_is_over(until_ns, heard_ns), rule, heard_ns, f"above {until_ns}")


def _expect_same(one: object, other: object, what: str) -> None:
    expect(one == other, f"the turn's {what} is what was signed", one, other)


def _is_ns(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 30


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
