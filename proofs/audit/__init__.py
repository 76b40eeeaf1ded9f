"""The audit of a bundle: everything that can be checked by somebody who has nothing but the files.

Nothing recorded is believed. Hashes are taken again, chains, roots and tickets computed again, every decision is made
again by the model, every outcome derived again, every clock bound recomputed, every promise asked again. The road, each
stop on what the former left standing:

1. `manifest.py`: every file is the one that the manifest names.
2. `published.py`: the terms are the sale's, the seed is the one that they committed to.
3. `signing.py`: manifest and checkpoints are signed by the keys that the terms name.
4. `clocks.py`, `journal.py`: what each host's clock could know, from the raw timestamps.
5. `logs.py`: each region's log, gapless and chained; no stamp surer than its clock. Where units are sold at the door,
   `door.py`: each step of a share; `places.py`: who took what others gave, and where every unit is. Where they are
   held, `replies.py`: what holders said.
6. `decisions.py`: every decision replayed.
7. `outcomes.py`: every outcome derived.
8. `promises.py`: every promise of `model/invariants.py`.
9. `back_dating.py`, `fairness.py`, `demand.py`, `bidding.py`, `turns.py`: what cannot be decided from files, measured
   as far as they allow, and what happened, counted.

What differs by the way of selling is listed in `methods.py`, and nowhere else.

A stop that cannot be made because an earlier one failed is left out: its findings would be echoes. Logs are streamed,
three times; memory grows with the number of requests (the model must know who waits: some 450 bytes each where all wait
at once, as in a lobby, 60 where they do not) and with nothing else that a file may say. Names, links and zips are
`bundle.py`'s; the report is `report.py`'s; receipts are `receipt.py`'s.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from model.vocabulary import CutOff, Fenced
from proofs.audit import methods, series
from proofs.audit.case import Case, Wishes
from proofs.audit.clocks import Evidence, check_journals
from proofs.audit.decisions import check_decisions
from proofs.audit.logs import check_logs, check_receipts
from proofs.audit.manifest import check_heads, check_manifest
from proofs.audit.promises import check_promises
from proofs.audit.published import check_seed, check_terms
from proofs.audit.report import Report, render
from proofs.audit.signing import check_against_logs, check_signatures
from proofs.bundle import Bundle, NotABundleError, open_bundle
from proofs.findings import Finding, FindingError, shortened

__all__ = ["Finding", "NotABundleError", "Report", "Wishes", "audit", "render"]


def audit(path: Path, wishes: Wishes | None = None) -> Report:
    """Check a bundle, a folder or the same zipped.

    Raises:
        NotABundleError: there is none at this path.
    """
    with open_bundle(path) as bundle:
        case = Case(bundle, wishes or Wishes())
        for finding in bundle.findings:
            case.keep(finding)
        evidence = _walk(case)
        return _report(case, evidence, str(path))


def _walk(case: Case) -> Evidence:
    """Every stop of the road, in order. Returns the clock evidence that was found on it."""
    evidence = Evidence()

    def journals(case: Case) -> None:
        nonlocal evidence
        evidence = check_journals(case)

    _go(case, ("every file against the manifest", check_manifest), ("terms", check_terms))
    method = methods.of(case)
    _go(
        case,
        ("seed", check_seed),
        ("signatures", check_signatures),
        ("heads", check_heads),
        ("clock journals", journals),
        *method.before,
        ("regions' logs", lambda case: check_logs(case, evidence, method.reader)),
        *method.between,
        ("decisions, made again", check_decisions),
        ("stamps against looks", check_receipts),
        ("signed checkpoints", check_against_logs),
        ("outcomes", method.check_outcomes),
        ("promises", lambda case: check_promises(case, method.promises)),
    )
    case.wishes.watch("done", 1.0)
    return evidence


def _go(case: Case, *stops: tuple[str, Callable[[Case], None]]) -> None:
    """Make these stops, one after the other."""
    to_read = _bytes_to_read(case.bundle)
    for name, stop in stops:
        case.bundle.watch = partial(_watched, case, name, to_read)
        case.bundle.watch()
        try:
            stop(case)
        except FindingError as error:
            case.keep(error.finding)


def _watched(case: Case, stop: str, to_read: int) -> None:
    case.wishes.watch(stop, min(1.0, case.bundle.read_bytes / to_read))


def _bytes_to_read(bundle: Bundle) -> int:
    """All files once for their hashes; then decisions, outcomes and journals once, and logs three times."""
    once = sum(map(bundle.size_bytes, bundle.names))
    logs = sum(bundle.size_bytes(name) for name in bundle.names if name.startswith("regions/"))
    return max(1, 2 * once + 2 * logs)


def _report(case: Case, evidence: Evidence, path: str) -> Report:
    decided, told = case.decided, case.told
    kinds = Counter[str]() if decided is None else decided.kinds
    reasons = Counter[str]() if told is None else told.reasons
    method = methods.of(case)
    room = method.back_dating(case)
    sold_at_the_door = sum(len(log.door.units) for log in (case.logs or {}).values() if log.door is not None)
    return Report(
        bundle=path,
        sale="" if case.terms is None else case.terms.sale(),
        findings=tuple(dict.fromkeys(case.findings)),
        requests=sum(log.entries for log in (case.logs or {}).values()),
        winners=kinds["won"] + kinds["confirmed"] + sold_at_the_door,
        decisions=0 if decided is None else decided.records,
        kinds={each: kinds[each] for each in method.kinds}
        | {f"lost: {reason}": reasons[reason] for reason in method.reasons},
        not_checked=tuple(_not_checked(case)),
        alarms=tuple(case.alarms),
        signed=case.keys is not None,
        clocks=tuple(evidence.hosts.values()),
        back_dating=room,
        fairness=method.fairness(case),
        list_fairness=method.list_fairness(case),
        series=series.collect(case, method.winners_ns),
        demand=method.demand(case),
        bidding=method.bidding(case),
        turns=method.turns(case),
        opens_ns=None if case.terms is None else case.terms.opens_ns,
        places=case.places,
        refusals=tuple(case.refusals),
    )


def _not_checked(case: Case) -> list[str]:
    sentences = ["That this is the sale you mean: compare its id with the one that was published before it opened."]
    if case.terms is not None and case.keys is None:
        sentences.append(
            "Who wrote this bundle: it is not signed, its terms name no keys, so whoever has it could have written "
            "another."
        )
    sentences += case.not_checked
    if case.terms is not None and case.terms.kind == "auction":
        sentences.append(
            "Whether somebody knew others' bids when bidding: they are in the stores of the regions, and whoever runs "
            "those can read them."
        )
    decided = case.decided
    standing = None if decided is None else decided.standing
    left = () if decided is None else decided.decisions
    cut_off = sorted(each.region for each in left if isinstance(each, CutOff))
    if cut_off:
        cut = shortened(", ".join(cut_off))
        sentences.append(f"What {cut} logged beyond its cut-off: nothing recorded says where such a log ends.")
        sentences.append(f"Whether {cut} really fell silent: a cut-off is the arbiter's word.")
    lost = sum(place.units for place in case.places if place.place == "unaccounted")
    if lost:
        sentences.append(f"Whether {lost:,} units were sold since: they are with a region that was cut off.")
    for each in left:
        if isinstance(each, Fenced):
            sentences.append(
                f"Whether {each.region} was really stopped before its log was read to the end, and why it was fenced "
                f"out: “{shortened(each.reason)}”. That is the operator's word."
            )
    if standing is not None and (standing.halted or standing.cancelled):
        reason = shortened(str(standing.halted or standing.cancelled))
        sentences.append(f"Whether the reason for ending the sale early is true: “{reason}”.")
    return sentences
