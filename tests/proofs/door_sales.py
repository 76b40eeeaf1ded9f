"""Whole sales at the door in true nanoseconds: hosts with journalled clocks, regions that sell, an arbiter, a bundle.

Buyers press at true times; a host stamps by its own clock, and the region sells at once, if it has a unit. The arbiter
reads every log with some travel, looks, has units given where few ask, carries them, fences a region out and reissues
what it had. Every step of a region is the model's (`model/share.py`), every decision its fold's (`model/shards.py`);
what an export would write is written and signed.
"""

import random
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from model import wire
from model.moves import line_of
from model.outcomes import Standing
from model.rebalance import Demand, transfers
from model.shards import Grant, ShardedFold
from model.share import Share
from model.terms import Terms, read_terms
from model.units import count, split_last
from model.vocabulary import Decision, Entry, Fenced, Granted, Line, Refused, Seen, Stocked, Taken
from tests.proofs.journals import CalmHost
from tests.proofs.sales import GRACE_NS, MS, REGIONS, SKEW_NS, TRAVEL_NS
from tests.signer import Signers
from tests.stories import OPENS_NS, SEED

BALANCED_EVERY_NS = 40 * MS
ASKS = (8, 1, 1)
"""How often units are asked for in each region."""


class Store:
    """One region's store, as the scripts keep it: a log, and the share that it tells."""

    def __init__(self, region: str, terms: Terms) -> None:
        self.share, self.terms = Share(region), terms
        self.lines: list[bytes] = []
        self.logged_ns: list[int] = []
        self.asked = 0
        self.is_stopped = False

    def append(self, line: Line, now_ns: int) -> None:
        self.share.apply(self.terms, line)
        self.lines.append(line_of(line))
        self.logged_ns.append(now_ns)

    @property
    def next_seq(self) -> int:
        return len(self.lines) + 1

    def sell(self, request: str, buyer: str, stamp_ns: int, bound_ns: int, clock: str, now_ns: int) -> bool:
        """A purchase; False where nothing is free here."""
        self.asked += 1
        if self.is_stopped or not self.share.free or buyer in self.share.buyers:
            return False
        unit = self.share.free[0][0]
        self.append(Entry(self.next_seq, request, buyer, stamp_ns, bound_ns, clock, 0, unit), now_ns)
        return True

    def give(self, to: str, wanted: int, now_ns: int) -> None:
        _, units = split_last(self.share.free, wanted)
        if units and not self.is_stopped:
            self.append(Granted(self.next_seq, len(self.share.granted) + 1, to, units), now_ns)

    def take(self, grant: Grant, now_ns: int) -> None:
        """A grant is carried here, perhaps again."""
        if self.is_stopped or (grant.donor, grant.number) in self.share.taken:
            return
        self.append(Taken(self.next_seq, grant.donor, grant.number, grant.units), now_ns)


@dataclass
class DoorSale:
    """What happened, and how to write it down."""

    terms: Terms
    hosts: dict[str, CalmHost]
    lines: dict[str, list[bytes]]
    decisions: list[Decision]
    standing: Standing
    signers: Signers
    fold: ShardedFold
    turned_away: int

    def write(self, folder: Path) -> Path:
        """The bundle, signed."""
        files = {
            "terms.json": [self.terms.line()],
            "seed.json": [wire.canonical({"seed": SEED.hex()})],
            "decisions.jsonl": [wire.decision_line(index, each) for index, each in enumerate(self.decisions)],
            "outcomes.jsonl": self.outcomes(),
            **{f"regions/{name}.jsonl": lines for name, lines in self.lines.items()},
            **{f"clocks/{name}.jsonl": host.lines() for name, host in self.hosts.items()},
        }
        for name, lines in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"".join(line + b"\n" for line in lines))
        return self.signers.sign(folder)

    def outcomes(self) -> list[bytes]:
        """What everybody was told."""
        lines = []
        for name, log in self.lines.items():
            for entry in (wire.parse_log_line(line) for line in log if b'"type":"request"' in line):
                outcome = self.standing.outcome_of(name, entry)
                assert outcome is not None
                lines.append(wire.outcome_line(outcome))
        return lines

    def count(self, kind: str) -> int:
        """How many lines of all logs are of a type."""
        return sum(f'"type":"{kind}"'.encode() in line for lines in self.lines.values() for line in lines)


