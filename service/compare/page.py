"""The comparison as one page for a merchant: plain words, every number from the run, plots inside the page itself.

Self-contained: no script, nothing to fetch; the page forbids itself to load anything.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from html import escape
from typing import Final

from service.compare.comparison import Comparison
from service.compare.methods import (
    CENTRAL,
    LOTTERY,
    LOTTERY_LOBBY,
    METHODS,
    REBALANCED,
    SHARDED,
    TIMESTAMPS,
)
from service.compare.real import CLOCK_OFF_NS
from service.compare.recording import REACTION_NS
from service.compare.scene import BOTS, EQUAL, LOPSIDED, RUSH, SECOND, UNSOLD, Scene
from service.compare.sweeps import far_share
from service.compare.tables import Table, certainly_inverted, gain, scene_table, share, summary, sweep_table
from service.compare.tally import Figures, Played

_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--soft:#5a5a5a;--grid:#d8d8d8}
@media (prefers-color-scheme:dark){:root{--ink:#ececec;--paper:#161616;--soft:#b0b0b0;--grid:#3a3a3a}}
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:62rem;margin:2rem auto;
padding:0 1rem}h1{font-size:1.7rem}h2{font-size:1.25rem;margin-top:2.4rem}h3{font-size:1.05rem;margin-bottom:.2rem}
table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto;font-size:.92rem}th,td{padding:.3rem .7rem;
border-bottom:1px solid var(--grid);text-align:right;vertical-align:top}th:first-child,td:first-child{text-align:left}
td{white-space:nowrap}caption{text-align:left;font-weight:600;padding:.3rem 0}figure{margin:1.2rem 0}img{max-width:100%;
height:auto;background:#fff}figcaption,.soft{color:var(--soft)}dt{font-weight:600}dd{margin:0 0 .6rem 1.2rem}
"""


