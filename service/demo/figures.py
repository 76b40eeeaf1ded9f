"""What happened in a demo, against what was true: only a simulation knows when its buyers really pressed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model.guards import place_ns
from model.terms import Terms
from service.world.crowd import Pressed


@dataclass(frozen=True, slots=True)
class RegionFigures:
    """One region. `central_winners` is who would have won at a central stock with the very same arrivals."""

    name: str
    pressed: int
    logged: int
    winners: int
    central_winners: int
    clock_off_ms: float
    bound_ms: float
    """The largest bound that was stated with a stamp."""
    worst_error_ms: float
    """The largest distance of a stamp from the moment when the buyer really pressed."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One demo."""

    sale: str
    stock: int
    regions: tuple[RegionFigures, ...]
    stamps: int
    stamps_within_bound: int
    median_error_ms: float
    first_outcome_ms: float
    """From the opening to the first outcome that a buyer heard."""
    last_winner_ms: float
    """From the opening to the last winner's outcome."""
    rule_needs_ms: float
    """W + intake grace: no outcome of those who were there at the opening can be final earlier."""
    answers: Mapping[str, int]
    """How many buyers were told what."""

    def fields(self) -> dict[str, Any]:
        """As plain values, for `--json`."""
        return asdict(self)


def stamp_error_ns(pressed: Pressed) -> int | None:
    """How far a stamp lies from the moment of sending, signed; 0 inside it, None where there is no stamp."""
    if "stamp_ns" not in pressed.answer or len(pressed.attempts) != 1:
        return None
    stamp_ns = int(pressed.answer["stamp_ns"])
    before_ns, after_ns = pressed.sent
    return min(stamp_ns - before_ns, 0) or max(stamp_ns - after_ns, 0)


def central_winners(pressed: Sequence[Pressed], terms: Terms, distances_seconds: Mapping[str, float]) -> Counter[str]:
    """Winners by region at one central stock: whoever's request gets there first, from the opening on."""
    arrivals = sorted(
        (place_ns(buyer.sent[0], terms.opens_ns) + int(distances_seconds[buyer.press.region] * 1e9), buyer.press.region)
        for buyer in pressed
        if buyer.attempts
    )
    return Counter(region for _, region in arrivals[: terms.stock])


def figures(
    sale: str,
    terms: Terms,
    pressed: Sequence[Pressed],
    logged: Mapping[str, int],
    clocks_off_ns: Mapping[str, int],
    distances_seconds: Mapping[str, float],
) -> Figures:
    """Put one demo into figures.

    Args:
        logged: entries by region, from the bundle.
        clocks_off_ns: by region, what its hosts' clock was off by.
        distances_seconds: by region, one way to where a central stock would be.
    """
    central = central_winners(pressed, terms, distances_seconds)
    errors = {id(buyer): error for buyer in pressed if (error := stamp_error_ns(buyer)) is not None}
    stamped = [buyer for buyer in pressed if id(buyer) in errors]
    winners = [buyer for buyer in pressed if buyer.answer.get("state") == "won"]
    outcomes = [buyer for buyer in pressed if buyer.answer.get("state") in ("won", "lost")]

    def region_figures(name: str) -> RegionFigures:
        mine = [buyer for buyer in stamped if buyer.press.region == name]
        return RegionFigures(
            name=name,
            pressed=sum(buyer.press.region == name for buyer in pressed),
            logged=logged[name],
            winners=sum(buyer.press.region == name for buyer in winners),
            central_winners=central[name],
            clock_off_ms=clocks_off_ns[name] / 1e6,
            bound_ms=max((int(buyer.answer["bound_ns"]) for buyer in mine), default=0) / 1e6,
            worst_error_ms=max((abs(errors[id(buyer)]) for buyer in mine), default=0) / 1e6,
        )

    return Figures(
        sale=sale,
        stock=terms.stock,
        regions=tuple(region_figures(name) for name in terms.regions),
        stamps=len(stamped),
        stamps_within_bound=sum(abs(errors[id(buyer)]) <= int(buyer.answer["bound_ns"]) for buyer in stamped),
        median_error_ms=sorted(map(abs, errors.values()))[len(errors) // 2] / 1e6 if errors else 0.0,
        first_outcome_ms=min((buyer.answered_ns for buyer in outcomes), default=terms.opens_ns) / 1e6
        - terms.opens_ns / 1e6,
        last_winner_ms=max((buyer.answered_ns for buyer in winners), default=terms.opens_ns) / 1e6
        - terms.opens_ns / 1e6,
        rule_needs_ms=(terms.tie_window_ns + terms.intake_grace_ns) / 1e6,
        answers=dict(Counter(told(buyer) for buyer in pressed)),
    )


def told(pressed: Pressed) -> str:
    """What a buyer was told, in a word or two."""
    if "state" in pressed.answer:
        reason = pressed.answer.get("reason")
        return f"{pressed.answer['state']} ({reason})" if reason else str(pressed.answer["state"])
    return str(pressed.answer.get("type", "no answer")).rpartition(":")[2]
