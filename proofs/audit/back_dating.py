"""How late a region could have back-dated: what the arbiter's own clock says against stamps and marks.

A stamp is a region's word. Whoever holds a region's keys could hold its mark back, wait, and then log a friend with a
stamp from before. No file proves that; but the arbiter's looks carry its own time, so they bound how much room there
was. All of it is against the arbiter's interval, taken so that the room is never told too small:

- *Mark lag*: the arbiter's time in a look minus the mark that it had read. Below its mark a region cannot stamp, so at
  that moment it could have back-dated by this much and no more. An honest region's is its intake grace and the travel.
- *Room* of an entry: the arbiter's time in the first look that counts it, minus its place. Looks are recorded only
  where something followed from them, so an entry may have been there for long: the room is an upper bound. An honest
  entry that opens a pot waits for W, grace and travel until something follows.
- *Held up*: the arbiter's time in a look minus the mark that its decision was waiting for, and minus the grace: how
  much later than the rule and the grace explain something was decided. Who held everybody up is not recorded; whose
  marks lag is.

Looks after the sale was decided count for nothing: nobody could win by them. Alarms are no findings: a slow network, an
arbiter that was started again, or a region that fell silent and was cut off all look like this.

*Reservations.* A confirmation is worth something only until the hold is over, so whoever confirms too late has a use
for an earlier stamp. A reply that settles a hold is acted on at the very look that reads it, so its room is exact: the
arbiter's time then, minus its stamp. Beyond grace and travel it is worth an alarm; and the report says how many
confirmations were read when, by the arbiter's clock, their hold could be over already, and by how much.

*Auctions.* Nothing follows from a bid before all are in, so looks are recorded now and then meanwhile, as while a
beacon is waited for: room is allowed to be as much more. What a lying region could gain most by is to bid once bidding
is over; an alarm says so where bids were counted later than closing, ε, grace and travel explain.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from model import guards
from model.terms import Terms
from model.vocabulary import Confirmed, Expired, RegionName, Released
from proofs.audit.case import Case, Decided, Log, Looks, RegionLooks
from proofs.audit.turns import settling_replies

BINS: Final = 40
"""Of the room's histogram, for the page."""


@dataclass(frozen=True, slots=True)
class Room:
    """How far one region could have back-dated, in nanoseconds; None where nothing was measured."""

    region: RegionName
    entries: int
    """Entries counted while somebody could still win."""
    room_median_ns: int | None
    room_p99_ns: int | None
    room_most_ns: int | None
    mark_lag_median_ns: int | None
    mark_lag_most_ns: int | None
    beyond_allowance: int
    """Entries with more room than W, grace and travel explain."""
    looks_beyond_allowance: int
    """Looks whose mark lagged by more than grace and travel explain."""
    histogram: tuple[int, ...]
    """Entries by room, in equal bins from 0 to `histogram_top_ns`."""
    histogram_top_ns: int
    replies: int = 0
    """Confirmations and releases that settled a hold."""
    reply_room_median_ns: int | None = None
    reply_room_most_ns: int | None = None
    replies_beyond_allowance: int = 0
    """Of those, with more room than grace and travel explain."""
    late_confirmations: int = 0
    """Confirmations that counted, and were read when their hold may have been over by the arbiter's clock."""
    late_by_most_ns: int | None = None
    """By how much, at most."""


@dataclass(frozen=True, slots=True)
class BackDating:
    """Every region's room, and what it was measured against."""

    travel_ns: int
    room_allowed_ns: int
    mark_lag_allowed_ns: int
    regions: tuple[Room, ...]
    held_up_most_ns: int | None
    """By how much the decision that came latest was later than rule and grace explain."""
    held_up_most_in: int | None
    """The line of the decision log of that look."""


def measure(case: Case) -> BackDating | None:
    """Measure every region of a sale in which places decide, and raise the alarms."""
    if case.terms is None or case.logs is None or case.decided is None:
        return None
    told = _measured_all(case, case.terms, case.logs, case.decided)
    case.alarms.extend(_alarms(told))
    return told


def measure_bids(case: Case) -> BackDating | None:
    """The same of an auction: how late a bid could have been let in."""
    if case.terms is None or case.logs is None or case.decided is None:
        return None
    told = _measured_all(case, case.terms, case.logs, case.decided)
    case.alarms.extend(_alarms(told))
    late_ns = told.held_up_most_ns
    if late_ns is not None and late_ns > told.travel_ns:
        case.alarms.append(
            f"Bids were counted {_ms(late_ns)} later than closing, ε and intake grace explain: whoever held the sale "
            "up could have let bids in meanwhile. Nothing recorded says who did."
        )
    return told


def measure_replies(case: Case) -> BackDating | None:
    """The same of a reservation: its entries, and what holders said."""
    if case.terms is None or case.logs is None or case.decided is None:
        return None
    told = _measured_all(case, case.terms, case.logs, case.decided)
    rooms, late = dict[RegionName, list[int]](), dict[RegionName, list[int]]()
    looks, turns, replies = case.decided.looks, case.decided.standing.holds.turns, settling_replies(case)
    for record, at in zip(case.decided.decisions, case.decided.at_look, strict=True):
        if not isinstance(record, Confirmed | Released):
            continue
        region, latest_ns = record.request.rpartition(".")[0], looks.latest_ns[at]
        rooms.setdefault(region, []).append(latest_ns - replies[record.request].stamp_ns)
        late_ns = latest_ns - turns[record.request].until_ns
        if isinstance(record, Confirmed) and late_ns >= 0:
            late.setdefault(region, []).append(late_ns)
    regions = []
    for room in told.regions:
        of, too_late = sorted(rooms.get(room.region, [])), late.get(room.region, [])
        beyond = _beyond(of, told.mark_lag_allowed_ns)
        regions.append(
            replace(
                room,
                replies=len(of),
                reply_room_median_ns=_percentile(of, 50),
                reply_room_most_ns=_percentile(of, 100),
                replies_beyond_allowance=beyond,
                late_confirmations=len(too_late),
                late_by_most_ns=max(too_late, default=None),
            )
        )
    told = replace(told, regions=tuple(regions))
    case.alarms.extend((*_alarms(told), *_reply_alarms(told)))
    return told