def page(comparison: Comparison, plots: Mapping[str, bytes]) -> str:
    """The whole page."""
    parts = [
        "<h1>Selling what everybody wants at the same moment</h1>",
        *(_simulated(comparison, plots) if comparison.simulated else ()),
        *(_real(comparison.real, plots) if comparison.real else ()),
        *_how_it_was_found(comparison),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Ways of selling, compared</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _simulated(comparison: Comparison, plots: Mapping[str, bytes]) -> Iterable[str]:
    equal = comparison.scene(EQUAL.name)
    scene = equal.scene
    yield _text(
        f"{scene.buyers:,} buyers wait for {scene.stock} units. Half of them live "
        f"{_ms(scene.distances_ns[0])} from the shop's data centre and half {_ms(scene.distances_ns[1])} away, and all "
        f"are equally fast. Who should win? Below, the same recorded buyers go through {len(METHODS)} ways of selling, "
        f"{equal.by_method[CENTRAL].sales} sales over."
    )
    yield _table(summary(comparison))
    yield _text(
        "Fair would be: half of the winners from the far region, nobody overtaken by somebody who certainly came "
        "later, nothing left unsold, and a bot at × 1. No way of selling has all of it at once."
    )
    yield from _complaint(comparison, equal, plots)
    yield from _each_method(comparison)
    yield from _which()
    yield from _wrong_guess(comparison, plots)
    yield from _bots(comparison, plots)
    yield from _clocks(comparison, plots)
    yield from _patience(equal, plots)
    yield "<h2>Every scene</h2>"
    for played in comparison.simulated:
        off_ms = tuple(off_ns / 1e6 for off_ns in played.scene.clocks_off_ns)
        clocks = f"; clocks off by {off_ms[0]:+g} ms and {off_ms[1]:+g} ms."
        told = f"{played.scene.tells} {_terms(played.scene)}{clocks}"
        yield f"<h3>{escape(played.scene.title)}</h3>" + _text(told)
        yield _table(scene_table(played))
    yield "<h2>Every sweep</h2>"
    yield from (_table(sweep_table(sweep)) for sweep in comparison.sweeps)


def _complaint(comparison: Comparison, equal: Played, plots: Mapping[str, bytes]) -> Iterable[str]:
    central, lottery = equal.by_method[CENTRAL], equal.by_method[LOTTERY]
    yield "<h2>The complaint: “we never get one”</h2>"
    yield _text(
        f"It is true. With one central stock the far region, with {equal.by_method[CENTRAL].far_of_buyers:.0%} of the "
        f"buyers, gets {share(central.far_of_winners)} of the units: its requests are still on the line when the last "
        f"unit goes. With the window lottery it gets {share(lottery.far_of_winners)}."
    )
    yield _figure("winners", "Winners of the far region, of all winners, with 95 % intervals.", plots)
    yield from _swept(
        comparison, "distance", "What distance does to a central stock, and does not do to stamped arrivals.", plots
    )


def _each_method(comparison: Comparison) -> Iterable[str]:
    yield "<h2>What each way buys, and what it costs</h2><dl>"
    equal, unsold, bots = (comparison.scene(scene.name).by_method for scene in (EQUAL, UNSOLD, BOTS))
    for name, method in METHODS.items():
        found = (
            f"In these sales: {share(equal[name].far_of_winners)} of the units to the far half of the buyers; half of "
            f"the winners know within {_wait(equal[name], 0)}, 99 of 100 within {_wait(equal[name], 1)}; "
            f"{unsold[name].unsold:.1%} unsold where 95 of 100 buyers are in one region; a bot gains "
            f"{gain(bots[name].bots_gain)}."
        )
        yield (
            f"<dt>{escape(method.title)}</dt><dd>{escape(method.how)}<br><strong>Buys:</strong> {escape(method.buys)}"
            f"<br><strong>Costs:</strong> {escape(method.costs)}<br><span class=soft>{escape(found)}</span></dd>"
        )
    yield "</dl>"


def _which() -> Iterable[str]:
    yield "<h2>Which to choose</h2><ul>"
    for sentence in (
        "More buyers than units, and everybody is to have the same chance: the window lottery with a lobby.",
        "Who comes first shall count, as far as clocks can tell: the window lottery without one. Against bots, widen "
        "the window beyond a bot's head start.",
        "Plenty of units, buyers spread over hours, and every millisecond of waiting hurts: sharded, with rebalancing.",
        "All buyers in one place: a central stock does no harm there.",
    ):
        yield f"<li>{escape(sentence)}</li>"
    yield "</ul>"


def _wrong_guess(comparison: Comparison, plots: Mapping[str, bytes]) -> Iterable[str]:
    unsold = comparison.scene(UNSOLD.name)
    crowd = comparison.scene(LOPSIDED.name).by_method
    fixed, moving = unsold.by_method[SHARDED], unsold.by_method[REBALANCED]
    yield "<h2>When the guess was wrong</h2>"
    yield _text(
        f"{unsold.scene.tells} Without rebalancing {fixed.unsold:.1%} of the units are left when the sale closes; with "
        f"it, {moving.unsold:.1%}. Moving takes a moment, though: in a crowd at the stroke with the same demand and "
        f"the same guess, 95 of 100 buyers get {share(crowd[SHARDED].far_of_winners)} of the units, and with "
        f"rebalancing {share(crowd[REBALANCED].far_of_winners)}, for who finds nothing comes again a second later and "
        "meets others."
    )
    yield _figure("unsold", "Units that nobody has at closing, demand 95 to 5, stock split half and half.", plots)


def _bots(comparison: Comparison, plots: Mapping[str, bytes]) -> Iterable[str]:
    bots = comparison.scene(BOTS.name)
    central, lottery, lobby = (bots.by_method[name] for name in (CENTRAL, LOTTERY, LOTTERY_LOBBY))
    yield "<h2>Bots</h2>"
    yield _text(
        f"{bots.scene.tells} At a central stock a bot wins {gain(central.bots_gain)} as often as the average buyer. "
        f"The window lottery with its narrow window of {_ms(bots.scene.tie_window_ns)} does not change that "
        f"({gain(lottery.bots_gain)}), for a bot truly is earlier. Two things do: a lobby ({gain(lobby.bots_gain)}), "
        "where being there in time is all that counts; or a wider window, which the merchant may choose."
    )
    yield _figure("bots", "How many times as often a bot wins as the average buyer; 1 is fair.", plots)
    yield from _swept(
        comparison,
        "window",
        "The wider the window, the less a head start is worth. A lobby needs no wide window.",
        plots,
    )


def _clocks(comparison: Comparison, plots: Mapping[str, bytes]) -> Iterable[str]:
    yield "<h2>When clocks are wrong</h2>"
    for sweep in comparison.sweeps:
        if not sweep.name.startswith("clock-error"):
            continue
        worst = {name: max(points, key=lambda point: point.at) for name, points in sweep.curves.items()}
        at = next(iter(worst.values())).at
        yield _text(
            f"{sweep.title}: at an error of {at:g} % of what is allowed, timestamps alone leave the region whose clock "
            f"is late {share(far_share(worst[TIMESTAMPS]))}, the window lottery {share(far_share(worst[LOTTERY]))}, a "
            f"central stock {share(far_share(worst[CENTRAL]))}."
        )
        yield _figure(sweep.name, f"{RUSH.tells} One region's clock is early, the other's late.", plots)
    inverted, apart = certainly_inverted(comparison.simulated, LOTTERY)
    yield _text(
        f"What the window lottery promises whatever the clocks do within ε: of {apart:,} pairs of a winner and a loser "
        f"who came more than W + 2ε apart, the loser came first in {inverted:,}."
    )


def _patience(equal: Played, plots: Mapping[str, bytes]) -> Iterable[str]:
    scene = equal.scene
    yield "<h2>Patience</h2>"
    yield _text(
        f"The window lottery waits until nobody can still join a draw: the window ({_ms(scene.tie_window_ns)}), the "
        f"intake grace ({_ms(scene.intake_grace_ns)}), and the way from and to the farthest region. That is its price: "
        f"half of the winners know within {_wait(equal.by_method[LOTTERY], 0)}, against "
        f"{_wait(equal.by_method[CENTRAL], 0)} at a central stock."
    )
    yield _figure("waits", "From pressing (or from the opening, for those in a lobby) to knowing. Winners only.", plots)


def _real(real: Iterable[Played], plots: Mapping[str, bytes]) -> Iterable[str]:
    yield "<h2>On real processes</h2>"
    yield _text(
        "The same kind of recording, pressed over HTTP on the shipped programs of this machine: two regions at their "
        f"distances, each with a store, a clock that is wrong by {_ms(CLOCK_OFF_NS)} (the near one's is slow, the far "
        "one's fast) and its clock daemon, gateways and an arbiter. Stamps are made by the kernel, entries are on disk "
        "before they count. What the processes themselves need is in these figures, and this machine carries the "
        "buyers too."
    )
    for played in real:
        yield f"<h3>{escape(played.scene.title)}</h3>" + _text(f"{played.scene.tells} {_terms(played.scene)}.")
        yield _table(scene_table(played))
        for name, figures in played.by_method.items():
            if figures.untold:
                yield _text(
                    f"{METHODS[name].title}: {figures.untold} buyers got no outcome, however often they pressed."
                )
        yield _figure(
            f"{played.scene.name}-winners", "Winners of the far region; fair is its part of the buyers.", plots
        )
        yield _figure(f"{played.scene.name}-waits", "From pressing to knowing, over HTTP. Winners only.", plots)


def _how_it_was_found(comparison: Comparison) -> Iterable[str]:
    mean_ns, deviation_ns, attention_ns = REACTION_NS
    yield "<h2>How this was found</h2><ul>"
    for sentence in (
        f"Seed {comparison.seed}. What is simulated comes out the same, to the last digit, with the same seed.",
        "The simulation has virtual time: clocks and distances take time, programs take none. It sells by the very "
        "functions that the service runs and that are proved (model/).",
        f"A person who waits for the opening presses {_ms(mean_ns)} (± {_ms(deviation_ns)}) and some attention (a mean "
        f"of {_ms(attention_ns)}) after it; reaction times are so distributed.",
        "A loser who came first: of all pairs of a winner and a loser of one sale who truly came at different moments, "
        "the part in which the loser was there first. Who is in a lobby is there at the opening.",
        "More than W + 2ε before: the same of those pairs only that came further apart than what the window lottery "
        "promises about, over all scenes.",
        "A faster bot gains: the bots' part of the winners over their part of the buyers.",
        "Intervals are 95 %: Wilson's for parts of the winners, the bootstrap over whole sales for pairs and for bots.",
        "Timestamps alone (W = 0) cannot be bought: no clock is right. Central and sharded sales cannot have a lobby: "
        "whoever enters has a unit at once.",
    ):
        yield f"<li>{escape(sentence)}</li>"
    yield "</ul>"


def _terms(scene: Scene) -> str:
    return (
        f"{scene.buyers:,} buyers, {scene.stock} units, {scene.lasts_ns / SECOND:g} s; ε {_ms(scene.skew_bound_ns)}, "
        f"W {_ms(scene.tie_window_ns)}"
    )


def _swept(comparison: Comparison, name: str, told: str, plots: Mapping[str, bytes]) -> Iterable[str]:
    if any(sweep.name == name for sweep in comparison.sweeps):
        yield _figure(name, told, plots)


def _wait(figures: Figures, which: int) -> str:
    return "–" if figures.winners_wait is None else f"{figures.winners_wait[which]:.1f} ms"


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:g} ms"


def _text(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _figure(name: str, told: str, plots: Mapping[str, bytes]) -> str:
    data = b64encode(plots[name]).decode()
    words = escape(told, quote=True)
    return f'<figure><img alt="{words}" src="data:image/png;base64,{data}"><figcaption>{words}</figcaption></figure>'


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f"<table><caption>{escape(table.title)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
