"""From decisions to what each buyer is told. Pure.

The decision log records winners and turning points only, so it stays as small as the stock; every other outcome
follows from it and the entry. The gateways, the export and the audit ask the same function.

An outcome is told only when it is for good. Before that, `None`: pending. Two things can still change what becomes
of an entry that has not won: its region may be cut off below it (then the reason is `cut_off`, always), and until the
arbiter has counted it nobody knows. An entry that a `Seen` has counted can never be cut off, because a region is cut
off where the arbiter had read to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from model.guards import entry_counts
from model.holds import Holds, Turn
from model.terms import Terms
from model.vocabulary import (
    BeaconValue,
    BuyerId,
    Cancelled,
    Closed,
    Complete,
    Confirmed,
    CutOff,
    Decision,
    Entry,
    Expired,
    Fenced,
    Halted,
    Held,
    Listed,
    ListFull,
    LostReason,
    Outcome,
    RegionName,
    Released,
    RequestId,
    Seen,
    SoldOut,
    Won,
)
from model.wire import lost_line_halves, outcome_line


@dataclass(slots=True)
class Standing:
    """What the decision log says so far."""

    terms: Terms
    decisions: int = 0
    winners: dict[RequestId, Won] = field(default_factory=dict)
    winner_of: dict[BuyerId, RequestId] = field(default_factory=dict)
    counted: dict[RegionName, int] = field(default_factory=dict)
    """The last number that the arbiter has counted of each region."""
    cut_offs: dict[RegionName, int] = field(default_factory=dict)
    sold_out_at: int | None = None
    """The index of the `sold_out` record."""
    is_complete: bool = False
    """Whether every entry is in, of a sale whose draw waits for a beacon."""
    beacon: BeaconValue | None = None
    cancelled: str | None = None
    halted: str | None = None
    closed: str | None = None
    holds: Holds = field(init=False)
    """A reservation's list; empty in other sales."""

    def __post_init__(self) -> None:
        self.holds = Holds(self.terms)

    def apply(self, decision: Decision, winner: BuyerId | None = None) -> None:
        """The next record of the decision log.

        Args:
            winner: the buyer of a record that names a request only (`Naming`); elsewhere None.
        """
        match decision:
            case Seen(regions):
                self.counted.update({name: region.seq for name, region in regions.items()})
            case Won(request):
                self.winners[request] = decision
                if winner is not None:
                    self.winner_of[winner] = request
            case Listed() | Held() | ListFull() | Confirmed() | Released() | Expired():
                self.holds.apply(decision, winner)
            case SoldOut():
                self.sold_out_at = self.decisions
            case CutOff(region, seq) | Fenced(region, seq):
                self.cut_offs[region] = self.counted[region] = seq
            case Complete():
                self.is_complete = True
            case BeaconValue():
                self.beacon = decision
            case Cancelled(reason):
                self.cancelled = reason
            case Halted(reason):
                self.halted = reason
            case Closed(reason):
                self.closed = reason
        self.decisions += 1

    @property
    def over(self) -> bool:
        """Whether no record follows."""
        return self.closed is not None or self.halted is not None

    @property
    def state(self) -> str:
        """`open`, `closed`, `halted` or `cancelled`; before opening a sale is `scheduled`, which only a clock tells."""
        if self.halted is not None:
            return "halted"
        if self.cancelled is not None:
            return "cancelled"
        if self.closed is not None or self.sold_out_at is not None or self.is_complete:
            return "closed"
        return "open"

    def lost_reason(self) -> LostReason | None:
        """Why whoever has not won, and has no place on a list, has lost, as things stand; None while units may still be
        won."""
        if self.holds.is_full:
            return "list_full"
        if self.sold_out_at is not None:
            return "sold_out"
        if self.cancelled is not None:
            return "cancelled"
        if self.halted is not None:
            return "halted"
        if self.closed is not None:
            return "outbid" if self.terms.kind == "auction" else "closed"
        return None

    def outcome_of(self, region: RegionName, entry: Entry) -> Outcome | None:
        """What became of an entry, for good; None while that is not known. A unit that was sold at the door is."""
        if entry.unit is not None:
            return Outcome(entry.request, "won", unit=entry.unit)
        return self.outcome(region, entry.seq, entry.request, entry.buyer)

    def outcome(self, region: RegionName, seq: int, request: RequestId, buyer: BuyerId) -> Outcome | None:
        """The same, of an entry of an ordered sale."""
        won = self.winners.get(request)
        if won is not None and self.winner_of.get(buyer) == request:
            return Outcome(request, "won", rank=won.rank, unit=won.unit, price=won.price)
        cut_off_seq = self.cut_offs.get(region)
        if cut_off_seq is not None and not entry_counts(seq, cut_off_seq):
            return Outcome(request, "lost", reason="cut_off")
        if not self.over and seq > self.counted.get(region, 0):
            return None
        winner = self.winner_of.get(buyer)
        if winner is not None:
            return Outcome(request, "lost", reason="duplicate", of=winner)
        listed = self.holds.request_of.get(buyer)
        if listed is not None:
            return self._outcome_of_turn(request, self.holds.turns[listed])
        reason = self.lost_reason()
        return None if reason is None else Outcome(request, "lost", reason=reason)

    def _outcome_of_turn(self, request: RequestId, turn: Turn) -> Outcome | None:
        """What became of an entry whose buyer has a place on the list, by this entry or another."""
        match turn.state:
            case "confirmed" if turn.request == request:
                return Outcome(request, "won", rank=turn.rank, unit=turn.unit)
            case "confirmed":
                return Outcome(request, "lost", reason="duplicate", of=turn.request)
            case "released" | "expired":
                return Outcome(request, "lost", reason=turn.state)
        if self.cancelled is not None:
            return Outcome(request, "lost", reason="cancelled")
        if self.halted is not None:
            return Outcome(request, "lost", reason="halted")
        return None if self.sold_out_at is None else Outcome(request, "lost", reason="sold_out")

    def outcome_lines(
        self, region: RegionName, first_seq: int, requests: Sequence[RequestId], buyers: Sequence[BuyerId]
    ) -> list[bytes] | None:
        """The outcomes of consecutive entries as the lines of `outcomes.jsonl`, as `outcome` gives them one by one.

        Returns: None where some are not known.
        """
        last_seq, cut_off_seq = first_seq + len(requests) - 1, self.cut_offs.get(region)
        all_count = cut_off_seq is None or entry_counts(last_seq, cut_off_seq)
        if all_count and not self.over and last_seq > self.counted.get(region, 0):
            return None
        reason = self.lost_reason() if all_count else None
        before, after = ("", "") if reason is None else lost_line_halves(reason)
        winner_of, listed, lines = self.winner_of, self.holds.request_of, []
        for seq, (request, buyer) in enumerate(zip(requests, buyers, strict=True), start=first_seq):
            if reason is not None and buyer not in winner_of and buyer not in listed:
                lines.append(f"{before}{request}{after}")
                continue
            outcome = self.outcome(region, seq, request, buyer)
            if outcome is None:
                return None
            lines.append(outcome_line(outcome).decode())
        return "\n".join(lines).encode().split(b"\n") if lines else []
