"""Hostile schedules of a sale that is sold at the door, on a real store with the real scripts.

A schedule is a row of bytes; each step of it is one command to one region's store: a purchase, a grant, a taking, a
setting-up, a reading by the arbiter. What can go wrong does: replies are lost and commands repeated, at once or much
later; carriers die between giving and taking, and two of them work from the same ledger; grants come altered, for
others, from regions that are out; regions are fenced out, stopped, and lose their stock. Many schedules run side by
side, a step of each in one pipeline, so that tens of thousands take minutes.

The arbiter's part is the rule that makes it safe and nothing else: it carries what it has read (`ShardedFold`).
"""

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

import redis

from model.shards import Grant, ShardedFold
from model.terms import Terms, read_terms
from model.units import each, units_text
from model.vocabulary import Contradiction
from service.store import keys
from service.store.attempts import around, words
from service.store.chunks import lines_in
from service.store.scripts import source

REGIONS = ("north", "south", "east")
STOCK = 7
QUOTAS = ((3, 2, 2), (7, 0, 0), (4, 3, 0), (1, 6, 0))
BUYERS = 12
OPENS_NS = 1_900_000_000_000_000_000
STATES = {
    *("set_up stocked", "set_up there", "set_up lost"),
    *("sell sold", "sell known", "sell empty", "sell not_ready", "sell stock_lost", "sell stopped"),
    *("give granted", "give again", "give empty", "give lost", "give stopped"),
    *("take taken", "take again", "take lost", "take stopped"),
    *("take refused altered", "take refused foreign", "take refused fenced"),
    *("fenced", "estate", "reissued", "reissue taken", "read", "stock lost", "sale stopped", "a command again"),
    *("grant on its way at the end", "grant to a fenced region", "sold out", "unit sold far from its first region"),
}

Command: TypeAlias = tuple[Any, ...]
Steps: TypeAlias = Generator[Command, Any, None]


@cache
def stated(quotas: tuple[int, ...]) -> Terms:
    """Terms of a sale by shares."""
    return read_terms(
        {
            "title": "Shoes",
            "method": "sharded",
            "stock": STOCK,
            "quotas": dict(zip(REGIONS, quotas, strict=True)),
            "opens": "2030-03-17T17:46:40Z",
            "closes": "2030-03-17T18:46:40Z",
            "regions": list(REGIONS),
            "skew_bound_ns": "1000",
        }
    )