def door_terms(signers: Signers, stock: int, method: str = "sharded", **more: object) -> Terms:
    """Terms of a sale that lasts two seconds. Quotas are equal parts, as far as they go."""
    shared = {name: stock // 3 + (at < stock % 3) for at, name in enumerate(REGIONS)}
    how = {"central_region": REGIONS[0]} if method == "central" else {"quotas": shared}
    proposed = {
        "title": "Ten pairs of shoes", "stock": stock, "opens": "2026-11-27T20:00:00Z",
        "closes": "2026-11-27T20:00:02Z", "regions": list(REGIONS), "method": method,
        "skew_bound_ns": str(SKEW_NS), "intake_grace_ns": str(GRACE_NS), "cut_off_after_ns": str(500 * MS),
        "keys": signers.keys(), **how, **more,
    }  # fmt: skip
    return read_terms(proposed).committed(SEED)


def a_door_sale(
    requests: int = 60, stock: int = 30, *, seed: int = 1, method: str = "sharded", fenced: str = "", silent: str = "",
    lasts_ns: int = 900 * MS, trouble_ns: int = 500 * MS, secret: str = "", polls: int = 8, refusals: bool = True,
    **more: object,
) -> DoorSale:  # fmt: skip
    """A sale of some buyers, most of whom press in the north.

    Args:
        fenced: a region that is fenced out `trouble_ns` after the opening, what it had left being reissued.
        silent: one that the arbiter cannot reach from then on, and that is cut off.
        refusals: whether somebody offers regions grants that they must not take.
    """
    chance, signers = random.Random(seed), Signers(REGIONS, secret)
    terms = door_terms(signers, stock, method, **more)
    hosts = {
        name: CalmHost(f"{name}-1", chance.randrange(-30_000, 30_000), chance, 10**12).run(
            OPENS_NS - 60_000 * MS, OPENS_NS + 12_000 * MS, 72_000 * MS // polls
        )
        for name in REGIONS
    }
    here = (terms.central_region,) if terms.central_region else REGIONS
    weights = ASKS[: len(here)]
    presses = sorted(
        (OPENS_NS + MS + chance.randrange(lasts_ns), chance.choices(here, weights)[0], f"buyer-{number}")
        for number in range(requests)
    )
    stores = {name: Store(name, terms) for name in REGIONS}
    for name, store in stores.items():
        store.append(Stocked(1, terms.share(name)), OPENS_NS - 1_000 * MS)
    return _Run(terms, hosts, stores, signers, presses, fenced, silent, refusals, trouble_ns).performed()


class _Run:
    def __init__(
        self, terms: Terms, hosts: dict[str, CalmHost], stores: dict[str, Store], signers: Signers,
        presses: list[tuple[int, str, str]], fenced: str, silent: str, refusals: bool, trouble_ns: int,
    ) -> None:  # fmt: skip
        self.terms, self.hosts, self.stores, self.signers = terms, hosts, stores, signers
        self.presses, self.fenced, self.silent, self.refusals = presses, fenced, silent, refusals
        self.fold, self.standing = ShardedFold(terms), Standing(terms)
        self.decisions: list[Decision] = []
        self.turned_away = 0
        self.trouble_ns = OPENS_NS + trouble_ns

    def performed(self) -> DoorSale:
        """Time goes by in steps of five milliseconds."""
        now_ns, balanced_ns = OPENS_NS - 500 * MS, OPENS_NS
        while not self.fold.over:
            now_ns += 5 * MS
            self._press(now_ns)
            self._read(now_ns)
            self._carry(now_ns)
            if now_ns - balanced_ns >= BALANCED_EVERY_NS and not self.fold.is_decided:
                self._balance(now_ns, now_ns - balanced_ns)
                balanced_ns = now_ns
            self._decide(now_ns)
        delivered = {name: store.lines[: self._counted(name)] for name, store in self.stores.items()}
        return DoorSale(
            self.terms, {host.name: host for host in self.hosts.values()}, delivered, self.decisions, self.standing,
            self.signers, self.fold, self.turned_away,
        )  # fmt: skip

    def _counted(self, name: str) -> int:
        return self.standing.counted.get(name, 0)

    def _is_away(self, name: str, now_ns: int) -> bool:
        return name == self.silent and now_ns > self.trouble_ns

    def _press(self, now_ns: int) -> None:
        while self.presses and self.presses[0][0] <= now_ns:
            at_ns, region, buyer = self.presses.pop(0)
            stamp_ns, bound_ns, clock = self.hosts[region].stamp(at_ns)
            request = f"{region}.{sha256(f'{buyer}{at_ns}'.encode()).hexdigest()[:24]}"
            sold = self.stores[region].sell(request, buyer, stamp_ns, bound_ns, clock, now_ns)
            self.turned_away += not sold

    def _read(self, now_ns: int) -> None:
        for name in self.fold.regions:
            if self._is_away(name, now_ns):
                continue
            store, done = self.stores[name], self.fold.delivered(name).seq
            while done < len(store.lines) and store.logged_ns[done] + TRAVEL_NS[name] <= now_ns:
                self.fold.deliver(name, store.lines[done])
                done += 1

    def _carry(self, now_ns: int) -> None:
        for grant in self.fold.on_the_way:
            store = self.stores[grant.to]
            if not self._is_away(grant.to, now_ns) and not self.fold.is_decided:
                store.take(grant, now_ns)
                if self.refusals and grant.units and not store.is_stopped:
                    self.refusals = False
                    other = (*grant.units[:-1], (grant.units[-1][0], grant.units[-1][1] + 1))
                    store.append(Refused(store.next_seq, grant.donor, grant.number, other, "altered"), now_ns)

    def _balance(self, now_ns: int, elapsed_ns: int) -> None:
        if not self.terms.rebalances:
            return
        names = list(self.terms.regions)
        on_the_way = Counter[str]()
        for grant in self.fold.on_the_way:
            on_the_way[grant.to] += count(grant.units)
        asked = [
            Demand(
                count(self.stores[name].share.free), on_the_way[name],
                self.stores[name].asked * 1_000_000_000_000 // elapsed_ns,
                name in self.fold.regions and not self._is_away(name, now_ns),
            )
            for name in names
        ]  # fmt: skip
        for store in self.stores.values():
            store.asked = 0
        for move in transfers(asked, self.terms.closes_ns - now_ns):
            self.stores[names[move.donor]].give(names[move.recipient], move.units, now_ns)

    def _decide(self, now_ns: int) -> None:
        following = self.fold.see(self._look(now_ns))
        if following:
            self._record([self._look(now_ns), *following])
        self._interfere(now_ns)
        if self.fold.is_decided and not self.fold.over:
            for store in self.stores.values():
                store.is_stopped = True
            if all(self._is_read(name) for name in self.fold.regions):
                seen = self._look(now_ns)
                self._record([seen, *self.fold.see(seen), self.fold.close()])

    def _interfere(self, now_ns: int) -> None:
        fenced, away = self.fenced, self.silent
        if fenced in self.fold.regions and now_ns > self.trouble_ns and not self.fold.is_decided:
            self.stores[fenced].is_stopped = True
            if self._is_read(fenced):
                seen = self._look(now_ns)
                record, follows = [seen, *self.fold.see(seen)], list[Decision]()
                if not self.fold.is_decided:
                    out, follows = self.fold.fence(fenced, "its store is to be taken down")
                    record.append(out)
                self._record([*record, *follows])
        if self.fold.estate and not self.fold.is_decided and self.terms.rebalances:
            seen = self._look(now_ns)
            following = self.fold.see(seen)
            again = [] if self.fold.is_decided else [self.fold.reissue("north", min(3, count(self.fold.estate)))]
            self._record([seen, *following, *again])
        if away in self.fold.regions and now_ns > self.terms.closes_ns + self.terms.cut_off_after_ns:
            seen = self._look(now_ns)
            following = self.fold.see(seen)
            cut, follows = self.fold.cut_off(away)
            self._record([seen, *following, cut, *follows])

    def _is_read(self, name: str) -> bool:
        return self.fold.delivered(name).seq == len(self.stores[name].lines)

    def _look(self, now_ns: int) -> Seen:
        marks = {}
        for name in self.fold.regions:
            heard_ns = min(now_ns, self.trouble_ns) if name == self.silent else now_ns
            marks[name] = max(heard_ns - TRAVEL_NS[name] - GRACE_NS, self.fold.delivered(name).mark_ns)
        return self.fold.look(marks, now_ns, now_ns + MS)

    def _record(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            self.decisions.append(decision)
            self.standing.apply(decision)


def fenced_of(sale: DoorSale) -> list[Fenced]:
    """The regions that were fenced out."""
    return [each for each in sale.decisions if isinstance(each, Fenced)]
