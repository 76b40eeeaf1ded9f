"""The story of the demo: a world comes up, a sale is published, buyers press, a bundle is exported.

Beijing's clock is 40 ms fast, Shanghai's 25 ms slow, Singapore's 3 ms fast, and all drift. The arbiter is near
Shanghai, where a central stock would be too; the others are up to 32 ms away. The tie window is twice the skew bound
of 50 ms. Some buyers enter during a lobby of two seconds, the others press over three seconds more.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from rich.console import Console
from rich.live import Live
from whenever import Instant, TimeDelta

from clockd.host import open_host_clock
from clockd.reader import Reader
from model.terms import Terms, read_terms
from model.vocabulary import NANOSECONDS_IN_SECOND
from service.demo.figures import Figures, figures
from service.demo.receipt import get_receipt
from service.demo.view import Tally, live
from service.export import ExportError, export
from service.store.opening import connect
from service.world.crowd import Crowd, Press, Pressed
from service.world.world import ARBITER, RegionPlan, World, WorldPlan

STOCK: Final = 10
SKEW_BOUND_NS: Final = 50_000_000
LOBBY_SECONDS: Final = 2
PRESSING_SECONDS: Final = 3
LOBBY_SHARE: Final = 0.1
PATIENCE_SECONDS: Final = 15
EXPORT_TIMEOUT_SECONDS: Final = 20.0

REGIONS: Final = (
    RegionPlan("beijing", 0.015, offset_ns=40_000_000, drift_ppb=20_000),
    RegionPlan("shanghai", 0.0015, offset_ns=-25_000_000, drift_ppb=-35_000),
    RegionPlan("singapore", 0.032, offset_ns=3_000_000, drift_ppb=10_000),
)
DEMAND: Final = {"beijing": 0.4, "shanghai": 0.2, "singapore": 0.4}


@dataclass(frozen=True, slots=True)
class Told:
    """One demo: its figures, every press, the manifest of its bundle, and a winner's receipt."""

    figures: Figures
    pressed: tuple[Pressed, ...]
    manifest: Mapping[str, Any]
    receipt: Mapping[str, Any] | None


def run_demo(buyers: int, seed: int, bundle: Path, console: Console) -> Told:
    """Run the whole story and write its bundle.

    Raises:
        WorldError: the world did not come up.
        ExportError: the sale did not come to its end.
    """
    with ExitStack() as opened:
        with console.status("starting three regions, their clocks, stores and gateways, and the arbiter"):
            world = opened.enter_context(World(WorldPlan(REGIONS)))
        console.print("Time here is this machine's own clock, which nothing vouches for: a demo's, not a sale's.")
        return asyncio.run(_story(world, buyers, seed, bundle, console))


async def _story(world: World, buyers: int, seed: int, bundle: Path, console: Console) -> Told:
    sale, terms = await _publish(world)
    presses = _presses(buyers, random.Random(seed), terms)
    tally = Tally(world.regions)
    for press in presses:
        tally.planned[press.region] += 1
    async with _shown(world, tally, terms, console):
        crowd = Crowd(world.ports, sale, world.token, wait_seconds=PATIENCE_SECONDS, told=tally.told)
        pressed = await crowd.press_all(presses)
        manifest = await _export(world, sale, bundle)
        receipt = await get_receipt(world, sale, pressed)
    logged = {name: _lines(bundle / "regions" / f"{name}.jsonl") for name in world.regions}
    told = figures(
        sale,
        terms,
        pressed,
        logged,
        {region.name: region.offset_ns for region in REGIONS},
        {region.name: region.distance_seconds for region in REGIONS},
    )
    return Told(told, tuple(pressed), manifest, receipt)


async def _publish(world: World) -> tuple[str, Terms]:
    opens = (Instant.now() + TimeDelta(seconds=LOBBY_SECONDS + 1.5)).round("millisecond")
    stated = {
        "title": "Ten pairs of shoes",
        "stock": STOCK,
        "entries_from": _in_shanghai(opens + TimeDelta(seconds=-LOBBY_SECONDS)),
        "opens": _in_shanghai(opens),
        "closes": _in_shanghai(opens + TimeDelta(seconds=PRESSING_SECONDS + 5)),
        "regions": list(world.regions),
        "skew_bound_ns": str(SKEW_BOUND_NS),
    }
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {world.token}"}, timeout=30) as client:
        answer = await client.post(f"http://127.0.0.1:{world.ports['shanghai']}/v1/sales", json=stated)
    answer.raise_for_status()
    published = answer.json()
    return str(published["id"]), read_terms(published["terms"])


def _in_shanghai(moment: Instant) -> str:
    return moment.to_tz("Asia/Shanghai").format_iso()


def _presses(buyers: int, chance: random.Random, terms: Terms) -> list[Press]:
    """Who presses where and when: some in the lobby, the others spread over the seconds after the opening."""
    regions = chance.choices(list(DEMAND), list(DEMAND.values()), k=buyers)
    presses = []
    for number, region in enumerate(regions):
        seconds = (
            -chance.uniform(0.2, LOBBY_SECONDS - 0.2)
            if chance.random() < LOBBY_SHARE
            else chance.uniform(0, PRESSING_SECONDS)
        )
        presses.append(Press(f"buyer-{number}", region, terms.opens_ns + int(seconds * NANOSECONDS_IN_SECOND)))
    return presses


@asynccontextmanager
async def _shown(world: World, tally: Tally, terms: Terms, console: Console) -> AsyncIterator[None]:
    """The live view, ten times a second."""
    readers = {name: Reader(world.page(name), open_host_clock(world.host_clock(name))) for name in world.regions}
    clocks = {name: reader.read for name, reader in readers.items()}
    offsets = {region.name: region.offset_ns / 1e6 for region in REGIONS}

    async def refresh(shown: Live) -> None:
        while True:
            shown.update(live(tally, clocks, offsets, (time.time_ns() - terms.opens_ns) / NANOSECONDS_IN_SECOND))
            await asyncio.sleep(0.1)

    with Live(console=console, refresh_per_second=10, transient=True) as shown:
        task = asyncio.create_task(refresh(shown))
        try:
            yield
        finally:
            task.cancel()
            for reader in readers.values():
                reader.close()


async def _export(world: World, sale: str, bundle: Path) -> Mapping[str, Any]:
    """Export as soon as the arbiter has read every log to its end."""
    stores = {name: connect(url) for name, url in world.stores.items()}
    try:
        async with asyncio.timeout(EXPORT_TIMEOUT_SECONDS):
            while True:
                try:
                    regions = {name: store for name, store in stores.items() if name != ARBITER}
                    return await export(sale, stores[ARBITER], regions, bundle)
                except ExportError as error:
                    if "not over yet" not in str(error):
                        raise
                    await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise ExportError(f"sale {sale} did not end in time; see the arbiter's log") from error
    finally:
        for store in stores.values():
            await store.aclose()


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)
