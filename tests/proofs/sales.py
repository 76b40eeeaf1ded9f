"""Whole sales in true nanoseconds: hosts with journalled clocks, regions, an arbiter that looks, a signed bundle.

Buyers press at true times; a host stamps by its own clock; the entry reaches its region's log a little later, and the
arbiter after some travel. The arbiter's fold is the model's. A region may lie: hold its mark back and log a friend with
a stamp from the past.
"""

import random
from dataclasses import dataclass, field
from hashlib import sha256
from heapq import heappop, heappush
from pathlib import Path

from model import wire
from model.deliveries import Deliveries
from model.folds import new_fold
from model.outcomes import Standing
from model.replies import parse_line
from model.terms import Terms, read_terms
from model.vocabulary import Decision, Entry, Naming, Seen
from tests.proofs.journals import CalmHost
from tests.signer import Signers
from tests.stories import OPENS_NS, SEED

MS = 1_000_000
REGIONS = ("north", "south", "west")
TRAVEL_NS = {"north": 2 * MS, "south": 20 * MS, "west": 35 * MS}
GRACE_NS = 60 * MS
SKEW_NS = 12 * MS
LOOK_EVERY_NS = 5 * MS


@dataclass(frozen=True)
class Lie:
    """A region that holds its mark back by `lag_ns` more than its grace, and a friend who comes late."""

    region: str
    lag_ns: int
    friend_comes_ns: int
    """After the opening, in truth."""
    friend_stamped_ns: int
    """After the opening, as logged."""
    lets_go: bool = True
    """Whether its mark is as it should be once the friend is logged."""


@dataclass
class Sale:
    """What happened, and how to write it down."""

    terms: Terms
    hosts: dict[str, CalmHost]
    lines: dict[str, list[bytes]]
    decisions: list[Decision]
    standing: Standing
    signers: Signers
    buyers: dict[str, str] = field(default_factory=dict)

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
            for entry in (each for each in map(parse_line, log) if isinstance(each, Entry)):
                outcome = self.standing.outcome(name, entry.seq, entry.request, entry.buyer)
                assert outcome is not None
                lines.append(wire.outcome_line(outcome))
        return lines


def a_sale(
    requests: int = 150, stock: int = 20, *, seed: int = 1, lasts_ns: int = 400 * MS, lie: Lie | None = None,
    signed: bool = True, silent: str = "", secret: str = "", hosts_each: int = 2, polls: int = 18,
) -> Sale:  # fmt: skip
    """A sale of some buyers, of whom every twelfth presses in two regions and every tenth waits in the lobby.

    Args:
        silent: a region that falls silent half-way, and is cut off.
        secret: other keys come of another one.
        polls: how often each host asks a time server.
    """
    chance = random.Random(seed)
    signers = Signers(REGIONS, secret)
    terms = terms_of(signers if signed else None, stock)
    hosts = hosts_of(chance, hosts_each, polls)
    presses = _presses(chance, requests, lasts_ns)
    logged = {name: list[tuple[int, str, bytes]]() for name in REGIONS}
    arrivals = [(at_ns + chance.randrange(1, 8) * MS, at_ns, region, buyer) for at_ns, region, buyer in presses]
    if lie is not None:
        at_ns = OPENS_NS + lie.friend_comes_ns
        arrivals.append((at_ns, at_ns, lie.region, "friend"))
    for logged_ns, at_ns, region, buyer in sorted(arrivals):
        log = logged[region]
        stamped_ns = OPENS_NS + lie.friend_stamped_ns if lie is not None and buyer == "friend" else at_ns
        stamp_ns, bound_ns, clock = hosts[f"{region}-{chance.randint(1, hosts_each)}"].stamp(stamped_ns)
        request = request_id(region, buyer, at_ns)
        before, after = wire.log_line_halves(request, buyer, stamp_ns, bound_ns, clock, stamped_ns - 30 * MS)
        log.append((logged_ns, buyer, f"{before}{len(log) + 1}{after}".encode()))
    return performed(terms, hosts, logged, signers, lie, silent)


def terms_of(signers: Signers | None, stock: int, **more: object) -> Terms:
    """Terms of a sale of half a minute, with a lobby."""
    proposed = {
        "title": "Ten pairs of shoes", "stock": stock, "opens": "2026-11-27T20:00:00Z",
        "closes": "2026-11-27T20:00:30Z", "entries_from": "2026-11-27T19:59:50Z", "regions": list(REGIONS),
        "skew_bound_ns": str(SKEW_NS), "intake_grace_ns": str(GRACE_NS), "cut_off_after_ns": str(500 * MS),
        **({"keys": signers.keys()} if signers is not None else {}), **more,
    }  # fmt: skip
    return read_terms(proposed).committed(SEED)


