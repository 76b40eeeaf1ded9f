"""Why a purchase is not taken: what decisions tell, what the store tells, and what was owed before it was asked. Pure.

Next: `problems.py`, for the words.
"""

from dataclasses import dataclass

from service.gateway import problems
from service.gateway.admission import NotLogged, StoreGone
from service.gateway.answers import Answer
from service.gateway.book import Sale
from service.store import keys


def why_not_logged(sale: Sale, result: NotLogged | StoreGone, refused: Answer | None) -> Answer:
    """Why there is no entry. `refused` is what was owed unless the buyer had one already."""
    match result:
        case NotLogged("unknown") if refused is not None:
            return refused
        case NotLogged("below"):
            return problems.overloaded()
        case NotLogged("stopped", reason):
            return refusal_of(sale) or _stopped(sale, reason)
        case NotLogged("empty"):
            return refusal_of(sale) or _nothing_free(sale)
        case NotLogged("not_ready"):
            return problems.not_ready({"stock": "this region's share of the sale is not set up yet"})
        case NotLogged("stock_lost"):
            return problems.stock_lost()
        case _:
            return problems.store_gone()


def _nothing_free(sale: Sale) -> Answer:
    """No unit is free here; the arbiter has not said that all are sold."""
    if sale.terms.rebalances:
        return problems.restocking()
    return problems.sold_out(None) if sale.terms.method == "central" else problems.share_sold_out(sale.region)


@dataclass(frozen=True, slots=True)
class Refused:
    """What the caller gets unless the buyer has an entry.

    `at_once` where no entry can be there yet: two hosts of a region differ by 2ε at most, and neither lets anybody in
    whose stamp is more than ε early.
    """

    answer: Answer
    at_once: bool = False


def refusal_of(sale: Sale) -> Answer | None:
    """Why a sale takes no more entries, as far as decisions tell; None while it may."""
    standing = sale.standing
    if sale.region in standing.cut_offs:
        return problems.region_cut_off(sale.region)
    match standing.lost_reason():
        case "list_full":
            return problems.list_full()
        case "sold_out":
            return problems.sold_out(standing.sold_out_at)
        case "cancelled":
            return problems.cancelled(standing.cancelled or "")
        case "halted":
            return problems.halted()
        case "closed" | "outbid":
            return problems.too_late(sale.terms.stated["closes"])
        case _:
            return None


def _stopped(sale: Sale, reason: str) -> Answer:
    """The store was stopped before this process heard why; with the last unit the stop names the decision."""
    why, _, decision = reason.partition(":")
    match why:
        case keys.LIST_FULL:
            return problems.list_full()
        case "cancelled":
            return problems.cancelled("see the sale's events")
        case "halted":
            return problems.halted()
        case "cut_off" | "fenced":
            return problems.region_cut_off(sale.region)
        case "closed":
            return problems.too_late(sale.terms.stated["closes"])
        case _:
            return problems.sold_out(int(decision) if decision.isdigit() else None)
