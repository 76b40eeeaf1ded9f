"""What every draw of a sale was like, for receipts: worked out once the sale is over, from logs and decisions.

The arbiter knew it when it drew, and forgot: it is no decision, and follows from what is recorded (`model/why.py`).
To work it out afterwards costs the arbiter nothing while it decides, and takes two passes over the logs: who won with
which stamp, and then every place that any pot can have reached.
"""

from collections.abc import Iterator

import msgspec

from model import guards
from model.columns import read_columns
from model.vocabulary import BuyerId, Decision, RegionName, RequestId
from model.why import Draw, draws, frontiers, last_place_that_matters_ns
from model.wire import parse_decision_line, parse_log_line
from service.evidence.bundle import Finished, counted_lines, lines_of
from service.store import keys
from service.store.opening import Store


class _Kept(msgspec.Struct, frozen=True):
    """A draw as a store keeps it; nanoseconds as decimal strings."""

    earliest_ns: str
    pot: int
    frontier_ns: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Kept).decode


def read_draw(kept: bytes) -> Draw:
    """A draw from what a store keeps of it."""
    draw = _decode(kept)
    return Draw(int(draw.earliest_ns), draw.pot, int(draw.frontier_ns))


def _packed(draw: Draw) -> str:
    return _encode(_Kept(str(draw.earliest_ns), draw.pot, str(draw.frontier_ns))).decode()


async def whys_of(of: Finished, arbiter: Store) -> dict[RegionName, dict[str, str]]:
    """What each region's store is to know of a finished sale's draws (`keys.whys`).

    Raises:
        BundleError: lines that were counted are not there.
        redis.exceptions.RedisError: the arbiter's store does not answer.
    """
    terms = of.terms
    decisions: list[Decision] = []
    async for lines in lines_of(arbiter, keys.ledger(of.sale), of.standing.decisions):
        decisions += [parse_decision_line(len(decisions) + offset, line) for offset, line in enumerate(lines)]
    frontiers_ns = frontiers(terms, decisions)
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
    drawn = draws(terms, frontiers_ns, sorted(least.values()), places_ns)
    key = of.draw_key()
    shared = {} if key is None else {"key": key.hex()}
    if drawn:
        shared[""] = _packed(list(drawn.values())[-1])
    whys = {region: dict(shared) for region in terms.regions}
    for request, draw in drawn.items():
        whys[request.rpartition(".")[0]][request] = _packed(draw)
    return whys


def _entries(lines: list[bytes]) -> Iterator[tuple[RequestId, BuyerId, int]]:
    """(request, buyer, stamp) of consecutive lines of a log."""
    columns = read_columns(lines, parse_log_line(lines[0]).seq)
    if columns is not None:
        return zip(columns.requests, columns.buyers, columns.stamps_ns, strict=True)
    return ((entry.request, entry.buyer, entry.stamp_ns) for entry in map(parse_log_line, lines))
