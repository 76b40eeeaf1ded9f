"""A flash sale with a lobby: ten pairs of shoes, three hundred buyers, and nobody needs to be quick.

    firstcome serve                       in one terminal; in another, with the token that it prints
    python examples/flash_sale.py

Buyers enter before the opening, whenever they like: at the opening all of them stand in one place, and lots that were
committed to beforehand decide. docs/recipes.md says why it is built this way.
"""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from firstcome import AsyncClient, Purchase, Sale, SoldOutError, TooEarlyError

STOCK = 10
BUYERS = [f"buyer-{number}" for number in range(300)]


async def publish(shop: AsyncClient) -> Sale:
    """Entries are taken three seconds from now, and the sale opens four seconds later."""
    entries_from = datetime.now(UTC) + timedelta(seconds=3)
    return await shop.publish(
        title="Ten pairs of shoes",
        stock=STOCK,
        entries_from=entries_from,
        opens=entries_from + timedelta(seconds=4),
        closes=entries_from + timedelta(seconds=60),
        regions=["here"],
        skew_bound_ns=50_000_000,
    )


async def enter(shop: AsyncClient, sale: Sale, buyer: str) -> Purchase | None:
    """What a shop does when a buyer presses the button: who is too early is told when to come again. None: too late."""
    while True:
        try:
            return await shop.purchase(sale.id, buyer)
        except TooEarlyError as early:
            await asyncio.sleep(early.retry_after_seconds or 1)
        except SoldOutError:
            return None


async def main() -> None:
    gateway = os.environ.get("FIRSTCOME_GATEWAY", "http://127.0.0.1:8080")
    async with AsyncClient(gateway, os.environ["FIRSTCOME_TOKEN"]) as shop:
        sale = await publish(shop)
        print(f"sale {sale.id} opens at {sale.opens:%H:%M:%S}, entries from {sale.entries_from:%H:%M:%S}")
        pressed = await asyncio.gather(*(enter(shop, sale, buyer) for buyer in BUYERS))
        entered = [purchase for purchase in pressed if purchase is not None]
        buyer_of = {purchase.id: purchase.buyer for purchase in entered}
        print(f"{len(entered)} buyers are in")

        # One connection tells of every winner: three hundred callers who wait would need three hundred.
        async for event in shop.events(sale.id):
            if event.type == "won":
                won = event.record
                print(f"rank {won['rank']}: {buyer_of[won['request']]} gets pair {won['unit']}")

        told = await asyncio.gather(*(shop.status(purchase) for purchase in entered))
        winners = [purchase for purchase in told if purchase.state == "won"]
        losers = [purchase for purchase in told if purchase.state == "lost"]
        print(f"{len(winners)} have won, {len(losers)} have lost: {losers[0].reason}")
        print(f"{len(BUYERS) - len(entered)} pressed when all was gone")

        receipt = await shop.receipt(winners[0], within_seconds=30)
        print(f"{winners[0].buyer} has it in writing: {dict(receipt.outcome or {})}")
        bundle = await shop.ledger(sale.id, Path(f"{sale.id}.zip"))
        print(f"whoever doubts it: firstcome audit {bundle}")


if __name__ == "__main__":
    asyncio.run(main())
