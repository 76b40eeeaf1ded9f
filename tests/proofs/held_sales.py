"""Whole reservations in true nanoseconds, as `sales.py` has flash sales: holders confirm, let go, or let time run out.

Whoever is held a unit hears of it after some travel, thinks, and then says what chance has them say; some say it twice,
some too late. A region may lie for a friend: it holds its mark back, and logs the friend's confirmation, which comes
too late in truth, with a stamp from before.
"""

import random
from dataclasses import dataclass, field
from typing import cast

from model import wire
from model.outcomes import Standing
from model.replies import reply_line_halves
from model.reservation import ReservationFold
from model.terms import Terms
from model.vocabulary import Decision, Held, Naming, ReplyKind, Seen
from tests.proofs.journals import CalmHost
from tests.proofs.sales import GRACE_NS, LOOK_EVERY_NS, MS, REGIONS, TRAVEL_NS, Sale, hosts_of, request_id, terms_of
from tests.signer import Signers
from tests.stories import OPENS_NS, SEED

HOLD_NS = 300 * MS
STEP_NS = LOOK_EVERY_NS


@dataclass(frozen=True)
class LateFriend:
    """A region whose mark lags by `lag_ns` more while it waits for its friend, who confirms so long after the hold was
    over; what is logged is a stamp from just before."""

    region: str
    lag_ns: int
    late_ns: int


@dataclass
class _Region:
    lines: list[bytes] = field(default_factory=list)
    logged_ns: list[int] = field(default_factory=list)
    buyers: set[str] = field(default_factory=set)
    said: set[tuple[str, ...]] = field(default_factory=set)


def a_reservation(
    requests: int = 40, stock: int = 4, waiting_list: int = 7, *, seed: int = 1, silent: str = "", signed: bool = True,
    confirms: float = 0.5, friend: LateFriend | None = None, lasts_ns: int = 400 * MS, secret: str = "",
    closes: str = "2026-11-27T20:00:01Z", silent_from_ns: int = 450 * MS,
) -> Sale:  # fmt: skip
    """A reservation that takes entries for a second.

    Args:
        silent: a region that falls silent `silent_from_ns` after the opening, and is cut off.
        confirms: how likely a holder is to confirm in time; else half of them let go, the others say nothing or too
        late. secret: other keys come of another one.
    """
    chance, signers = random.Random(seed), Signers(REGIONS, secret)
    terms = terms_of(
        signers if signed else None, stock, kind="reservation", hold_ns=str(HOLD_NS), waiting_list=waiting_list,
        closes=closes,
    )  # fmt: skip
    presses = []
    for number in range(requests):
        at_ns = OPENS_NS + (chance.randrange(-8_000 * MS, 0) if number % 10 == 0 else chance.randrange(lasts_ns))
        region = chance.choice(REGIONS)
        presses.append((at_ns, region, f"buyer-{number}"))
        if number % 8 == 0:
            presses.append((at_ns + chance.randrange(40 * MS), chance.choice(REGIONS), f"buyer-{number}"))
    run = _Run(terms, hosts_of(chance, 1, 6), chance, confirms, friend, silent, OPENS_NS + silent_from_ns)
    return run.performed(sorted(presses), signers)


