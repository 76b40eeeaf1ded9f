"""What tests of the notifier as a process share: merchants, their sales, and what their receivers were told."""

from collections.abc import Callable
from typing import Any

from tests.patience import until
from tests.receiver import Receiver
from tests.service.caller import Gateway
from tests.service.processes import Program
from tests.service.sales import publish, terms

Notifier = Callable[..., Program]
Merchant = Callable[[str], Gateway]
FLAGS = ("--allow-private", "--first-pause", "0.02")


def subscribe(gateway: Gateway, receiver: Receiver, **more: Any) -> str:
    made = gateway.call("POST", "/v1/webhooks", {"url": receiver.url, **more})
    assert made.status == 201, made
    receiver.secrets.append(made.json["secret"])
    return str(made.json["id"])


def sell(owner: Gateway, here: Gateway, stock: int = 2, buyers: int = 5) -> str:
    """A sale that is over once it is sold out."""
    sale = publish(owner, terms(0.3, stock=stock))
    until(lambda: here.buy(sale, "first").status in {200, 202})
    for number in range(1, buyers):
        here.buy(sale, f"b{number}")
    until(lambda: here.call("GET", f"/v1/sales/{sale}").json.get("reason") == "sold_out")
    return sale


def is_told(receiver: Receiver, sale: str) -> bool:
    return any(message["type"] == "sale.closed" for message in receiver.of(sale))


def all_dead(owner: Gateway, webhook: str) -> list[dict[str, Any]]:
    """The dead letters of a webhook, once a sale's end is among them."""
    letters: list[dict[str, Any]] = owner.call("GET", f"/v1/webhooks/{webhook}/dead-letters").json["dead_letters"]
    return letters if letters and letters[-1]["event"] == "sale.closed" else []


def numbers(receiver: Receiver, sale: str) -> list[int]:
    return [message["data"]["number"] for message in receiver.of(sale)]
