"""What one winner of the demo can prove: the receipt as a gateway gives it, and its facts in plain words."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
from rich.console import Console

from model.note import parse_checkpoint, parse_note
from model.vocabulary import NANOSECONDS_IN_SECOND
from service.world.crowd import Pressed
from service.world.world import World

_TIMEOUT_SECONDS: Final = 15.0
_POLL_SECONDS: Final = 0.2


async def get_receipt(world: World, sale: str, pressed: Sequence[Pressed]) -> dict[str, Any] | None:
    """The receipt of the first who won, with how it was drawn; None where nobody has won, or none comes in time."""
    won = [press.answer for press in pressed if press.answer.get("state") == "won"]
    if not won:
        return None
    first = min(won, key=lambda answer: int(answer["rank"]))
    url = f"http://127.0.0.1:{world.ports[first['region']]}/v1/sales/{sale}/purchases/{first['id']}/receipt"
    headers = {"authorization": f"Bearer {world.token}"}
    receipt: dict[str, Any] | None = None
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS), httpx.AsyncClient(headers=headers) as client:
            while receipt is None or receipt["why"] is None:
                answer = await client.get(url)
                receipt = answer.json() if answer.status_code == httpx.codes.OK else receipt
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        return receipt
    return receipt


def tell_receipt(receipt: Mapping[str, Any], console: Console) -> None:
    """A receipt's facts for people."""
    log = parse_checkpoint(parse_note(receipt["checkpoint"]).text)
    console.print(f"\n[bold]A buyer's receipt[/bold] ({receipt['outcome']['request']})")
    console.print(
        f"Entry {receipt['seq']} of region {receipt['region']}'s log, under its signature of {log.size} entries: "
        f"{len(receipt['path'])} hashes lead to the signed root."
    )
    decision, outcome, why = receipt["decision"], receipt["outcome"], receipt["why"]
    if decision is not None:
        unit = f", unit {outcome['unit']}, rank {outcome['rank']}" if outcome["state"] == "won" else ""
        console.print(
            f"Decided by record {decision['index']}, under the arbiter's signature: {outcome['state']}{unit}."
        )
    if why is not None:
        after_ns = int(why["place_ns"]) - int(why["earliest_ns"])
        heard_ns = int(why["frontier_ns"]) - int(why["earliest_ns"])
        console.print(
            f"Its place was {_milliseconds(after_ns)} after the earliest of its pot of {why['pot']}, "
            f"who were all within {_milliseconds(int(why['tie_window_ns']))}; it had the lowest ticket, "
            f"{why['ticket'][:12]}…, and every region had been heard to {_milliseconds(heard_ns)} after the earliest."
        )


def _milliseconds(nanoseconds: int) -> str:
    return f"{nanoseconds * 1_000 / NANOSECONDS_IN_SECOND:.3f} ms"