class _Run:
    def __init__(
        self, terms: Terms, hosts: dict[str, CalmHost], chance: random.Random, confirms: float,
        friend: LateFriend | None, silent: str, silent_from_ns: int,
    ) -> None:  # fmt: skip
        self.terms, self.hosts, self.chance, self.confirms, self.friend = terms, hosts, chance, confirms, friend
        self.silent, self.silent_from_ns = silent, silent_from_ns
        self.fold, self.standing = ReservationFold(terms, SEED), Standing(terms)
        self.decisions: list[Decision] = []
        self.stores = {name: _Region() for name in REGIONS}
        self.coming: list[tuple[int, int, str, tuple[str, ...]]] = []
        """When it is logged, when it was said, where, and what: a buyer, or a kind and a purchase."""
        self.is_full = self.is_stopped = False
        self.friends_until_ns = 0
        """When the friend's hold is over, once it has one."""

    def performed(self, presses: list[tuple[int, str, str]], signers: Signers) -> Sale:
        """Time goes by in steps of five milliseconds."""
        self.coming = [
            (at_ns + self.chance.randrange(1, 8) * MS, at_ns, region, (buyer,)) for at_ns, region, buyer in presses
        ]
        now_ns = OPENS_NS - 9_000 * MS
        while not self.fold.over:
            now_ns += STEP_NS if now_ns > OPENS_NS - 100 * MS else 100 * MS
            self._log(now_ns)
            self._read(now_ns)
            self._decide(now_ns)
        lines = {name: store.lines[: self.standing.counted.get(name, 0)] for name, store in self.stores.items()}
        return Sale(self.terms, self.hosts, lines, self.decisions, self.standing, signers)

    def _log(self, now_ns: int) -> None:
        self.coming.sort()
        while self.coming and self.coming[0][0] <= now_ns:
            logged_ns, at_ns, region, said = self.coming.pop(0)
            store = self.stores[region]
            if self.is_stopped or (len(said) == 1 and (self.is_full or said[0] in store.buyers)) or said in store.said:
                continue
            stamp_ns, bound_ns, clock = self.hosts[f"{region}-1"].stamp(at_ns)
            seq, heard_ns = len(store.lines) + 1, at_ns - 30 * MS
            if len(said) == 1:
                store.buyers.add(said[0])
                halves = wire.log_line_halves(
                    request_id(region, said[0], at_ns), said[0], stamp_ns, bound_ns, clock, heard_ns
                )
            else:
                store.said.add(said)
                halves = reply_line_halves(cast("ReplyKind", said[0]), said[1], stamp_ns, bound_ns, clock, heard_ns)
            store.lines.append(f"{halves[0]}{seq}{halves[1]}".encode())
            store.logged_ns.append(logged_ns)

    def _read(self, now_ns: int) -> None:
        for name in self.fold.regions:
            store, done = self.stores[name], self.fold.delivered(name).seq
            while done < len(store.lines) and store.logged_ns[done] + TRAVEL_NS[name] <= now_ns:
                if name == self.silent and store.logged_ns[done] + TRAVEL_NS[name] > self.silent_from_ns:
                    break
                self.fold.deliver(name, store.lines[done])
                done += 1

    def _decide(self, now_ns: int) -> None:
        seen = self._look(now_ns)
        following = self.fold.see(seen)
        if following:
            self._record([seen, *following], now_ns)
        if self.silent in self.fold.regions and now_ns > self.silent_from_ns + self.terms.cut_off_after_ns:
            seen = self._look(now_ns)
            following = self.fold.see(seen)
            cut, follows = self.fold.cut_off(self.silent)
            self._record([seen, *following, cut, *follows], now_ns)
        if self.fold.is_decided and not self.fold.over:
            self.is_stopped = True
            if all(self.fold.delivered(name).seq == len(self.stores[name].lines) for name in self.fold.regions):
                seen = self._look(now_ns)
                self._record([seen, *self.fold.see(seen), self.fold.close()], now_ns)

    def _look(self, now_ns: int) -> Seen:
        marks = {}
        for name in self.fold.regions:
            heard_ns = min(now_ns, self.silent_from_ns) if name == self.silent else now_ns
            lag_ns = 0
            if self.friend is not None and name == self.friend.region and now_ns < self._friend_is_done_ns():
                lag_ns = self.friend.lag_ns
            mark_ns = heard_ns - TRAVEL_NS[name] - GRACE_NS - lag_ns
            marks[name] = max(mark_ns, self.fold.delivered(name).mark_ns)
        return self.fold.look(marks, now_ns, now_ns + MS)

    def _friend_is_done_ns(self) -> int:
        assert self.friend is not None
        if not self.friends_until_ns:
            return 2**63
        return self.friends_until_ns + self.friend.late_ns + TRAVEL_NS[self.friend.region] + 10 * MS

    def _record(self, decisions: list[Decision], now_ns: int) -> None:
        for decision in decisions:
            self.decisions.append(decision)
            winner = self.fold.buyer_of(decision.request) if isinstance(decision, Naming) else None
            self.standing.apply(decision, winner)
            if isinstance(decision, Held):
                self._reply(decision, now_ns)
        self.is_full = self.fold.holds.is_full

    def _reply(self, held: Held, now_ns: int) -> None:
        """What a holder will say, and when."""
        hears_ns, friend = now_ns + TRAVEL_NS[held.region] + 2 * MS, self.friend
        if friend is not None and held.region == friend.region and not self.friends_until_ns:
            self.friends_until_ns = held.until_ns
            back_dated_ns = held.until_ns - self.terms.skew_bound_ns - 3 * MS
            self.coming.append((held.until_ns + friend.late_ns, back_dated_ns, held.region, ("confirm", held.request)))
            return
        says: ReplyKind
        at_ns = hears_ns + self.chance.randrange(150 * MS)
        draw = self.chance.random()
        if draw < self.confirms:
            says = "confirm"
        elif draw < (1 + self.confirms) / 2:
            says = "release"
        elif self.chance.random() < 0.5:
            says, at_ns = "confirm", held.until_ns - self.chance.randrange(2 * self.terms.skew_bound_ns)
        else:
            return
        self.coming.append((at_ns + self.chance.randrange(1, 8) * MS, at_ns, held.region, (says, held.request)))
        if self.chance.random() < 0.3:
            other = "release" if says == "confirm" else "confirm"
            later_ns = at_ns + self.chance.randrange(60 * MS)
            self.coming.append((later_ns + 2 * MS, later_ns, held.region, (other, held.request)))
