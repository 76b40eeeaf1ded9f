"""An auction of sealed bids as states and steps: who wins, what they pay, and that nobody can bid any more by then.

For any number of bids, buyers, regions and units. Regions and logs are those of `protocol.py`; other than there, of a
buyer's bids the best stands, and nothing is given before everyone is heard. From then on units go one by one to the
highest bid that stands, among those of one price by the window lottery, until none is left or nobody stands.
`model/auction.py` does that with a sort; what is paid follows from the one who would have been next.

Next: `prices.py`, what winners pay, and that a higher bid never hurts.
"""

from collections.abc import Callable
from typing import Final

from z3 import And, Consts, ForAll, Function, If, Implies, Int, Ints, IntSort, Not, Or

from proofs import protocol
from proofs.lottery import Lottery, Request, name
from proofs.obligations import Argument, Case, Term, guards, obligation, said
from proofs.protocol import (
    bound,
    buyer,
    certainly_before,
    frontier,
    g,
    is_frontier,
    last_stamp,
    least,
    may_deliver,
    p,
    place,
    q,
    raised,
    region,
    seq,
    skew,
    stamp,
    stock,
    ticket,
    true_place,
    window,
    x,
)
from proofs.system import System

price = Function("price", Request, IntSort())
"""What a bid offers, in minor units."""
reserve = Int("reserve")
BIDDING, GIVING, OVER, CANCELLED = range(4)
first, one, another, loser, winner, top = Consts("first one another loser winner top", Request)


