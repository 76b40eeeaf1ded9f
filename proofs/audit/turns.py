"""What became of a reservation's list: who held which unit from when until when, what ended it, who waited in vain.

Times are the arbiter's: a unit is held from the look that gave it out, and its hold ended with the look that settled
it, each told as the latest that its clock allows. What the holder said is told by its stamp.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from model.vocabulary import Confirmed, Decision, Expired, Held, Listed, Released, Reply, RequestId
from proofs.audit.case import Case

End: TypeAlias = Literal["confirmed", "released", "expired", "held", "waiting"]
"""`held`: still, when the sale ended early; `waiting`: it never had a unit."""

_ENDS: Final[dict[type[Decision], End]] = {Confirmed: "confirmed", Released: "released", Expired: "expired"}


@dataclass(frozen=True, slots=True)
class HeldTurn:
    """One place on the list."""

    rank: int
    request: RequestId
    region: str
    end: End
    unit: int | None = None
    held_ns: int | None = None
    """When it was given out."""
    until_ns: int | None = None
    ended_ns: int | None = None
    """When that was settled; None where it never was."""
    reply_line: int | None = None
    """The line of the region's log that ended it; None where time did."""
    reply_stamp_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Turns:
    """The statement about one reservation."""

    stock: int
    places: int
    """How many the list has."""
    hold_ns: int
    is_full: bool
    ends: dict[str, int]
    """By what became of them, how many turns."""
    went_on: int
    """Units' holds that were over without a sale, and that somebody else then got."""
    turns: tuple[HeldTurn, ...]
    """By rank."""

    def by_unit(self) -> dict[int, list[HeldTurn]]:
        """Who held each unit, one after the other."""
        held: dict[int, list[HeldTurn]] = {}
        for turn in sorted(self.turns, key=lambda turn: turn.held_ns or 0):
            if turn.unit is not None:
                held.setdefault(turn.unit, []).append(turn)
        return dict(sorted(held.items()))


def state(case: Case) -> Turns | None:
    """Make the statement; None where the decisions were not reached."""
    terms, decided = case.terms, case.decided
    if terms is None or case.logs is None or decided is None:
        return None
    turns = dict[RequestId, HeldTurn]()
    for record, at_ns, reply in _steps(case):
        match record:
            case Listed(request, region, rank):
                turns[request] = HeldTurn(rank, request, region, "waiting")
            case Held(request, region, rank, unit, until_ns):
                turns[request] = HeldTurn(rank, request, region, "held", unit, at_ns, until_ns)
            case Confirmed(request) | Released(request) | Expired(request):
                line, stamp_ns = (None, None) if reply is None else (reply.seq, reply.stamp_ns)
                turns[request] = replace(
                    turns[request], end=_ENDS[type(record)], ended_ns=at_ns, reply_line=line, reply_stamp_ns=stamp_ns
                )
            case _:
                pass
    every = tuple(sorted(turns.values(), key=lambda turn: turn.rank))
    holders = Counter(turn.unit for turn in every if turn.unit is not None)
    return Turns(
        terms.stock,
        terms.places,
        terms.hold_ns,
        decided.standing.holds.is_full,
        dict(Counter(turn.end for turn in every)),
        sum(times - 1 for times in holders.values()),
        every,
    )


def _steps(case: Case) -> Iterator[tuple[Decision, int, Reply | None]]:
    """Every record of the list, with the latest time of its look, and the reply that it follows from."""
    assert case.decided is not None
    replies = settling_replies(case)
    looks = case.decided.looks
    for record, at in zip(case.decided.decisions, case.decided.at_look, strict=True):
        if isinstance(record, Listed | Held | Confirmed | Released | Expired):
            yield record, looks.latest_ns[at], replies.get(record.request)


def settling_replies(case: Case) -> dict[RequestId, Reply]:
    """By request, the reply that was decided: the confirmation of who confirmed, the release of who gave back."""
    assert case.decided is not None
    said: dict[tuple[RequestId, str], Reply] = {
        (reply.purchase, reply.says): reply for log in (case.logs or {}).values() for reply in log.replies
    }
    found = {}
    for record in case.decided.decisions:
        if isinstance(record, Confirmed | Released):
            says = "confirm" if isinstance(record, Confirmed) else "release"
            found[record.request] = said[record.request, says]
    return found
