"""The fifth stop: `decisions.jsonl`, record by record, made again by the model from logs, seed and beacon.

Before each look its entries are delivered to the fold, so that the mark it was waiting for is known before it decides:
that is what `back_dating.py` measures lateness by. Looks are kept as columns, other records as they are (as many as the
stock). At the first record that does not hold reading ends: nothing after it means anything.
"""

from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from model import wire
from model.columns import LINES_AT_ONCE
from model.deliveries import Deliveries
from model.outcomes import Standing
from model.replay import Replay
from model.vocabulary import (
    BeaconValue,
    Closed,
    Contradiction,
    CutOff,
    Decision,
    Halted,
    ListFull,
    Naming,
    RegionName,
    Seen,
)
from proofs.audit.beacon import check_entered
from proofs.audit.case import DECISIONS, Apart, Case, Decided, Looks, RegionLooks, Replayed, log_file
from proofs.audit.signed_tree import SignedTree
from proofs.findings import FindingError


def check_decisions(case: Case) -> None:
    """Take what the replay came to, if it stands on sound logs."""
    if case.logs is None or case.replayed is None:
        return
    case.take_back(case.replayed.apart)
    case.decided = case.replayed.decided
    if case.decided is None:
        return
    standing = case.decided.standing
    if case.beacon is not None and standing.beacon is None:
        case.found(DECISIONS, case.decided.records, "a beacon's value that the seed's file tells was entered")
    _expect_whole_logs(case, standing)
    if case.decided is not None:
        _expect_forward(case, case.decided.looks)
    check_entered(case)


def replay_decisions(case: Case) -> Replayed:
    """Replay the whole decision log; nothing of what the other stops find is needed for it."""
    aside = case.aside()
    try:
        decided = _replay(aside)
    except FindingError as error:
        aside.keep(error.finding)
        decided = None
    return Replayed(decided, Apart.of(aside))


def _replay(case: Case) -> Decided | None:
    if case.terms is None or case.seed is None:
        return None
    lines = _LinesInTurn(case)
    replay = Replay(case.terms, case.seed, lines)
    tree = SignedTree(case.checkpoints.get("decisions")) if case.keys is not None else None
    index, head, looks, standing = -1, wire.FIRST_HEAD, Looks(), Standing(case.terms)
    kinds, decisions, at_look, over_at_look = Counter[str](), list[Decision](), array("q"), -1
    for index, line in enumerate(case.bundle.lines(DECISIONS)):
        with _told_as_finding(DECISIONS, index + 1):
            decision = wire.parse_decision_line(index, line)
            if isinstance(decision, Seen):
                _deliver(replay.fold, lines, decision)
                _note_look(looks, replay.fold, index, decision)
            replay.apply(decision)
        kinds[kind(decision)] += 1
        if isinstance(decision, BeaconValue) and decision != case.beacon:
            rule = "the beacon's value is the one that the seed's file tells, and that its chain has signed"
            raise FindingError(DECISIONS, index + 1, rule, decision.signature)
        is_full = standing.holds.is_full or isinstance(decision, ListFull)
        if over_at_look < 0 and (replay.fold.is_decided or replay.fold.is_complete or is_full):
            over_at_look = len(looks)
        winner = replay.fold.buyer_of(decision.request) if isinstance(decision, Naming) else None
        standing.apply(decision, winner)
        if not isinstance(decision, Seen):
            decisions.append(decision)
            at_look.append(len(looks) - 1)
        if tree is not None:
            tree.extend([line], head)
        head = wire.extend(head, line)
    records = index + 1
    with _told_as_finding(DECISIONS, records or None):
        replay.finish()
    if not (decisions and isinstance(decisions[-1], Closed | Halted)):
        raise FindingError(DECISIONS, records or None, "the log ends with the sale closed or halted")
    if tree is not None:
        case.at_checkpoint["decisions"] = tree.at_checkpoint
    stated = case.head_in_manifest("decisions")
    if stated not in {"", head}:
        case.found(DECISIONS, records, "the chain ends in the manifest's head", head, stated)
    return Decided(
        records,
        head,
        tree.root() if tree is not None else b"",
        kinds,
        decisions,
        at_look,
        looks,
        standing,
        len(looks) if over_at_look < 0 else over_at_look,
    )


