"""Recordings pressed on real processes: two regions at their distances, with clocks that are wrong, and the arbiter.

The near region's clock is 20 ms slow and the far one's 20 ms fast; clockd finds out, up to its bound, which in a region
30 ms from its time server is some 30 ms. So these sales have ε = 50 ms and W = 100 ms. A buyer is where its region is;
what is between regions is the lines' delay.

One world for all sales, one sale at a time, after a small one that nobody counts: it opens the connections between the
regions. Buyers who are told that nothing is free just now press again, up to a dozen times.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import httpx
from whenever import Instant, TimeDelta

from model.terms import Terms, read_terms
from service.compare.methods import CENTRAL, LOTTERY, LOTTERY_LOBBY, METHODS, REBALANCED, SHARDED, Compared
from service.compare.recording import Recording, record
from service.compare.scene import (
    BOTS,
    EQUAL,
    FAR,
    LOBBY_NS,
    MILLISECOND,
    NEAR,
    OPENS_NS,
    SECOND,
    UNSOLD,
    Scene,
    smaller,
)
from service.compare.simulation import Told
from service.compare.sold import Sold
from service.compare.tally import Played, Tally, figures, tally
from service.world.crowd import Crowd, Press, Pressed
from service.world.world import RegionPlan, World, WorldPlan

CLOCK_OFF_NS: Final = 20 * MILLISECOND
_AHEAD_SECONDS: Final = 2.5
"""From publishing to the first moment at which anybody may enter."""
_PATIENCE_SECONDS: Final = 20
_TRIES: Final = 12
_OUTCOMES: Final = (httpx.codes.OK, httpx.codes.CONFLICT, httpx.codes.GONE)
"""An outcome; that everything is sold; that the sale is over."""

_OUR_CLOCKS: Final[Mapping[str, Any]] = {
    "skew_bound_ns": 50 * MILLISECOND,
    "tie_window_ns": 100 * MILLISECOND,
    "clock_bias": 0.0,
}
CROWD: Final = replace(
    EQUAL,
    name="real-crowd",
    title="Real processes: a crowd at the stroke, equal demand",
    buyers=600,
    stock=20,
    **_OUR_CLOCKS,
)
FAST_BOTS: Final = replace(
    BOTS,
    name="real-bots",
    title="Real processes: bots in the crowd",
    tells="Everybody waits for the opening; one buyer in ten is a bot that presses 100 ms sooner than a person would.",
    buyers=400,
    stock=40,
    bots=0.1,
    **_OUR_CLOCKS,
)
WRONG_GUESS: Final = replace(
    UNSOLD,
    name="real-unsold",
    title="Real processes: a spread-out arrival, demand 95 to 5",
    tells="Buyers come over six seconds, a tenth more of them than there are units; the stock was split half and half.",
    buyers=220,
    stock=200,
    lasts_ns=6 * SECOND,
    **_OUR_CLOCKS,
)
PLAN: Final = (
    (CROWD, 2, (CENTRAL, SHARDED, REBALANCED, LOTTERY, LOTTERY_LOBBY)),
    (FAST_BOTS, 1, (CENTRAL, LOTTERY, LOTTERY_LOBBY)),
    (WRONG_GUESS, 1, (CENTRAL, SHARDED, REBALANCED, LOTTERY)),
)
"""Scenes, how often, and by which methods."""


class RealError(Exception):
    """A sale could not be played on real processes. The message says what was refused."""


def world_plan() -> WorldPlan:
    """Two regions; the arbiter and a central stock are at the near one."""
    near_ns, far_ns = CROWD.distances_ns
    return WorldPlan(
        (
            RegionPlan(NEAR, near_ns / SECOND, offset_ns=-CLOCK_OFF_NS, drift_ppb=-20_000),
            RegionPlan(FAR, far_ns / SECOND, offset_ns=CLOCK_OFF_NS, drift_ppb=20_000),
        )
    )


def play_really(seed: int, quick: bool, tell: Told) -> list[Played]:
    """All scenes that are played on real processes.

    Raises:
        WorldError: the world did not come up.
        RealError: a sale was not published.
    """
    tell("starting two regions, their clocks, stores and gateways, and the arbiter", 0.0)
    with World(world_plan()) as world:
        sell_really(world, record(smaller(CROWD, 10), seed, 0), METHODS[CENTRAL])
        plan = [(scene, 1 if quick else times, methods) for scene, times, methods in PLAN]
        whole = sum(times * len(methods) for _, times, methods in plan)
        done = 0
        all_played = []
        for scene, times, methods in plan:
            tallies: dict[str, list[Tally]] = {name: [] for name in methods}
            for run in range(times):
                recording = record(scene, seed, run)
                for name in methods:
                    tell(f"{scene.title}: {METHODS[name].title}", done / whole)
                    tallies[name].append(tally(recording, sell_really(world, recording, METHODS[name])))
                    done += 1
            by_method = {name: figures(sales, f"{seed}/{scene.name}") for name, sales in tallies.items()}
            all_played.append(Played(scene, by_method))
    return all_played


def sell_really(world: World, recording: Recording, method: Compared) -> Sold:
    """Sell a recording by a method on a world's real processes. Its first region is the near one.

    Raises:
        RealError: the sale was not published.
    """
    terms = _publish(world, recording.scene, method)
    moved_ns = terms.opens_ns - OPENS_NS
    presses = [
        Press(
            buyer.name,
            world.regions[buyer.region],
            moved_ns + (buyer.there_ns if method.has_lobby else buyer.presses_ns),
        )
        for buyer in recording.buyers
    ]
    crowd = Crowd(world.ports, terms.sale(), world.token, wait_seconds=_PATIENCE_SECONDS, tries=_TRIES)
    pressed = {each.press.buyer: each for each in asyncio.run(crowd.press_all(presses))}
    return _sold(recording, terms, pressed)


def _publish(world: World, scene: Scene, method: Compared) -> Terms:
    ahead_seconds = _AHEAD_SECONDS + method.has_lobby * LOBBY_NS / SECOND
    opens = (Instant.now() + TimeDelta(seconds=ahead_seconds)).round("millisecond")
    fields = dict(method.fields or {})
    if fields.get("method") == "sharded":
        fields["quotas"] = dict(zip(world.regions, scene.quotas.values(), strict=True))
    if fields.get("method") == "central":
        fields["central_region"] = world.regions[0]
    stated = {
        "title": f"{scene.title}, {time.time_ns()}",
        "stock": scene.stock,
        "opens": opens.format_iso(),
        "closes": (opens + TimeDelta(nanoseconds=scene.lasts_ns)).format_iso(),
        "entries_from": (opens - method.has_lobby * TimeDelta(nanoseconds=LOBBY_NS)).format_iso(),
        "regions": list(world.regions),
        "skew_bound_ns": str(scene.skew_bound_ns),
        "tie_window_ns": str(scene.tie_window_ns),
        "intake_grace_ns": str(scene.intake_grace_ns),
        **fields,
    }
    answer = httpx.post(
        f"http://127.0.0.1:{world.ports[world.regions[0]]}/v1/sales",
        json=stated,
        headers={"authorization": f"Bearer {world.token}"},
        timeout=30,
    )
    if answer.status_code != httpx.codes.CREATED:
        raise RealError(f"{scene.title}, {method.title}: it was not published: {answer.text}")
    return read_terms(answer.json()["terms"])


def _sold(recording: Recording, terms: Terms, pressed: Mapping[str, Pressed]) -> Sold:
    """What buyers were told, by their places in the recording; times are what they were in truth."""
    came_ns, told_ns, winners = [], [], []
    untold = 0
    for at, buyer in enumerate(recording.buyers):
        each = pressed[buyer.name]
        came_ns.append(max(each.attempts[0][0] if each.attempts else each.press.at_ns, terms.opens_ns))
        told_ns.append(max(each.answered_ns, came_ns[-1]))
        untold += each.status not in _OUTCOMES
        if each.answer.get("state") == "won":
            winners.append(at)
    return Sold(came_ns, winners, told_ns, terms.stock - len(winners), untold)
