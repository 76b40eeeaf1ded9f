"""What every draw of a sale was like, for receipts: worked out once the sale is over, from logs and decisions.

The arbiter knew it when it drew, and forgot: it is no decision, and follows from what is recorded (`model/why.py`,
`model/why_bids.py`). To work it out afterwards costs the arbiter nothing while it decides, and takes two passes over
the logs: who was drawn with which stamp, and then every place that any pot can have reached. An auction takes one:
every buyer's best bid. What is kept of it, and how a receipt tells it: `whys.py`.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from model import guards
from model.columns import read_columns
from model.reservation import NEVER_NS
from model.vocabulary import (
    BuyerId,
    Confirmed,
    CutOff,
    Decision,
    Expired,
    Held,
    RegionName,
    Released,
    RequestId,
    Seen,
    Won,
)
from model.why import Draw, draws, frontiers, last_place_that_matters_ns
from model.why_bids import Bids
from model.wire import parse_decision_line, parse_log_line
from service.evidence.bundle import ENTRY, Finished, counted_lines, lines_of
from service.evidence.whys import KEY, LAST, MARKET, KeptDraw, KeptMarket, KeptPrice, KeptTurn, at_price, packed
from service.store import keys
from service.store.opening import Store

MOST_PRICES: Final = 100_000
"""Of so many different prices, the highest, it is kept how they stand; who bid less than that was far from winning."""


async def whys_of(of: Finished, arbiter: Store) -> dict[RegionName, dict[str, str]]:
    """What each region's store is to know of a finished sale's draws (`keys.whys`).

    Raises:
        BundleError: lines that were counted are not there.
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    decisions: list[Decision] = []
    async for lines in lines_of(arbiter, keys.ledger(of.sale), of.standing.decisions):
        decisions += [parse_decision_line(len(decisions) + offset, line) for offset, line in enumerate(lines)]
    key = of.draw_key()
    shared = {} if key is None else {KEY: key.hex()}
    if of.terms.kind == "auction":
        drawn, common = await _bid_draws(of, arbiter, decisions)
        shared |= common
    else:
        drawn = await _draws(of, arbiter, decisions)
    turns = _turns(of, decisions)
    kept = {request: packed(_kept(draw, turns.get(request))) for request, draw in drawn.items()}
    if drawn:
        shared[LAST] = packed(_kept(list(drawn.values())[-1], None))
    whys = {region: dict(shared) for region in of.terms.regions}
    for request, told in kept.items():
        whys[request.rpartition(".")[0]][request] = told
    return whys


def _kept(draw: Draw, turn: KeptTurn | None) -> KeptDraw:
    return KeptDraw(str(draw.earliest_ns), draw.pot, str(draw.frontier_ns), turn)


async def _draws(of: Finished, arbiter: Store, decisions: list[Decision]) -> dict[RequestId, Draw]:
    """Every draw of a sale in which places decide."""
    terms, frontiers_ns = of.terms, frontiers(of.terms, decisions)
    stamps_ns: dict[RequestId, int] = {}
    for region, counted in of.standing.counted.items():
        async for lines in counted_lines(arbiter, of.sale, region, counted):
            stamps_ns |= {request: stamp_ns for request, _, stamp_ns in _entries(lines) if request in frontiers_ns}
    most_ns = last_place_that_matters_ns(terms, stamps_ns.values())
    least: dict[BuyerId, int] = {}
    """By buyer, the place of the least entry; entries beyond every pot are left out."""
    for region, counted in of.standing.counted.items():
        async for lines in counted_lines(arbiter, of.sale, region, counted):
            for _, buyer, stamp_ns in _entries(lines):
                place_ns = guards.place_ns(stamp_ns, terms.opens_ns)
                if place_ns <= most_ns and place_ns <= least.get(buyer, place_ns):
                    least[buyer] = place_ns
    places_ns = {request: guards.place_ns(stamp_ns, terms.opens_ns) for request, stamp_ns in stamps_ns.items()}
    return draws(terms, frontiers_ns, sorted(least.values()), places_ns)


def _entries(lines: list[bytes]) -> Iterator[tuple[RequestId, BuyerId, int]]:
    """(request, buyer, stamp) of consecutive lines of a log."""
    logged = [line for line in lines if ENTRY in line]
    if not logged:
        return iter(())
    columns = read_columns(logged, parse_log_line(logged[0]).seq)
    if columns is not None:
        return zip(columns.requests, columns.buyers, columns.stamps_ns, strict=True)
    return ((entry.request, entry.buyer, entry.stamp_ns) for entry in map(parse_log_line, logged))


async def _bid_draws(
    of: Finished, arbiter: Store, decisions: list[Decision]
) -> tuple[dict[RequestId, Draw], dict[str, str]]:
    """Every draw of an auction; and how its bids stand, by what a store calls it."""
    bids = Bids()
    for region, counted in of.standing.counted.items():
        async for lines in counted_lines(arbiter, of.sale, region, counted):
            for line in lines:
                bids.offer(parse_log_line(line))
    won = [record.request for record in decisions if isinstance(record, Won)]
    if not won:
        return {}, {}
    frontiers_ns, market, standings = frontiers(of.terms, decisions), bids.market(won), bids.standings()
    common = {
        at_price(price): packed(KeptPrice(*standings[price])) for price in sorted(standings, reverse=True)[:MOST_PRICES]
    }
    common[MARKET] = packed(
        KeptMarket(market.buyers, market.sold, market.lowest_winning, market.highest_losing, str(frontiers_ns[won[-1]]))
    )
    return bids.draws(of.terms, frontiers_ns), common


def _turns(of: Finished, decisions: list[Decision]) -> Mapping[RequestId, KeptTurn]:
    """What became of every place on a reservation's list, with when, at the latest, and how far everybody was heard."""
    held: dict[RequestId, str] = {}
    ended: dict[RequestId, tuple[str, str, str]] = {}
    latest_ns, marks_ns = 0, dict[RegionName, int]()
    for record in decisions:
        match record:
            case Seen(regions, _, latest_ns):
                marks_ns = {name: seen.mark_ns for name, seen in regions.items()}
            case CutOff(region):
                marks_ns.pop(region, None)
            case Held(request):
                held[request] = str(latest_ns)
            case Confirmed(request) | Released(request) | Expired(request):
                frontier_ns = min(marks_ns.values(), default=NEVER_NS)
                ended[request] = type(record).__name__.lower(), str(latest_ns), str(frontier_ns)
            case _:
                pass
    told = {}
    for request, turn in of.standing.holds.turns.items():
        end, ended_ns, frontier = ended.get(request, (turn.state, None, None))
        until_ns = str(turn.until_ns) if turn.unit is not None else None
        told[request] = KeptTurn(turn.rank, turn.unit, held.get(request), until_ns, end, ended_ns, frontier)
    return told
