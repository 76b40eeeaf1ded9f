"""The demo as it is seen: live while it runs, then the tables."""

from collections.abc import Callable, Mapping

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from clockd.reader import Reading
from service.demo.figures import Figures
from service.world.crowd import Pressed


class Tally:
    """Running counts of a demo, by region."""

    def __init__(self, regions: tuple[str, ...]) -> None:
        self.planned = dict.fromkeys(regions, 0)
        self.answered = dict.fromkeys(regions, 0)
        self.won = dict.fromkeys(regions, 0)

    def told(self, pressed: Pressed) -> None:
        """A buyer has an answer."""
        region = pressed.press.region
        self.answered[region] += 1
        self.won[region] += pressed.answer.get("state") == "won"


def live(
    tally: Tally,
    clocks: Mapping[str, Callable[[], Reading]],
    true_offset_ms: Mapping[str, float],
    since_opening_seconds: float,
) -> RenderableType:
    """The picture of this moment."""
    shown = Table("region", "its clock is off by", "clockd's bound", "buyers", "answered", "won")
    for column in shown.columns[1:]:
        column.justify = "right"
    for region, read in clocks.items():
        reading = read()
        bound = f"± {reading.bound_ns / 1e6:.1f} ms" if not reading.reason else reading.reason
        shown.add_row(
            region,
            f"{true_offset_ms[region]:+.0f} ms",
            bound,
            f"{tally.planned[region]:,}",
            f"{tally.answered[region]:,}",
            str(tally.won[region]),
        )
    phase = (
        f"open for {since_opening_seconds:.1f} s"
        if since_opening_seconds >= 0
        else f"opens in {-since_opening_seconds:.1f} s"
    )
    return Group(Text(phase, style="bold"), shown)


def tell(figures: Figures, console: Console) -> None:
    """What came of it."""
    won = Table("region", "buyers", "of all", "winners", "a central stock's winners", title="Who got the shoes")
    stamps = Table(
        "region", "clock off by", "bound stated", "worst true error", title="Stamps against the moment of pressing"
    )
    for table in (won, stamps):
        table.title_justify = "left"
        for column in table.columns[1:]:
            column.justify = "right"
    everybody = sum(region.pressed for region in figures.regions)
    for region in figures.regions:
        won.add_row(
            region.name,
            f"{region.pressed:,}",
            f"{region.pressed / everybody:.0%}",
            str(region.winners),
            str(region.central_winners),
        )
        stamps.add_row(
            region.name,
            f"{region.clock_off_ms:+.0f} ms",
            f"± {region.bound_ms:.1f} ms",
            f"{region.worst_error_ms:.3f} ms",
        )
    console.print(won)
    console.print(stamps)
    console.print(
        f"{figures.stamps_within_bound:,} of {figures.stamps:,} stamps lie within their stated bound; "
        f"median error {figures.median_error_ms:.3f} ms."
    )
    console.print(
        f"First outcome {figures.first_outcome_ms:.0f} ms after the opening, last winner told after "
        f"{figures.last_winner_ms:.0f} ms; "
        f"the rule itself needs {figures.rule_needs_ms:.0f} ms (tie window + intake grace)."
    )
    console.print("Told: " + ", ".join(f"{count:,} {what}" for what, count in sorted(figures.answers.items())) + ".")
