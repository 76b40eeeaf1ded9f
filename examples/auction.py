"""An auction: three seats by sealed bids, all at one price, with a reserve.

    firstcome serve                       in one terminal; in another, with the token that it prints
    python examples/auction.py

Amounts are minor units: 4000 is 40.00 EUR. docs/auctions.md has the rules, docs/recipes.md why it is built this way.
"""

import os
import time
from datetime import UTC, datetime, timedelta

from firstcome import BelowReserveError, Client, Purchase, TooEarlyError, WrongCurrencyError

BIDS = {"ann": 8500, "ben": 6000, "cem": 7000, "dan": 6500, "eve": 3900}


def bid(shop: Client, sale: str, buyer: str, price: int) -> Purchase | None:
    """A buyer's bid, once the auction takes bids; None where it is below the reserve."""
    while True:
        try:
            return shop.bid(sale, buyer, price, currency="EUR")
        except TooEarlyError as early:
            time.sleep(early.retry_after_seconds or 1)
        except BelowReserveError as refused:
            print(f"{buyer}: {refused.detail}")
            return None


def main() -> None:
    gateway = os.environ.get("FIRSTCOME_GATEWAY", "http://127.0.0.1:8080")
    with Client(gateway, os.environ["FIRSTCOME_TOKEN"]) as shop:
        opens = datetime.now(UTC) + timedelta(seconds=3)
        sale = shop.publish(
            title="Three seats on the first train",
            kind="auction",
            stock=3,
            currency="EUR",
            reserve_price=4000,
            pricing="uniform",
            opens=opens,
            closes=opens + timedelta(seconds=5),
            regions=["here"],
            skew_bound_ns=50_000_000,
        )
        placed = {buyer: bid(shop, sale.id, buyer, price) for buyer, price in BIDS.items()}
        raised = shop.bid(sale.id, "dan", 9000)  # another price is another bid; of a buyer's bids the highest counts
        try:
            shop.bid(sale.id, "ann", 8500, currency="USD")
        except WrongCurrencyError as refused:
            print(f"ann: {refused.detail}")

        # Nobody wins before the end: every bid must be in, and until then nobody sees another's.
        for purchase in [*filter(None, placed.values()), raised]:
            told = shop.wait(purchase)
            assert told.price is not None
            offered = f"{told.buyer} bid {told.price / 100:.2f} {told.currency}"
            if told.state == "won":
                assert told.pays is not None
                print(f"{offered}: has seat {told.unit}, and pays {told.pays / 100:.2f}")
            else:
                print(f"{offered}: {told.reason}")


if __name__ == "__main__":
    main()
