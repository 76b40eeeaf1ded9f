"""What differs by the method of a sale, in one place: how its logs are read, what is asked of them, what is measured.

The road is the same for all (`__init__.py`); a method says what some of its stops are. An ordered sale is drawn by the
arbiter; at the door (`sharded`, and `central` with one region that has all) regions sell units themselves.
"""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from model.invariants import (
    PROMISES,
    Invariant,
    no_stamp_follows_below_a_mark_that_was_seen,
    stamps_keep_their_bound_and_the_sales_hours,
)
from model.vocabulary import RegionName
from proofs.audit import back_dating, demand, fairness
from proofs.audit.back_dating import BackDating
from proofs.audit.case import Case
from proofs.audit.demand import Demand
from proofs.audit.door import DoorLog
from proofs.audit.entries import OnlyEntries, Reader
from proofs.audit.fairness import Fairness
from proofs.audit.outcomes import REASONS, check_door_outcomes, check_outcomes
from proofs.audit.places import check_grants, check_places
from proofs.audit.series import drawn

Stop: TypeAlias = Callable[[Case], None]


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
        promises: of `model/invariants.py`, those that are about such sales.
        winners_ns: the stamps of those who won, by region.
        back_dating: what stamps could have been, where an earlier one is worth anything.
        fairness: who could have been first, where somebody decides that.
        demand: who sold how much, where regions do.
    """

    kinds: tuple[str, ...]
    reasons: tuple[str, ...]
    reader: Reader
    before: tuple[tuple[str, Stop], ...]
    between: tuple[tuple[str, Stop], ...]
    check_outcomes: Stop
    promises: tuple[Invariant, ...]
    winners_ns: Callable[[Case], Mapping[RegionName, "array[int]"]]
    back_dating: Callable[[Case], BackDating | None]
    fairness: Callable[[Case], Fairness | None]
    demand: Callable[[Case], Demand | None]


def of(case: Case) -> Method:
    """The method of a sale; that of most where its terms are not known, and then little is asked."""
    return ORDERED if case.terms is None or case.terms.method == "ordered" else AT_THE_DOOR


def _all_entries(case: Case) -> Mapping[RegionName, "array[int]"]:
    """Whoever has an entry has a unit."""
    return {name: log.stamps_ns for name, log in (case.logs or {}).items()}


def _not_measured(_case: Case) -> None:
    """Says nothing about such sales."""


ORDERED: Final = Method(
    kinds=("seen", "won", "sold_out", "cut_off", "cancelled", "halted", "complete", "beacon", "closed"),
    reasons=REASONS,
    reader=OnlyEntries,
    before=(),
    between=(),
    check_outcomes=check_outcomes,
    promises=PROMISES,
    winners_ns=drawn,
    back_dating=back_dating.measure,
    fairness=fairness.state,
    demand=_not_measured,
)
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
