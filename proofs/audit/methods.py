"""What differs by the way of selling, in one place: how logs are read, what is asked of them, what is measured.

The road is the same for all (`__init__.py`); a method says what some of its stops are. An ordered sale is drawn by the
arbiter: a flash sale, an auction of sealed bids, a reservation whose units are held down a list. At the door
(`sharded`, and `central` with one region that has all) regions sell units themselves.
"""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from model.auction_invariants import AUCTION_PROMISES
from model.invariants import (
    PROMISES,
    no_stamp_follows_below_a_mark_that_was_seen,
    stamps_keep_their_bound_and_the_sales_hours,
)
from model.reservation_invariants import RESERVATION_PROMISES, ReservationInvariant
from model.vocabulary import RegionName
from proofs.audit import back_dating, bidding, demand, fairness, turns
from proofs.audit.back_dating import BackDating
from proofs.audit.bidding import Bidding
from proofs.audit.case import Case
from proofs.audit.demand import Demand
from proofs.audit.door import DoorLog
from proofs.audit.entries import Bids, OnlyEntries, Reader
from proofs.audit.fairness import Fairness
from proofs.audit.outcomes import (
    AUCTION_REASONS,
    REASONS,
    RESERVATION_REASONS,
    check_door_outcomes,
    check_outcomes,
)
from proofs.audit.places import check_grants, check_places
from proofs.audit.replies import EntriesAndReplies
from proofs.audit.series import confirmed, drawn
from proofs.audit.turns import Turns

Stop: TypeAlias = Callable[[Case], None]


def _not_measured(_case: Case) -> None:
    """Says nothing about such sales."""


@dataclass(frozen=True, slots=True)
class Method:
    """How a sale is audited.

    Attributes:
        kinds: the types of decision that such a sale may have.
        reasons: why somebody who was logged may have lost.
        reader: how its regions' logs are read.
        before: what is asked of the logs together before each is read for itself; with what that stop is called.
        between: what is asked of them once they are sound, before decisions are made again.
        check_outcomes: what everybody was told.
        promises: of `model/invariants.py` and its like, those that are about such sales.
        winners_ns: the stamps of those who won, by region.
        back_dating: what stamps could have been, where an earlier one is worth anything.
        fairness: who could have been first, where somebody decides that.
        list_fairness: the same of a reservation's whole list.
        demand: who sold how much, where regions do.
        bidding: who bid how much, where there are bids.
        turns: who held what until when, where units are held.
    """

    kinds: tuple[str, ...]
    reasons: tuple[str, ...]
    reader: Reader
    before: tuple[tuple[str, Stop], ...]
    between: tuple[tuple[str, Stop], ...]
    check_outcomes: Stop
    promises: tuple[ReservationInvariant, ...]
    winners_ns: Callable[[Case], Mapping[RegionName, "array[int]"]]
    back_dating: Callable[[Case], BackDating | None]
    fairness: Callable[[Case], Fairness | None] = fairness.state
    list_fairness: Callable[[Case], Fairness | None] = _not_measured
    demand: Callable[[Case], Demand | None] = _not_measured
    bidding: Callable[[Case], Bidding | None] = _not_measured
    turns: Callable[[Case], Turns | None] = _not_measured


def of(case: Case) -> Method:
    """The method of a sale; that of most where its terms are not known, and then little is asked."""
    terms = case.terms
    if terms is None:
        return FLASH
    if terms.method != "ordered":
        return AT_THE_DOOR
    return {"flash": FLASH, "auction": AUCTION, "reservation": RESERVATION}[terms.kind]


def _all_entries(case: Case) -> Mapping[RegionName, "array[int]"]:
    """Whoever has an entry has a unit."""
    return {name: log.stamps_ns for name, log in (case.logs or {}).items()}


FLASH: Final = Method(
    kinds=("seen", "won", "sold_out", "cut_off", "cancelled", "halted", "complete", "beacon", "closed"),
    reasons=REASONS,
    reader=OnlyEntries,
    before=(),
    between=(),
    check_outcomes=check_outcomes,
    promises=PROMISES,
    winners_ns=drawn,
    back_dating=back_dating.measure,
)
AUCTION: Final = Method(
    kinds=("seen", "won", "cut_off", "cancelled", "halted", "complete", "beacon", "closed"),
    reasons=AUCTION_REASONS,
    reader=Bids,
    before=(),
    between=(),
    check_outcomes=check_outcomes,
    promises=AUCTION_PROMISES,
    winners_ns=drawn,
    back_dating=back_dating.measure_bids,
    fairness=fairness.state_bids,
    bidding=bidding.state,
)
RESERVATION: Final = Method(
    kinds=(
        "seen", "listed", "held", "list_full", "confirmed", "released", "expired", "sold_out", "complete", "cut_off",
        "cancelled", "halted", "closed",
    ),
    reasons=RESERVATION_REASONS,
    reader=EntriesAndReplies,
    before=(),
    between=(),
    check_outcomes=check_outcomes,
    promises=RESERVATION_PROMISES,
    winners_ns=confirmed,
    back_dating=back_dating.measure_replies,
    fairness=fairness.state_first_units,
    list_fairness=fairness.state_list,
    turns=turns.state,
)  # fmt: skip
AT_THE_DOOR: Final = Method(
    kinds=("seen", "sold_out", "cut_off", "fenced", "reissued", "cancelled", "halted", "complete", "closed"),
    reasons=(),
    reader=DoorLog,
    before=(("grants and who took them", check_grants),),
    between=(("units, region by region", check_places),),
    check_outcomes=check_door_outcomes,
    promises=(stamps_keep_their_bound_and_the_sales_hours, no_stamp_follows_below_a_mark_that_was_seen),
    winners_ns=_all_entries,
    back_dating=_not_measured,
    fairness=_not_measured,
    demand=demand.state,
)
