"""What winners of an auction pay, and that a higher bid never hurts.

What is paid follows from the highest losing bid of `auction.py`. For the rest, two auctions with the same bids, but for
one: the mover has raised its bid. When and with which id the higher bid came has no say: all who go before it had gone
before the lower one. That a part of finitely many has no more members than the whole is said, not proved.

`payments` of `model/auction.py` is read as it stands, for one to three bids in serving order; that it gives the first
so many units, and what they cost, is `auction.py`'s relation. `ranked` sorts and asks the lottery: tests compare it
with an independent reading of the rules.
Next: `reservation.py`.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from z3 import And, BoolSort, BoolVal, Const, Consts, Distinct, ForAll, Function, If, Implies, Int, Ints, Not, Or

import model.auction
from model.auction import Bid
from proofs.auction import AUCTION, OVER, Auction, loser, one, price, reserve, stands, winner
from proofs.lift import lift
from proofs.lottery import Request
from proofs.notes import Reading
from proofs.obligations import Argument, Case, Term, guards, obligation, said
from proofs.protocol import stock
from proofs.symbolic import Number, numbers, term

auction: Final = Reading(model.auction)
q, mover, highest_loser = Consts("q mover highest_loser", Request)
bid, raised = Ints("bid raised")
first, first_then, won, won_then = (
    Function(each, Request, BoolSort()) for each in ("first", "first_then", "won", "won_then")
)
"""Of others than the mover: given a unit before it; given a unit at all. Before, and with the raised bid."""
ahead, ahead_then, others, others_then = Ints("ahead ahead_then others others_then")
"""How many these are."""
losing, losing_then = Ints("losing losing_then")
"""The highest losing bid; 0 where none lost."""


def due(s: Auction, of: Term, uniform: Term) -> Term:
    """What a winner pays."""
    return If(uniform, guards.uniform_price(s.highest_losing, reserve), price(of))


@obligation
def a_uniform_price_is_the_highest_losing_bid_or_the_reserve() -> Argument:
    """The greater of the two: no less than either, and one of them."""
    losing = Int("losing")
    paid = guards.uniform_price(losing, reserve)
    return Argument(
        (Case("always", (), And(paid >= losing, paid >= reserve, Or(paid == losing, paid == reserve))),),
        witness=(paid > reserve,),
        beyond=(losing == reserve - 1, paid != losing),
    )


@obligation
def nobody_pays_more_than_they_bid() -> Argument:
    """Reserve ≤ what a winner pays ≤ its bid; at first price the bid itself."""
    s, uniform = AUCTION.before, Int("uniform") == 1
    given = (*AUCTION.holding(), s.ending == OVER, s.won(one))
    paid = due(s, one, uniform)
    own = Implies(Not(uniform), paid == price(one))
    return Argument(
        (Case("always", given, And(paid <= price(one), paid >= reserve, own)),),
        witness=(*given, uniform, paid < price(one), paid > reserve),
        beyond=(*given, uniform, paid == price(one), stands(s, loser)),
        small=AUCTION.small(),
    )


@obligation
def a_uniform_price_clears() -> Argument:
    """Every losing bid ≤ price ≤ every winning one, the price is at least the reserve, and units are left over only
    where every bid won."""
    s = AUCTION.before
    paid = guards.uniform_price(s.highest_losing, reserve)
    given = (*AUCTION.holding(), s.ending == OVER)
    below, above = Implies(stands(s, loser), price(loser) <= paid), Implies(s.won(winner), paid <= price(winner))
    all_won = Implies(guards.in_stock(s.sold, stock), Not(stands(s, loser)))
    return Argument(
        (Case("always", given, And(below, above, paid >= reserve, all_won)),),
        witness=(*given, stands(s, loser), s.won(winner), price(loser) < price(winner), paid == price(loser)),
        small=AUCTION.small(),
    )


def goes(before: Term, at: Term) -> tuple[Term, ...]:
    """Who is given a unit before a bid at this price: all that outbid it, and none that it outbids."""
    higher = ForAll(q, Implies(And(q != mover, guards.outbids(price(q), at)), before(q)))
    not_lower = ForAll(q, Implies(before(q), And(q != mover, Not(guards.outbids(at, price(q))))))
    return higher, not_lower


def small_world() -> tuple[Term, ...]:
    """Three bids: for witnesses only."""
    bids = Consts("r0 r1 r2", Request)
    return Distinct(*bids), ForAll(q, Or(*(q == each for each in bids)))


@obligation
def whoever_wins_goes_on_winning_with_a_higher_bid() -> Argument:
    """Raising a bid never hurts: nobody goes before it who did not go before the lower one, so who won wins still."""
    given = (*goes(first, bid), *goes(first_then, raised), guards.outbids(raised, bid))
    fewer = ForAll(q, Implies(first_then(q), first(q)))
    part = said("a part has no more members than the whole", Implies(fewer, ahead_then <= ahead))
    wins, wins_then = guards.in_stock(ahead, stock), guards.in_stock(ahead_then, stock)
    lower = (*goes(first, bid), *goes(first_then, raised), guards.outbids(bid, raised), wins, Not(wins_then))
    return Argument(
        (Case("nobody new goes before", given, fewer), Case("it wins still", (*given, part, wins), wins_then)),
        witness=(*given, part, wins, ahead == 1, ahead_then == 0, first(highest_loser)),
        beyond=(*lower, ahead == 0, ahead_then == 1, stock == 1, first_then(highest_loser)),
        small=small_world(),
    )


def ended(has_won: Term, highest: Term, count: Term) -> tuple[Term, ...]:
    """An auction that the mover has won: no losing bid is above the highest losing one, and no winning one below it."""
    is_between = And(
        Implies(has_won(q), Not(guards.outbids(highest, price(q)))),
        Implies(Not(has_won(q)), Not(guards.outbids(price(q), highest))),
    )
    return ForAll(q, Implies(q != mover, is_between)), highest >= 0, count + 1 <= stock


@obligation
def a_uniform_price_does_not_rise_by_raising_a_bid_that_wins() -> Argument:
    """Whoever wins and had bid more pays no more than before, nor does anybody else who wins."""
    loses = And(highest_loser != mover, Not(won_then(highest_loser)), price(highest_loser) == losing_then)
    some_lose = Or(losing_then == 0, And(loses, others_then + 1 == stock))
    among = ForAll(q, Implies(And(q != mover, Or(won_then(q), q == highest_loser)), won(q)))
    part = said("a part has no more members than the whole", Implies(And(loses, among), others_then + 1 <= others))
    given = (*ended(won, losing, others), *ended(won_then, losing_then, others_then), some_lose, part)
    before, then = guards.uniform_price(losing, reserve), guards.uniform_price(losing_then, reserve)
    return Argument(
        (Case("always", given, then <= before),),
        witness=(*given, losing_then > reserve, then == before, won_then(Const("r1", Request))),
        small=small_world(),
    )


def in_serving_order() -> Iterator[tuple[list[Bid], tuple[Term, ...]]]:
    """One to three bids, none higher than one before it, none below the reserve."""
    for count in range(1, 4):
        offers = [numbers(f"offer{i}")[0] for i in range(count)]
        order = (
            *(guards.reaches_reserve(term(each), reserve) for each in offers),
            *(Not(guards.outbids(term(b), term(a))) for a, b in pairwise(offers)),
        )
        yield [Bid(f"r{i}", each, 0, 0) for i, each in enumerate(offers)], order  # type: ignore[arg-type]


def as_it_should(found: list[tuple[Bid, Number]], bids: list[Bid], uniform: bool) -> Term:
    """The first so many as there are units, each at its bid or at the highest losing one and at least the reserve."""
    count = len(found)
    if [bid.request for bid, _ in found] != [bid.request for bid in bids[:count]]:
        return BoolVal(False)
    how_many = And(count <= stock, Or(count == len(bids), stock == count))
    losing = [term(bid.price) for bid in bids[count : count + 1]]
    due = [
        guards.uniform_price(losing[0] if losing else 0, reserve) if uniform else term(bid.price) for bid, _ in found
    ]
    return And(how_many, *(term(paid) == each for (_, paid), each in zip(found, due, strict=True)))


@obligation
def payments_are_to_the_first_so_many() -> Argument:
    """Of one to three bids in serving order as many win as there are units, and each pays its bid, or all the highest
    losing one, or the reserve."""
    cases: list[Case] = []
    units, least = Number(stock), Number(reserve)
    for bids, order in in_serving_order():
        for pricing in ("first_price", "uniform"):
            ways = lift(
                lambda bids=bids, pricing=pricing: auction.payments(bids, units, pricing, least),  # type: ignore[misc]
                (stock >= 1, reserve >= 1, *order),
            )
            is_uniform = pricing == "uniform"
            cases += ways.grouped(
                f"{len(bids)} bids, {pricing}",
                lambda found, bids=bids, is_uniform=is_uniform: as_it_should(found, bids, is_uniform),  # type: ignore[misc]
            )
    three = [*in_serving_order()][-1]
    return Argument(tuple(cases), witness=(*three[1], stock == 2, reserve >= 1))