class Auction(protocol.State):
    """One moment of an auction. `front` is a buyer's best bid, `unit` counts winners from 0, `ending` is one of the
    four phases above; nobody is in a pot before there is one to win."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.highest_losing: Term = Int("highest_losing" + tag)
        """Of those who lost, the highest price; 0 where nobody did. Known once it is over."""


def stands(s: Auction, a: Term) -> Term:
    """The best bid of a buyer who has not won."""
    return And(s.log(a) == protocol.HEARD, s.front(buyer(a)) == a, Not(s.won(a)))


def is_highest(s: Auction, a: Term) -> Term:
    """Nobody who stands has outbid it."""
    return And(stands(s, a), ForAll(q, Implies(stands(s, q), Not(guards.outbids(price(q), price(a))))))


def is_next(s: Auction, a: Term) -> Term:
    """The highest bid, and of those of that price whom the lottery serves."""
    equals = Lottery(lambda r: And(stands(s, r), price(r) == price(a)), place, lambda r: ticket(buyer(r)), window)
    return And(is_highest(s, a), equals.serves(first, a))


def better(a: Term, than: Term) -> Term:
    return guards.is_better_bid(price(a), stamp(a), name(a), price(than), stamp(than), name(than))


def world() -> tuple[Term, ...]:
    """As for every sale, and a reserve that is a price."""
    return (*protocol.world(), said("the reserve is a price", reserve >= 1))


def becomes(s: Auction, after: Auction, **news: Callable[..., Term]) -> tuple[Term, ...]:
    highest = news.pop("highest_losing", lambda: s.highest_losing)
    return (*protocol.becomes(s, after, **news), said("highest losing after", after.highest_losing == highest()))


def deliver(s: Auction, after: Auction) -> tuple[Term, ...]:
    """The arbiter reads a bid. It stands for its buyer if it is better than what stood."""
    known = s.front(buyer(x))
    is_first = Not(And(s.log(known) == protocol.HEARD, buyer(known) == buyer(x)))
    leads = And(s.ending == BIDDING, Or(is_first, better(x, known)))
    return (
        said("the next line is good", may_deliver(s, x)),
        said("it is not below the reserve", guards.reaches_reserve(price(x), reserve)),
        *becomes(
            s,
            after,
            log=lambda r: If(r == x, If(s.ending == BIDDING, protocol.HEARD, protocol.LATE), s.log(r)),
            front=lambda of: If(And(of == buyer(x), leads), x, s.front(of)),
            read=lambda r: If(r == region(x), seq(x), s.read(r)),
        ),
    )


def raise_mark(s: Auction, after: Auction) -> tuple[Term, ...]:
    """A region in the sale promises more."""
    return (
        s.present(least),
        said("the mark may rise", guards.mark_may_rise(s.mark(least), raised)),
        *becomes(s, after, mark=lambda r: If(r == least, raised, s.mark(r))),
    )


def cut_off(s: Auction, after: Auction) -> tuple[Term, ...]:
    """A region leaves; what was read of it counts."""
    return (s.present(least), *becomes(s, after, present=lambda r: And(s.present(r), r != least)))


def decide(s: Auction, after: Auction) -> tuple[Term, ...]:
    """No bid can follow: units are given from here on."""
    return (
        s.ending == BIDDING,
        said("the frontier is the least mark", is_frontier(s, frontier, least)),
        said("everyone is heard", guards.everyone_is_heard(frontier, last_stamp())),
        *becomes(s, after, ending=lambda: GIVING),
    )


def give(s: Auction, after: Auction) -> tuple[Term, ...]:
    """The next unit goes to whoever is next."""
    return (
        s.ending == GIVING,
        said("a unit is left", guards.in_stock(s.sold, stock)),
        said("it is next", is_next(s, x)),
        *becomes(
            s,
            after,
            won=lambda r: Or(r == x, s.won(r)),
            unit=lambda r: If(r == x, s.sold, s.unit(r)),
            sold=lambda: s.sold + 1,
        ),
    )


def end(s: Auction, after: Auction) -> tuple[Term, ...]:
    """No unit is left, or nobody stands. Who would have been next is the highest who lost."""
    nobody = ForAll(q, Not(stands(s, q)))
    return (
        s.ending == GIVING,
        Or(nobody, And(is_next(s, top), Not(guards.in_stock(s.sold, stock)))),
        *becomes(s, after, ending=lambda: OVER, highest_losing=lambda: If(nobody, 0, price(top))),
    )


def cancel(s: Auction, after: Auction) -> tuple[Term, ...]:
    """An operator stops it before anything is decided."""
    return (s.ending == BIDDING, *becomes(s, after, ending=lambda: CANCELLED))


def start(s: Auction) -> tuple[Term, ...]:
    return protocol.start(s)


def small_world() -> tuple[Term, ...]:
    """As `protocol.small_world`: for witnesses only."""
    return protocol.small_world()


AUCTION: Final = System(
    Auction,
    world,
    start,
    {
        "deliver": deliver,
        "raise mark": raise_mark,
        "cut off": cut_off,
        "decide": decide,
        "give": give,
        "end": end,
        "cancel": cancel,
    },
    small_world,
)
"""Phases are numbered so that an auction begins as every sale does."""
invariant = AUCTION.invariant


@obligation
def a_bid_outbids_by_its_price_alone() -> Argument:
    """A higher price goes first whatever the clocks say, an equal one does not; from the reserve on bids are taken."""
    a, other = Ints("a other")
    return Argument(
        (
            Case("outbids", (), guards.outbids(a, other) == (a >= other + 1)),
            Case("is taken", (), guards.reaches_reserve(a, reserve) == (a + 1 > reserve)),
        ),
        witness=(guards.outbids(a, other), guards.reaches_reserve(a, reserve)),
        beyond=(a == other, Not(guards.outbids(a, other)), a == reserve - 1, Not(guards.reaches_reserve(a, reserve))),
    )


@obligation
def of_a_buyers_bids_one_is_the_best() -> Argument:
    """Of two bids of a buyer exactly one is better: the higher, else the earlier, else the lesser id; and better than
    better is better."""
    bids = [Ints(f"price{i} stamp{i} id{i}") for i in range(3)]
    (a, at, called), (a2, at2, called2), _ = bids

    def beats(i: int, j: int) -> Term:
        return guards.is_better_bid(*bids[i], *bids[j])

    told = Or(a > a2, And(a == a2, Or(at < at2, And(at == at2, called < called2))))
    same = And(*(these == those for these, those in zip(*bids[:2], strict=True)))
    return Argument(
        (
            Case("which", (), beats(0, 1) == told),
            Case("exactly one", (Not(same),), beats(0, 1) != beats(1, 0)),
            Case("not itself", (same,), Not(beats(0, 1))),
            Case("transitive", (beats(0, 1), beats(1, 2)), beats(0, 2)),
        ),
        witness=(beats(0, 1), beats(1, 2), a == a2, at == at2),
    )


@invariant(matters=lambda s: And(s.ending == OVER, s.sold == 1))
def a_phase_is_known_and_no_more_is_given_than_the_stock(s: Auction) -> Term:
    """Units are given one by one once no bid can follow, and never more than there are."""
    before = Implies(Or(s.ending == BIDDING, s.ending == CANCELLED), s.sold == 0)
    return And(s.ending >= BIDDING, s.ending <= CANCELLED, s.sold >= 0, s.sold <= stock, before)


@invariant(matters=lambda s: And(s.won(one), s.present(least)))
def nothing_is_given_before_every_bid_is_in(s: Auction) -> Term:
    """Once an auction is decided no bid that may be logged can follow, from any region still in the sale."""
    decided = Or(s.ending == GIVING, s.ending == OVER)
    heard = ForAll(g, Implies(s.present(g), guards.everyone_is_heard(s.mark(g), last_stamp())))
    return And(Implies(decided, heard), ForAll(q, Implies(s.won(q), decided)))


@invariant(matters=lambda s: And(s.log(one) == protocol.HEARD, s.log(another) == protocol.UNREAD, bound(one) == skew))
def every_bid_that_was_read_is_numbered_and_kept_its_bound(s: Auction) -> Term:
    """Bids are read in the order of their numbers, each once, and none without a clock good enough."""
    numbered = (s.log(q) != protocol.UNREAD) == (seq(q) <= s.read(region(q)))
    kept = Implies(s.log(q) != protocol.UNREAD, guards.bound_holds(bound(q), skew))
    return And(ForAll(g, s.read(g) >= 0), ForAll(q, numbered), ForAll(q, kept))


@invariant(matters=lambda s: And(s.log(one) == protocol.HEARD, s.front(buyer(one)) == another, another != one))
def the_best_bid_stands_for_its_buyer(s: Auction) -> Term:
    """Of a buyer's bids that were heard the highest stands, and of equal ones the least (stamp, request id)."""
    front = s.front(buyer(q))
    best = And(s.log(front) == protocol.HEARD, buyer(front) == buyer(q), Or(front == q, better(front, q)))
    return ForAll(q, Implies(s.log(q) == protocol.HEARD, best))


