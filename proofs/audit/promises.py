"""The seventh stop: the promises of its kind of sale (`model/invariants.py` and its like), asked of it as it was.

The replay has made every decision again, so a promise that fails here says that the model itself is wrong, or that two
stops of this audit disagree. That is what it is for: the promises are proved of the model, and asked of the run.
"""

from array import array
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Final

from model.invariants import Stretch
from model.reservation_invariants import Look, ReservationInvariant, ReservationRun
from model.vocabulary import Held, RequestId
from proofs.audit.case import Case, Decided, Log, Looks, RegionLooks
from proofs.findings import shortened

MOST_OF_A_KIND: Final = 5
"""Violations told of one promise; a lie about one request often breaks it for thousands."""
LONGEST_STRETCH: Final = 65_536


def check_promises(case: Case, promises: Iterable[ReservationInvariant]) -> None:
    """Ask them all, where everything that they speak of was reached."""
    if case.terms is None or case.logs is None or case.decided is None or case.told is None:
        return
    looks = case.decided.looks
    run = ReservationRun(
        case.terms,
        case.told.notable,
        case.decided.decisions,
        case.told.outcomes,
        stretches={name: partial(_stretches, log, looks.of.get(name)) for name, log in case.logs.items()},
        marks={name: _marks(looks, name) for name in case.logs},
        others=case.told.others,
        replies={name: log.replies for name, log in case.logs.items()},
        given_out=_given_out(case.decided),
    )
    for promise in promises:
        for violation in islice(promise(run), MOST_OF_A_KIND):
            case.found("", None, promise.__name__.replace("_", " "), shortened(violation))


def _stretches(log: Log, looks: RegionLooks | None) -> Iterable[Stretch]:
    """A log by extremes; no stretch goes beyond a number that a look names."""
    first = 0
    for seq in (*(looks.seqs if looks is not None else array("q")), log.lines):
        last = min(log.entries_up_to(seq), log.entries)
        for begin in range(first, last, LONGEST_STRETCH):
            end = min(begin + LONGEST_STRETCH, last)
            stamps_ns, bounds_ns = log.stamps_ns[begin:end], log.bounds_ns[begin:end]
            yield Stretch(
                log.seq_of(begin), log.seq_of(end - 1), min(stamps_ns), max(stamps_ns), min(bounds_ns), max(bounds_ns),
                min(log.prices[begin:end], default=None),
            )  # fmt: skip
        first = max(first, last)


def _given_out(decided: Decided) -> dict[RequestId, Look]:
    """By request that had a unit, the look that gave it out."""
    looks, found = decided.looks, dict[RequestId, Look]()
    for record, at in zip(decided.decisions, decided.at_look, strict=True):
        if isinstance(record, Held):
            of = looks.of.get(record.region, RegionLooks())
            seq = of.seqs[min(at, len(of.seqs) - 1)] if of.seqs else 0
            found[record.request] = Look(seq, looks.latest_ns[at])
    return found


def _marks(looks: Looks, region: str) -> Callable[[], Iterable[tuple[int, int]]]:
    of = looks.of.get(region, RegionLooks())
    return lambda: zip(of.seqs, of.marks_ns, strict=True)
