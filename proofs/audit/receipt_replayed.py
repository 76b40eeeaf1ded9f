"""A receipt against the replay of its sale: the numbers behind the outcome are those that the audit counted itself."""

from collections.abc import Iterator

from model.vocabulary import SoldOut, Won
from proofs.audit.receipt_told import FILE, ReceiptReport
from proofs.audit.report import Report
from proofs.findings import Finding


def check_replayed(told: ReceiptReport, report: Report) -> None:
    """How many were in the pot that served the buyer, or in the last one; how the bids stood; that no unit was sold
    twice, where that is known now."""
    if not report.ok:
        return
    told.not_checked = [each for each in told.not_checked if "nobody else got this unit" not in each]
    if told.why is None:
        return
    for name, stated, made_again in (*_draw(told, report), *_bids(told, report)):
        if stated != made_again:
            rule = f"{name} is what the replay says"
            told.findings.append(Finding(FILE, None, rule, str(stated), str(made_again)))


def _draw(told: ReceiptReport, report: Report) -> Iterator[tuple[str, object, object]]:
    """The pot of whoever was drawn, or of the last one for who went without."""
    fairness = report.list_fairness or report.fairness
    if fairness is None or not fairness.winners or told.why is None or told.why["pot"] is None:
        return
    rank = -1
    if told.turn:
        rank = told.turn[0][1].rank
    elif isinstance(told.decision, Won):
        rank = told.decision.rank
    elif report.bidding is None and report.turns is None and not isinstance(told.decision, SoldOut):
        return
    yield "pot", told.why["pot"], fairness.pots[rank]
    yield "earliest_ns", int(told.why["earliest_ns"]), fairness.earliest_ns[rank]


def _bids(told: ReceiptReport, report: Report) -> Iterator[tuple[str, object, object]]:
    """How many bid more, and the same; where those who won and those who did not part."""
    bidding, why = report.bidding, told.why
    if bidding is None or why is None or told.entry is None or told.entry.price is None:
        return
    yield "higher", why["higher"], bidding.higher(told.entry.price)
    yield "same", why["same"], bidding.same(told.entry.price)
    yield "buyers", why["buyers"], bidding.buyers
    yield "sold", why["sold"], bidding.winners
    yield "lowest_winning", why["lowest_winning"], bidding.lowest_winning
    yield "highest_losing", why["highest_losing"], bidding.highest_losing
