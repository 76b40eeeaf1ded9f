"""Whole auctions in true nanoseconds, as `sales.py` has flash sales: many equal prices, bids that are raised."""

import random

from model import wire
from tests.proofs.sales import MS, REGIONS, Sale, hosts_of, performed, request_id, terms_of
from tests.signer import Signers
from tests.stories import OPENS_NS

STEP = 50
"""Between prices, in cents."""


def an_auction(
    bids: int = 60, stock: int = 8, *, seed: int = 1, pricing: str = "uniform", reserve_price: int = 400,
    silent: str = "", signed: bool = True, hosts_each: int = 1, polls: int = 6, prices: int = 12, secret: str = "",
) -> Sale:  # fmt: skip
    """An auction of two seconds. Every fifth buyer bids again, mostly more, perhaps elsewhere; some bid in the lobby.

    Args:
        silent: a region that falls silent early on, and is cut off.
        prices: how many different ones there are.
        secret: other keys come of another one.
    """
    chance, signers = random.Random(seed), Signers(REGIONS, secret)
    terms = terms_of(
        signers if signed else None, stock, kind="auction", currency="EUR", reserve_price=reserve_price,
        pricing=pricing, closes="2026-11-27T20:00:02Z",
    )  # fmt: skip
    hosts = hosts_of(chance, hosts_each, polls)
    placed = list[tuple[int, str, str, int]]()
    for number in range(bids):
        at_ns = OPENS_NS + (chance.randrange(-8_000 * MS, 0) if number % 9 == 0 else chance.randrange(1_900 * MS))
        region, price = chance.choice(REGIONS), reserve_price + STEP * chance.randrange(prices)
        placed.append((at_ns, region, f"buyer-{number}", price))
        if number % 5 == 0:
            again = chance.choice([region, *REGIONS])
            raised = max(reserve_price, price + STEP * chance.choice([-1, 0, 1, 2]))
            if (again, raised) != (region, price):
                placed.append((at_ns + chance.randrange(40 * MS), again, f"buyer-{number}", raised))
    logged = {name: list[tuple[int, str, bytes]]() for name in REGIONS}
    arrivals = sorted((bid[0] + chance.randrange(1, 8) * MS, bid) for bid in placed)
    for logged_ns, (at_ns, region, buyer, price) in arrivals:
        log = logged[region]
        stamp_ns, bound_ns, clock = hosts[f"{region}-{chance.randint(1, hosts_each)}"].stamp(at_ns)
        request = request_id(region, f"{buyer} {price}", at_ns)
        before, after = wire.log_line_halves(request, buyer, stamp_ns, bound_ns, clock, at_ns - 30 * MS, price)
        log.append((logged_ns, buyer, f"{before}{len(log) + 1}{after}".encode()))
    return performed(terms, hosts, logged, signers, silent=silent)
