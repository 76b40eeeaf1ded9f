"""Where units are sold at the door: what each region says of the others, and where every unit is in the end.

Logs are laid side by side, by the promises of `model/door_invariants.py`: first whether what one region took was given
by another, to it and once, so that a grant that was altered is named where it was taken, and not where the region
sells what it cannot have; then, once each log was found to be possible in itself (`door.py`), whether no unit was sold
twice, and whether every unit of the stock is somewhere, and in one place only. Decisions are asked for nothing but
units, and made again later.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Final

from model import wire
from model.door_invariants import GRANT_PROMISES, UNIT_PROMISES, DoorInvariant, DoorRun, Place, Sold
from model.moves import parse_line
from model.units import count, units_text
from model.vocabulary import Contradiction, Decision, Line, Refused, RegionName
from proofs.audit.case import DECISIONS, Case, Door, Whereabouts, log_file
from proofs.findings import shortened

MOST_OF_A_KIND: Final = 5
"""Violations told of one promise."""
MOST_REFUSALS: Final = 100
_NAME_UNITS: Final = (b'"type":"fenced"', b'"type":"reissued"', b'"type":"cut_off"')


def check_grants(case: Case) -> None:
    """What was taken was granted, once; asked of whatever lines can be read."""
    if case.terms is None:
        return
    moves = {name: list(_grants(case, name)) for name in case.terms.regions}
    nothing: dict[RegionName, Sold] = dict.fromkeys(moves, tuple)
    _ask(case, DoorRun(case.terms, nothing, moves, dict.fromkeys(moves, ()), _decisions(case)), GRANT_PROMISES)


def _grants(case: Case, region: RegionName) -> Iterator[Line]:
    for block in case.blocks(region):
        for line in block:
            if b'"type":"granted"' in line or b'"type":"taken"' in line:
                with suppress(ValueError, RecursionError):  # `door.py` says what is wrong with it
                    yield parse_line(line)


def check_places(case: Case) -> None:
    """No unit is in two places, or nowhere; and where they are."""
    if case.logs is None or case.terms is None:
        return
    doors = {name: log.door or Door() for name, log in case.logs.items()}
    run = DoorRun(
        case.terms,
        {name: partial(zip, log.seqs or (), (log.door or Door()).units) for name, log in case.logs.items()},
        {name: door.moves for name, door in doors.items()},
        {name: door.free for name, door in doors.items()},
        _decisions(case),
    )
    _ask(case, run, UNIT_PROMISES)
    case.places = tuple(map(_told, run.places))
    refused = ((name, line) for name, door in doors.items() for line in door.moves if isinstance(line, Refused))
    for name, line in islice(refused, MOST_REFUSALS):
        whose = line.donor or "the arbiter"
        case.refusals.append(
            f"{name} was offered grant {line.number} of {shortened(whose)} ({shortened(units_text(line.units))}) and "
            f"refused it as {line.reason} (line {line.seq})."
        )


def _ask(case: Case, run: DoorRun, promises: Iterable[DoorInvariant]) -> None:
    for promise in promises:
        for violation in islice(promise(run), MOST_OF_A_KIND):
            file = log_file(violation.region) if violation.region else ""
            case.found(file, violation.seq, promise.__name__.replace("_", " "), shortened(violation.what))


def _decisions(case: Case) -> list[Decision]:
    """The records that name units, or who may have them; whether they are true is asked elsewhere."""
    found = []
    for index, line in enumerate(case.bundle.lines(DECISIONS)):
        if any(kind in line for kind in _NAME_UNITS):
            try:
                found.append(wire.parse_decision_line(index, line))
            except Contradiction:
                break
    return found


def _told(place: Place) -> Whereabouts:
    return Whereabouts(place.kind, place.region, count(place.units), shortened(units_text(place.units)))