def _measured_all(case: Case, terms: Terms, logs: dict[RegionName, Log], decided: Decided) -> BackDating:
    looks = decided.looks
    mattered = min(decided.over_at_look, len(looks))
    holds = zip(decided.decisions, decided.at_look, strict=True)
    settled = 1 + max((at for record, at in holds if isinstance(record, Confirmed | Released | Expired)), default=-1)
    settled = max(settled, mattered)
    travel_ns = case.wishes.travel_ns
    between_looks_ns = terms.look_every_ns if terms.kind == "auction" or terms.beacon is not None else 0
    room_allowed_ns = terms.tie_window_ns + terms.intake_grace_ns + travel_ns + between_looks_ns
    mark_lag_allowed_ns = terms.intake_grace_ns + travel_ns
    measured = {region: _measured(terms, log, looks, mattered, settled) for region, log in logs.items()}
    top_ns = max((rooms[-1] for rooms, _ in measured.values() if rooms), default=0)
    rooms = tuple(
        _room(region, *of, room_allowed_ns, mark_lag_allowed_ns, max(top_ns, 1)) for region, of in measured.items()
    )
    held = [
        (looks.latest_ns[at] - looks.wanted_ns[at] - terms.intake_grace_ns, looks.indexes[at] + 1)
        for at in range(settled)
        if looks.wanted_ns[at] >= 0
    ]
    most = max(held, default=(None, None))
    return BackDating(travel_ns, room_allowed_ns, mark_lag_allowed_ns, rooms, *most)


def _measured(terms: Terms, log: Log, looks: Looks, mattered: int, settled: int) -> tuple["array[int]", "array[int]"]:
    """One region's rooms of entries and lags of marks, the least first; of looks while entries, or anything,
    mattered."""
    of, rooms, lags, read = looks.of.get(log.region, RegionLooks()), array("q"), array("q"), 0
    for at, (seq, mark_ns, latest_ns) in enumerate(zip(of.seqs, of.marks_ns, looks.latest_ns, strict=False)):
        if at < mattered:
            upto = log.entries_up_to(seq)
            stamps_ns = log.stamps_ns[read:upto]
            rooms.extend(latest_ns - guards.place_ns(stamp_ns, terms.opens_ns) for stamp_ns in stamps_ns)
            read = max(read, upto)
        if mark_ns and at < settled:
            lags.append(latest_ns - mark_ns)
    return array("q", sorted(rooms)), array("q", sorted(lags))


def _room(
    region: RegionName, rooms: "array[int]", lags: "array[int]", room_allowed_ns: int, lag_allowed_ns: int, top_ns: int
) -> Room:
    histogram = [0] * BINS
    for room_ns in rooms:
        histogram[min(max(room_ns, 0) * BINS // (top_ns + 1), BINS - 1)] += 1
    return Room(
        region,
        len(rooms),
        _percentile(rooms, 50),
        _percentile(rooms, 99),
        _percentile(rooms, 100),
        _percentile(lags, 50),
        _percentile(lags, 100),
        _beyond(rooms, room_allowed_ns),
        _beyond(lags, lag_allowed_ns),
        tuple(histogram),
        top_ns,
    )


def _percentile(ordered: Sequence[int], percent: int) -> int | None:
    """The least value that so many percent do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None


def _beyond(ordered: Sequence[int], allowed_ns: int) -> int:
    return len(ordered) - bisect_right(ordered, allowed_ns)


def _alarms(told: BackDating) -> Iterable[str]:
    for room in told.regions:
        if room.looks_beyond_allowance:
            yield (
                f"{room.region} could have back-dated by {_ms(room.mark_lag_most_ns)}: in "
                f"{room.looks_beyond_allowance:,} looks its mark lagged by more than intake grace and travel explain "
                f"({_ms(told.mark_lag_allowed_ns)})."
            )
    beyond = [room for room in told.regions if room.beyond_allowance]
    if beyond:
        which = ", ".join(f"{room.beyond_allowance:,} of {room.region}" for room in beyond)
        yield (
            f"Some entries were first counted later than tie window, intake grace and travel explain "
            f"({_ms(told.room_allowed_ns)}): {which}. Nothing recorded says which region held the sale up then."
        )


def _reply_alarms(told: BackDating) -> Iterable[str]:
    for room in told.regions:
        if room.replies_beyond_allowance:
            yield (
                f"{room.region} could have back-dated {room.replies_beyond_allowance:,} confirmations or releases by "
                f"up to {_ms(room.reply_room_most_ns)}: they were read later after their stamp than intake grace and "
                f"travel explain ({_ms(told.mark_lag_allowed_ns)})."
            )
            if room.late_confirmations:
                yield (
                    f"Of the confirmations that {room.region} logged and that counted {room.late_confirmations:,} were "
                    f"read when their hold was over by up to {_ms(room.late_by_most_ns)} by the arbiter's clock."
                )


def _ms(nanoseconds: int | None) -> str:
    return "unknown" if nanoseconds is None else f"{nanoseconds / 1e6:,.1f} ms"