def kind(decision: Decision) -> str:
    """The type of a record, as its line says it."""
    name = type(decision).__name__
    told = {"SoldOut": "sold_out", "CutOff": "cut_off", "BeaconValue": "beacon", "ListFull": "list_full"}
    return told.get(name, name.lower())


def _deliver(fold: Deliveries, lines: "_LinesInTurn", seen: Seen) -> None:
    """What the look had read, ahead of its being applied."""
    for name in fold.regions:
        if name in seen.regions:
            first, last = fold.delivered(name).seq + 1, seen.regions[name].seq
            pieces = lines(name, first, last)
            while piece := list(islice(pieces, LINES_AT_ONCE)):
                fold.deliver_all(name, piece)


def _note_look(looks: Looks, fold: Deliveries, index: int, seen: Seen) -> None:
    looks.indexes.append(index)
    for column, value in (
        (looks.earliest_ns, seen.earliest_ns),
        (looks.latest_ns, seen.latest_ns),
        (looks.wanted_ns, fold.wanted_ns() if fold.waiting else -1),
    ):
        column.append(min(value, 2**63 - 1))
    for name, region in seen.regions.items():
        if name in fold.regions:
            of = looks.of.setdefault(name, RegionLooks())
            of.seqs.append(min(region.seq, 2**63 - 1))
            of.marks_ns.append(min(region.mark_ns, 2**63 - 1))


def _expect_forward(case: Case, looks: Looks) -> None:
    """The arbiter's time goes on: no look certainly lies before one that was recorded earlier."""
    latest_start_ns = 0
    for index, earliest_ns, latest_ns in zip(looks.indexes, looks.earliest_ns, looks.latest_ns, strict=True):
        if latest_ns < latest_start_ns:
            rule = "no look of the arbiter lies before an earlier one"
            case.found(DECISIONS, index + 1, rule, f"at {latest_ns} ns at the latest", f"{latest_start_ns} ns or later")
            return
        latest_start_ns = max(latest_start_ns, earliest_ns)


def _expect_whole_logs(case: Case, standing: Standing) -> None:
    """A log ends where the arbiter's last look ended, but for what is beyond a cut-off. A region that was fenced out
    was stopped before, and ends where it was read to."""
    cut_off = {each.region for each in case.decided.decisions if isinstance(each, CutOff)} if case.decided else set()
    for region, log in (case.logs or {}).items():
        counted = standing.counted.get(region, 0)
        if log.lines < counted or (log.lines > counted and region not in cut_off):
            rule = "a log ends where the arbiter's last look ended"
            case.found(log_file(region), log.lines or None, rule, f"{log.lines} lines", f"{counted}, as counted")


class _LinesInTurn:
    """The lines of logs, for a replay that asks for each once and in order: one open file per region."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._open: dict[RegionName, Iterator[bytes]] = {}

    def __call__(self, region: RegionName, first: int, last: int) -> Iterator[bytes]:
        if region not in self._open:
            self._open[region] = (line for block in self._case.blocks(region) for line in block)
        return islice(self._open[region], max(0, last - first + 1))


@contextmanager
def _told_as_finding(file: str, line: int | None) -> Iterator[None]:
    """What the model says cannot be true is a finding about this line.

    Raises:
        FindingError: it said so.
    """
    try:
        yield
    except Contradiction as error:
        raise _finding(file, line, error) from error
    except RecursionError as error:
        raise FindingError(file, line, "records are not nested deeply") from error


def _finding(file: str, line: int | None, error: Contradiction) -> FindingError:
    """What the model found, with what it expected apart where it says so."""
    decides, says, found = error.rule.partition(", and the log says ")
    if says:
        expected = decides.removeprefix("the model decides ")
        return FindingError(file, line, "every decision is what the model decides from the logs", found, expected)
    rule, bracket, detail = error.rule.partition(" (")
    where = f"region {error.region}: " if error.region else ""
    return FindingError(file, line, where + rule, detail.removesuffix(")") if bracket else "")