def hosts_of(chance: random.Random, hosts_each: int, polls: int) -> dict[str, CalmHost]:
    """Each region's hosts, from a minute before the opening on."""
    return {
        f"{name}-{number}": CalmHost(f"{name}-{number}", chance.randrange(-30_000, 30_000), chance, 10**12).run(
            OPENS_NS - 60_000 * MS, OPENS_NS + 12_000 * MS, 72_000 * MS // polls
        )
        for name in REGIONS
        for number in range(1, hosts_each + 1)
    }


def request_id(region: str, buyer: str, at_ns: int) -> str:
    """As random as a gateway's, and the same again."""
    return f"{region}.{sha256(f'{buyer}{at_ns}'.encode()).hexdigest()[:24]}"


def _presses(chance: random.Random, requests: int, lasts_ns: int) -> list[tuple[int, str, str]]:
    presses = []
    for number in range(requests):
        region = chance.choices(REGIONS, (4, 2, 4))[0]
        in_lobby = chance.random() < 0.1
        at_ns = OPENS_NS + (chance.randrange(-8_000 * MS, 0) if in_lobby else chance.randrange(lasts_ns))
        presses.append((at_ns, region, f"buyer-{number}"))
        if number % 12 == 0:
            other = chance.choice([name for name in REGIONS if name != region])
            presses.append((at_ns + chance.randrange(40 * MS), other, f"buyer-{number}"))
    return presses


def performed(
    terms: Terms, hosts: dict[str, CalmHost], logged: dict[str, list[tuple[int, str, bytes]]], signers: Signers,
    lie: Lie | None = None, silent: str = "",
) -> Sale:  # fmt: skip
    """Let the arbiter look every few milliseconds, and record what follows.

    Args:
        logged: by region each line, with when it came to its log and whose it is.
    """
    fold, standing, decisions = new_fold(terms, SEED), Standing(terms), list[Decision]()
    events: list[tuple[int, str, bytes]] = []
    for name, log in logged.items():
        for logged_ns, _, line in log:
            heappush(events, (logged_ns + TRAVEL_NS[name], name, line))
    now_ns = OPENS_NS - 9_000 * MS
    falls_silent_ns, looked_ns = OPENS_NS + 60 * MS, now_ns
    delivered = {name: list[bytes]() for name in REGIONS}

    def record(following: list[Decision]) -> None:
        for decision in following:
            decisions.append(decision)
            standing.apply(decision, fold.buyer_of(decision.request) if isinstance(decision, Naming) else None)

    while not fold.over:
        now_ns += LOOK_EVERY_NS if now_ns > OPENS_NS - 100 * MS else 100 * MS
        while events and events[0][0] <= now_ns:
            arrived_ns, name, line = heappop(events)
            if name != silent or arrived_ns < falls_silent_ns:
                fold.deliver_all(name, [line])
                delivered[name].append(line)
        marks = {name: _mark_ns(fold, name, now_ns, lie, silent, falls_silent_ns) for name in fold.regions}
        seen = fold.look(marks, now_ns, now_ns + MS)
        following = fold.see(seen)
        is_due = terms.kind == "auction" and now_ns - looked_ns >= terms.look_every_ns
        if following or is_due or (not events and fold.sold_out and not fold.over):
            looked_ns = now_ns
            record([seen, *following])
        if silent in fold.regions and now_ns > falls_silent_ns + terms.cut_off_after_ns:
            seen = fold.look(marks, now_ns, now_ns + MS)
            record([seen, *fold.see(seen)])
            cut, following = fold.cut_off(silent)
            record([cut, *following])
        if fold.sold_out and not events and not fold.over:
            record([fold.close()])
    return Sale(terms, hosts, delivered, decisions, standing, signers)


def _mark_ns(fold: Deliveries, name: str, now_ns: int, lie: Lie | None, silent: str, falls_silent_ns: int) -> int:
    """The newest mark that can have come from a region, and never one that its own log breaks."""
    heard_ns = min(now_ns, falls_silent_ns) if name == silent else now_ns
    mark_ns = heard_ns - TRAVEL_NS[name] - GRACE_NS
    if lie is not None and lie.region == name:
        held = not lie.lets_go or now_ns < OPENS_NS + lie.friend_comes_ns + TRAVEL_NS[name] + LOOK_EVERY_NS
        mark_ns = mark_ns - lie.lag_ns if held else mark_ns
    return max(mark_ns, fold.delivered(name).mark_ns)


def looks_of(sale: Sale) -> list[Seen]:
    """The looks that were recorded."""
    return [decision for decision in sale.decisions if isinstance(decision, Seen)]