@dataclass
class Schedule:
    """One sale, its regions' keys under a name of their own, and what the arbiter has read of it."""

    name: str
    given: bytes
    reached: Counter[str]
    fold: ShardedFold = field(init=False)
    read: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REGIONS, 0))
    sent: list[tuple[str, str, Command]] = field(default_factory=list)
    """Every command of a script so far, any of which may come again."""
    carried: list[Grant] = field(default_factory=list)
    last_grant: dict[str, int] = field(default_factory=dict)
    """Of each fenced region, the number of its last grant."""
    told: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By buyer and region: the unit that the buyer was told."""
    lost: set[str] = field(default_factory=set)
    is_stopped: bool = False

    def __post_init__(self) -> None:
        self._bytes = iter(self.given)
        self.terms = stated(QUOTAS[self._pick(len(QUOTAS))])
        self.fold = ShardedFold(self.terms)

    def _pick(self, among: int) -> int:
        """The next byte, as one of so many."""
        return next(self._bytes, 0) % among

    def _region(self) -> str:
        return REGIONS[self._pick(len(REGIONS))]

    def steps(self) -> Steps:
        """The whole schedule: a hostile part, then a carrier that nobody disturbs, then the account."""
        ways = (
            *(self._sell,) * 7,
            *(self._read,) * 4,
            *(self._give,) * 3,
            *(self._carry,) * 4,
            *(self._set_up,) * 2,
            *(self._again,) * 4,
            *(self._tamper, self._tamper, self._reissue, self._reissue, self._fence, self._fence),
            *(self._wild,),
        )
        for region in REGIONS[: min(self._pick(16), len(REGIONS))]:
            yield from self._set_up_quietly(region)
        while (byte := next(self._bytes, None)) is not None:
            yield from ways[byte % len(ways)]()
        yield from self._undisturbed()
        yield from self._account()

    # What buyers, carriers and bad luck do.

    def _sell(self) -> Steps:
        region = self._region()
        buyers = [f"b{self._pick(BUYERS)}" for _ in range(1 + self._pick(3))]
        lines = [
            around(OPENS_NS + 5, 7, "h/1", 0).line(f"{region}.{len(self.sent)}-{number}", buyer)
            for number, buyer in enumerate(buyers)
        ]
        names = [self._key(name, region) for name in (keys.log, keys.buyers, keys.mark, keys.stop, keys.stock)]
        answers = yield from self._run(region, "sell", names, words(OPENS_NS + 5, lines, buyers))
        for buyer, answer in zip(buyers, answers, strict=True):
            self._hear(region, buyer, answer)

    def _hear(self, region: str, buyer: str, answer: list[Any]) -> None:
        if answer[0] in (b"sold", b"known"):
            unit = answer[2] if answer[0] == b"sold" else int(answer[1].rpartition(b":")[2][:-1])
            assert self.told.setdefault(f"{buyer} {region}", (region, unit)) == (region, unit), "an outcome is for good"

    def _set_up(self) -> Steps:
        region = self._region()
        ready = "1" if self._pick(2) and self.read[region] else ""
        yield from self._call_set_up(region, ready)

    def _set_up_quietly(self, region: str) -> Steps:
        yield from self._call_set_up(region, "")
        yield from self._read_to_end(region)
        yield from self._call_set_up(region, "1" if self.read[region] else "")

    def _call_set_up(self, region: str, ready: str) -> Steps:
        names = [self._key(keys.log, region), self._key(keys.stock, region)]
        yield from self._run(region, "set_up", names, [units_text(self.terms.share(region)), ready])

    def _give(self) -> Steps:
        """By what was read: two carriers that have read the same ask for the same number."""
        region, to = self._region(), self._region()
        if to == region or self.fold.is_decided:
            return
        number = len(self.fold.shares[region].granted) + 1 + (self._pick(16) == 15)
        names = [self._key(name, region) for name in (keys.log, keys.stop, keys.stock)]
        yield from self._run(region, "give", names, [str(number), to, str(1 + self._pick(4))])

    def _carry(self) -> Steps:
        """What the ledger has on its way; sometimes what was carried before."""
        waiting = [*self.fold.on_the_way, *self.carried[-3:]]
        if waiting:
            grant = waiting[self._pick(len(waiting))]
            self.carried.append(grant)
            yield from self._take(grant.to, grant)

    def _take(self, region: str, grant: Grant) -> Steps:
        last = self.last_grant.get(grant.donor, "")
        words = [
            region,
            grant.donor,
            str(grant.number),
            grant.to,
            units_text(grant.units),
            " ".join(REGIONS),
            str(last),
        ]
        names = [self._key(name, region) for name in (keys.log, keys.stop, keys.stock, keys.grants)]
        answer = yield from self._run(region, "take", names, words)
        if answer == [b"taken"] and not grant.donor:
            self.reached["reissue taken"] += 1

    def _tamper(self) -> Steps:
        """Grants that must be refused wherever they come."""
        region, how = self._region(), self._pick(3)
        taken = [Grant(*name, region, one.units) for name, one in self.fold.shares[region].taken.items()]
        if how == 0 and taken:
            true = taken[self._pick(len(taken))]
            first, last = true.units[0]
            yield from self._take(region, true._replace(units=((first, last + 1), *true.units[1:])))
        elif how == 1:
            other = REGIONS[(REGIONS.index(region) + 1) % len(REGIONS)]
            foreign = (
                Grant(other, 1, other, ((0, 3),)),
                Grant(region, 1, region, ((0, 3),)),
                Grant("west", 1, region, ((0, 3),)),
            )
            yield from self._take(region, foreign[self._pick(3)])
        elif self.last_grant:
            donor, last_number = next(iter(self.last_grant.items()))
            yield from self._take(region, Grant(donor, last_number + 1 + self._pick(2), region, ((0, 8),)))

    def _again(self) -> Steps:
        """A command whose reply was lost, or that a carrier or the network held back for long, comes (again)."""
        if self.sent:
            self.reached["a command again"] += 1
            region, script, command = self.sent[-1 - self._pick(min(len(self.sent), 64))]
            yield from self._send(region, script, command)

    def _wild(self) -> Steps:
        region, what = self._region(), self._pick(4)
        if what == 0:
            self.lost.add(region)
            self.reached["stock lost"] += 1
            yield ("DEL", self._key(keys.stock, region))
        elif what == 1 and self._pick(2):
            self.is_stopped = True
            self.reached["sale stopped"] += 1
            for name in REGIONS:
                yield ("SET", self._key(keys.stop, name), "cancelled", "NX")

    # What the arbiter does.

    def _read(self) -> Steps:
        yield from self._read_to_end(self._region())

    def _read_to_end(self, region: str) -> Steps:
        if region in self.fold.fenced_out:
            return
        found = yield ("XRANGE", self._key(keys.log, region), f"{self.read[region] + 1}-0", "+")
        first, lines = lines_in([(number, *fields.items()) for number, fields in found])
        fresh = lines[self.read[region] + 1 - first :] if lines else []
        self.fold.deliver_all(region, fresh)
        self.read[region] += len(fresh)
        self.reached["read"] += bool(fresh)
        assert self.fold.account().stock == STOCK

    def _look(self) -> None:
        """Count what was read; a sale all of whose units are sold is decided then."""
        if not self.fold.is_decided:
            decisions = self.fold.see(self.fold.look({}, 0, 0))
            self.reached["sold out"] += bool(decisions)

    def _fence(self) -> Steps:
        """First stopped, then read to its end, then out."""
        region = self._region()
        if len(self.fold.regions) == 1 or region not in self.fold.regions or self._pick(3):
            return
        if not self.fold.shares[region].is_stocked:
            return
        yield ("SET", self._key(keys.stop, region), "fenced", "NX")
        yield from self._read_to_end(region)
        self._look()
        if self.fold.is_decided:
            return
        self.reached["grant to a fenced region"] += any(grant.to == region for grant in self.fold.on_the_way)
        self.fold.fence(region, "burnt down")
        self.last_grant[region] = len(self.fold.shares[region].granted)
        self.reached["fenced"] += 1
        self.reached["estate"] += bool(self.fold.estate)
        assert self.fold.account().stock == STOCK

    def _reissue(self) -> Steps:
        to = self._region()
        self._look()
        if self.fold.estate and not self.fold.is_decided and to in self.fold.regions:
            record = self.fold.reissue(to, 1)
            self.reached["reissued"] += 1
            assert self.fold.account().stock == STOCK
            yield from self._take(to, Grant("", record.number, to, record.units))

    def _undisturbed(self) -> Steps:
        """One carrier by itself: what is on its way arrives."""
        for region in REGIONS:
            yield from self._set_up_quietly(region)
        self._look()
        on_the_way = self.fold.on_the_way
        self.reached["grant on its way at the end"] += bool(on_the_way)
        for grant in on_the_way:
            yield from self._take(grant.to, grant)
        for region in REGIONS:
            yield from self._read_to_end(region)
        self._look()

    def _account(self) -> Steps:
        """All logs from their beginning, by a fold that knows nothing else; and what the stores say of themselves."""
        stuck = [grant for grant in self.fold.on_the_way if grant.to not in self.lost]
        assert self.is_stopped or not stuck, f"on the way for ever: {stuck}"
        sold: list[int] = []
        for region in REGIONS:
            share = self.fold.shares[region]
            sold += share.sold
            self.reached["unit sold far from its first region"] += any(
                unit not in each(self.terms.share(region)) for unit in share.sold
            )
            stock = yield ("HGETALL", self._key(keys.stock, region))
            if region not in self.lost and share.is_stocked:
                has = dict(zip(stock[::2], stock[1::2], strict=True)) if isinstance(stock, list) else stock
                assert has[b"free"].decode() == units_text(share.free)
                assert int(has[b"given"]) == len(share.granted)
                assert int(has[b"asked"]) >= len(share.sold)
            for told, (where, unit) in self.told.items():
                if where == region:
                    request = share.sold[unit]
                    assert share.buyers[told.split(" ")[0]] == request
        assert len(set(sold)) == len(sold) <= STOCK, f"units sold twice: {sorted(sold)}"
        assert self.fold.account().stock == STOCK
        assert self.fold.sold == len(sold)

    # How it is sent.

    def _key(self, of: Any, region: str) -> str:
        return str(of(f"{self.name}-{region}"))

    def _run(self, region: str, script: str, names: list[str], words: list[str]) -> Generator[Command, Any, Any]:
        command = ("EVAL", source(script), len(names), *names, *words)
        self.sent.append((region, script, command))
        return (yield from self._send(region, script, command))

    def _send(self, region: str, script: str, command: Command) -> Generator[Command, Any, Any]:
        answer = yield command
        for one in answer if script == "sell" else [answer]:
            word, more = one[0].decode(), f" {one[1].decode()}" if one[0] == b"refused" else ""
            self.reached[f"{script} {word}{more}"] += 1
        if script == "sell":
            first = 3 + command[2] + 2
            for buyer, one in zip(command[first : first + len(answer)], answer, strict=True):
                self._hear(region, buyer, one)
        return answer


def play(client: redis.Redis, schedules: list[Schedule]) -> None:
    """All schedules side by side, one step of each at a time. One that fails is named by its bytes.

    Raises:
        AssertionError: one of them broke the account.
    """
    running: list[tuple[Schedule, Steps, Any]] = [(schedule, schedule.steps(), None) for schedule in schedules]
    while running:
        asked: list[tuple[Schedule, Steps, Command]] = []
        for schedule, steps, answer in running:
            try:
                asked.append((schedule, steps, steps.send(answer)))
            except StopIteration:
                continue
            except (AssertionError, Contradiction) as error:
                raise AssertionError(f"schedule {schedule.given.hex()}: {error}") from error
        pipeline = client.pipeline(transaction=False)
        for _, _, command in asked:
            pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
        answers = pipeline.execute() if asked else []
        running = [(schedule, steps, answer) for (schedule, steps, _), answer in zip(asked, answers, strict=True)]
