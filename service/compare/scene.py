"""What is played: regions at their distances, their clocks, how many buyers come when, and the terms they buy under.

Two regions: `near` is 1.5 ms from the centre, where a central stock lies and where the arbiter is, `far` is 30 ms away.
Times are true time; what a region's clock makes of it is `clock_off_ns` beside it, the near one's early and the far
one's late, so that an error works against the far region as distance does. Buyers are as fast in the one region as in
the other: whatever share of the winners is not the share of the demand is the method's doing.

Next: `recording.py`.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from model.terms import Terms, read_terms

MILLISECOND: Final = 1_000_000
SECOND: Final = 1_000_000_000

NEAR: Final = "near"
FAR: Final = "far"
REGIONS: Final = (NEAR, FAR)
"""A region is known by its place in this list."""

_OPENS: Final = datetime(2030, 1, 1, tzinfo=UTC)
OPENS_NS: Final = int(_OPENS.timestamp()) * SECOND
"""The opening of every simulated sale, in virtual time."""
LOBBY_NS: Final = 2 * SECOND
"""How long before the opening a lobby opens, where there is one; nobody waits for longer."""

Arrival: TypeAlias = Literal["stroke", "spread", "rush"]
"""`stroke`: everybody waits for the opening and presses as soon as they can. `spread`: people come over the whole sale,
some before it opens. `rush`: strangers come at a steady rate from the first moment on, as in the spike."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene. `demand` is each region's part of the buyers, `bots` the part of all that are bots."""

    name: str
    title: str
    tells: str
    """What happens in it, in a sentence for a merchant."""
    arrival: Arrival
    buyers: int
    """In all; of a rush the mean, for its number is chance."""
    stock: int
    demand: tuple[float, float] = (0.5, 0.5)
    bots: float = 0.0
    head_start_ns: int = 100 * MILLISECOND
    """How much sooner than a person a bot presses."""
    begins_after_ns: int = 0
    """From the opening to the first moment at which somebody may come."""
    lasts_ns: int = 10 * SECOND
    """From the opening to closing."""
    distances_ns: tuple[int, int] = (1_500_000, 30 * MILLISECOND)
    """One way to the centre."""
    jitters_ns: tuple[int, int] = (300_000, 2 * MILLISECOND)
    """The standard deviation of a request's way to a central stock."""
    skew_bound_ns: int = 10 * MILLISECOND
    tie_window_ns: int = 20 * MILLISECOND
    intake_grace_ns: int = 200 * MILLISECOND
    clock_bias: float = 0.1
    """Of ε: by so much the near region's clock is early and the far one's late."""
    with_lobby: bool = True
    """Whether the methods that can have a lobby are tried with one, too."""

    @property
    def clocks_off_ns(self) -> tuple[int, int]:
        """What each region's clock adds to the truth."""
        off_ns = round(self.clock_bias * self.skew_bound_ns)
        return -off_ns, off_ns

    @property
    def quotas(self) -> dict[str, int]:
        """How a stock is split where nobody knows better: half and half."""
        half = self.stock // 2
        return dict(zip(REGIONS, (self.stock - half, half), strict=True))

    @property
    def closes_ns(self) -> int:
        return OPENS_NS + self.lasts_ns

    @property
    def certainly_apart_ns(self) -> int:
        """W + 2ε: who came so much earlier is served first, promises the window lottery."""
        return self.tie_window_ns + 2 * self.skew_bound_ns

    def terms(self, seed: bytes, has_lobby: bool = False, **fields: Any) -> Terms:
        """The terms of this scene's sale, as a merchant would publish them.

        Raises:
            TermsError: nobody may publish such terms.
        """
        stated = {
            "title": self.title,
            "stock": self.stock,
            "opens": _OPENS.isoformat(),
            "closes": (_OPENS + timedelta(microseconds=self.lasts_ns // 1_000)).isoformat(),
            "regions": list(REGIONS),
            "skew_bound_ns": str(self.skew_bound_ns),
            "tie_window_ns": str(self.tie_window_ns),
            "intake_grace_ns": str(self.intake_grace_ns),
            "entries_from": (_OPENS - has_lobby * timedelta(microseconds=LOBBY_NS // 1_000)).isoformat(),
            **fields,
        }
        return read_terms(stated).committed(seed)


EQUAL: Final = Scene(
    "equal",
    "A crowd at the stroke, equal demand",
    "Everybody waits for the opening; half of the buyers live near the centre and half far from it.",
    "stroke",
    buyers=2_000,
    stock=50,
)
LOPSIDED: Final = Scene(
    "lopsided",
    "A crowd at the stroke, demand 95 to 5",
    "Everybody waits for the opening; 95 of 100 buyers live far from the centre, the stock was split half and half.",
    "stroke",
    buyers=2_000,
    stock=50,
    demand=(0.05, 0.95),
)
SPREAD: Final = Scene(
    "spread",
    "A spread-out arrival, equal demand",
    "Buyers come over ten seconds, one in ten of them before the opening; not everybody gets a unit.",
    "spread",
    buyers=1_000,
    stock=400,
)
UNSOLD: Final = Scene(
    "unsold",
    "A spread-out arrival, demand 95 to 5",
    "Buyers come over ten seconds, a tenth more of them than there are units; 95 of 100 live far from the centre, and "
    "the stock was split half and half.",
    "spread",
    buyers=440,
    stock=400,
    demand=(0.05, 0.95),
)
BOTS: Final = Scene(
    "bots",
    "Bots in the crowd",
    "Everybody waits for the opening; one buyer in twenty is a bot that presses 100 ms sooner than a person would.",
    "stroke",
    buyers=2_000,
    stock=50,
    bots=0.05,
)
SCENES: Final = (EQUAL, LOPSIDED, SPREAD, UNSOLD, BOTS)

RUSH: Final = Scene(
    "rush",
    "A rush in the middle of a sale",
    "20 000 buyers a second in each region, in a sale that has been open for a second; clocks good to 2 ms.",
    "rush",
    buyers=1_000,
    stock=10,
    begins_after_ns=SECOND,
    distances_ns=(1_500_000, 31_500_000),
    skew_bound_ns=2 * MILLISECOND,
    tie_window_ns=4 * MILLISECOND,
    clock_bias=0.0,
    with_lobby=False,
)
"""The scene in which the rule was chosen; the sale is open already, so that no two of the first share the opening."""


def smaller(scene: Scene, by: int) -> Scene:
    """The same with fewer buyers and units, for a quick look."""
    return replace(scene, buyers=scene.buyers // by, stock=scene.stock // by)