@invariant(matters=lambda s: And(s.won(one), price(one) == reserve))
def whoever_wins_stood_and_bid_at_least_the_reserve(s: Auction) -> Term:
    """Only the best bid of a buyer wins, so no buyer wins twice; none that was heard is below the reserve."""
    wins = Implies(
        s.won(q), And(s.log(q) == protocol.HEARD, s.front(buyer(q)) == q, s.unit(q) >= 0, s.unit(q) < s.sold)
    )
    return ForAll(q, And(wins, Implies(s.log(q) == protocol.HEARD, guards.reaches_reserve(price(q), reserve))))


@invariant(matters=lambda s: And(s.won(one), s.won(another), one != another))
def no_unit_of_an_auction_is_given_twice(s: Auction) -> Term:
    """Two winners never have the same unit."""
    return ForAll([p, q], Implies(And(s.won(p), s.won(q), p != q), s.unit(p) != s.unit(q)))


def goes_before(s: Auction, a: Term, other: Term) -> Term:
    """`a` was given a unit, and the other a later one or none."""
    return And(s.won(a), Or(stands(s, other), And(s.won(other), s.unit(a) < s.unit(other))))


@invariant(matters=lambda s: And(s.won(one), stands(s, another), price(one) == price(another)))
def no_losing_bid_is_higher_than_a_winning_one(s: Auction) -> Term:
    """Nobody is served before a higher bid, whether that one wins later or loses."""
    return ForAll([p, q], Implies(goes_before(s, p, q), Not(guards.outbids(price(q), price(p)))))


