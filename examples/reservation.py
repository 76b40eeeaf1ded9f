"""A reservation with payment: one table, held for whoever comes first while they pay; if they do not, for the next.

    firstcome serve                       in one terminal; in another, with the token that it prints
    python examples/reservation.py

docs/recipes.md says in which order to pay and to confirm, and why.
"""

import os
import time
from datetime import UTC, datetime, timedelta

from firstcome import UNDECIDED, Client, HoldExpiredError, ListFullError, Purchase, TooEarlyError

FUNDS = {"ada": 0, "bob": 100, "cem": 100}
"""What is on each buyer's card. Who pays is up to a payment service; here it is this table."""
PRICE = 80


def enter(shop: Client, sale: str, buyer: str) -> Purchase:
    """A buyer's place: held, or on the waiting list."""
    while True:
        try:
            return shop.purchase(sale, buyer, wait_seconds=10)
        except TooEarlyError as early:
            time.sleep(early.retry_after_seconds or 1)


def pay(buyer: str) -> bool:
    """Whether the buyer's card is good for it: an authorization, which is taken or let go once all is decided."""
    return FUNDS[buyer] >= PRICE


def settle(shop: Client, held: Purchase) -> Purchase:
    """Authorize first, then confirm, and take the money only once the answer is `won`."""
    if not pay(held.buyer):
        print(f"{held.buyer} cannot pay, and gives the table back")
        return shop.release(held, wait_seconds=30)
    try:
        told = shop.wait(shop.confirm(held))
    except HoldExpiredError:
        told = shop.status(held)
    if told.state == "won":
        print(f"{held.buyer} has the table: the money is taken")
    else:
        print(f"{held.buyer} came too late ({told.reason}): the authorization is let go")
    return told


def main() -> None:
    gateway = os.environ.get("FIRSTCOME_GATEWAY", "http://127.0.0.1:8080")
    with Client(gateway, os.environ["FIRSTCOME_TOKEN"]) as shop:
        opens = datetime.now(UTC) + timedelta(seconds=3)
        sale = shop.publish(
            title="The table by the window",
            kind="reservation",
            stock=1,
            waiting_list=2,
            hold_ns=30_000_000_000,
            opens=opens,
            closes=opens + timedelta(seconds=60),
            regions=["here"],
            skew_bound_ns=50_000_000,
        )
        ada, bob, cem = (enter(shop, sale.id, buyer) for buyer in FUNDS)
        print(f"ada: {ada.state} until {ada.until:%H:%M:%S}")
        for waiting in (bob, cem):
            print(f"{waiting.buyer}: {waiting.state}, {waiting.ahead} ahead, knows by {waiting.known_by:%H:%M:%S}")
        try:
            shop.purchase(sale.id, "dan")
        except ListFullError as refused:
            print(f"dan: {refused.detail}")

        settle(shop, ada)
        bob = shop.wait(bob, through={*UNDECIDED, "waiting"})
        print(f"bob: {bob.state} until {bob.until:%H:%M:%S}")
        settle(shop, bob)
        cem = shop.wait(cem, through={*UNDECIDED, "waiting"})
        print(f"cem: {cem.state}, {cem.reason}")


if __name__ == "__main__":
    main()