@invariant(
    matters=lambda s: And(goes_before(s, one, another), price(one) == price(another), stamp(another) < stamp(one))
)
def of_equal_bids_none_is_served_before_one_that_certainly_came_first(s: Auction) -> Term:
    """Promise 1 among those of one price; a higher one goes first whenever it came."""
    same = And(goes_before(s, p, q), price(p) == price(q))
    return ForAll([p, q], Implies(same, Not(certainly_before(q, p))))


@invariant(matters=lambda s: And(s.ending == OVER, stands(s, one), s.highest_losing > reserve))
def units_are_left_only_where_every_bid_won(s: Auction) -> Term:
    """When it is over nobody stands beside a unit; and what is called the highest losing bid is that."""
    nobody = And(ForAll(q, Not(stands(s, q))), s.highest_losing == 0)
    highest = And(
        ForAll(q, Implies(stands(s, q), Not(guards.outbids(price(q), s.highest_losing)))),
        ForAll(q, Implies(s.won(q), Not(guards.outbids(s.highest_losing, price(q))))),
        Not(guards.in_stock(s.sold, stock)),
    )
    return Implies(s.ending == OVER, Or(nobody, highest))


@obligation
def of_equal_bids_one_that_truly_came_first_by_more_than_the_bound_is_served_first() -> Argument:
    """Promise 2 among those of one price: a true lead of more than W + 2ε is never lost."""
    s = AUCTION.before
    given = (*AUCTION.holding(), goes_before(s, winner, loser), price(winner) == price(loser))
    limit = window + 2 * skew
    truly = guards.certainly_before(true_place(loser), true_place(winner), limit)
    return Argument(
        (Case("always", given, Not(truly)),),
        witness=(*given, skew > 0, true_place(loser) < true_place(winner)),
        beyond=(*given, skew > 0, true_place(loser) + limit == true_place(winner)),
        small=small_world(),
    )


@obligation
def nobody_can_bid_once_an_auction_is_decided() -> Argument:
    """Not a line that comes later is good: whoever saw what others bid cannot bid any more."""
    s = AUCTION.before
    given = (Or(s.ending == GIVING, s.ending == OVER),)
    return AUCTION.always(given, Not(may_deliver(s, x)), And(s.present(region(x)), s.won(one)))


@obligation
def what_an_auction_decided_stays() -> Argument:
    """Final is final: who won keeps the unit, and once it is over nothing changes who won, who lost, or the price."""
    s, after = AUCTION.before, AUCTION.after
    stays = Implies(s.won(one), And(after.won(one), after.unit(one) == s.unit(one)))
    same = And(after.won(one) == s.won(one), stands(after, one) == stands(s, one))
    settled = And(same, after.highest_losing == s.highest_losing, after.ending == s.ending)
    return AUCTION.each_step((), And(stays, Implies(s.ending == OVER, settled)), And(s.won(one), s.ending == GIVING))


@obligation
def who_is_next_in_an_auction_is_one() -> Argument:
    """At every moment at most one bid is next: what clocks, prices and tickets say leaves nothing to choose."""
    s, y, head = AUCTION.before, protocol.y, protocol.head
    theirs = And(is_highest(s, y), Lottery(
        lambda r: And(stands(s, r), price(r) == price(y)), place, lambda r: ticket(buyer(r)), window
    ).serves(head, y))  # fmt: skip
    return AUCTION.always((is_next(s, x), theirs), x == y, first != head)
