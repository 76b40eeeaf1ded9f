"""Show 4: whoever is to be told is told everything, in order, whatever dies: webhooks, and server-sent events.

Webhooks: one receiver fails half the time in every way there is, one is down for a while, one is slow, and the notifier
is killed in between. Events: clients come and go, at any region, while gateways die under them.
"""

import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from service.world.world import NOTIFIER, World
from tests.patience import until
from tests.receiver import Offer, Receiver
from tests.worlds import Finished, Outing, call

REGIONS = ("north", "south", "west")
KILLS = 3


def shaky(chance: random.Random) -> Callable[[Offer], int | None]:
    """Fails half the time: refuses, redirects, talks nonsense, hangs up, or takes the message and loses the answer."""

    def policy(offer: Offer) -> int | None:
        if chance.random() < 0.5:
            return 200
        match chance.choice(["refuse", "redirect", "nonsense", "hang up"]):
            case "refuse":
                return 500
            case "redirect":
                return 307
            case "nonsense":
                offer.handler.wfile.write(b"what?\r\n\r\n")
        return None

    return policy


def slow(_: Offer) -> int:
    time.sleep(0.05)
    return 204


def subscribe(world: World, receiver: Receiver) -> str:
    made = call(world, "POST", "/v1/webhooks", "north", json={"url": receiver.url})
    assert made.status_code == 201, made.text
    receiver.secrets.append(made.json()["secret"])
    return str(made.json()["id"])


def presses(chance: random.Random, buyers: int, lasts: float) -> list[tuple[str, str, float]]:
    """Some press twice, in two regions."""
    names = [f"b{number}" for number in range(buyers)] + [f"b{number}" for number in range(0, buyers, 9)]
    return [(name, chance.choice(REGIONS), chance.uniform(0.05, lasts)) for name in names]


def is_told(receiver: Receiver, sale: Outing) -> bool:
    return any(message["type"] == "sale.closed" for message in receiver.of(sale.sale))


def heard_everything(receiver: Receiver, finished: Finished) -> None:
    """In order, each message once, and every outcome as the bundle has it."""
    sale = finished.outing.sale
    messages = receiver.of(sale)
    assert [message["data"]["number"] for message in messages] == list(range(1, len(messages) + 1))
    won = receiver.purchases(sale, "purchase.won")
    told = won + receiver.purchases(sale, "purchase.lost")
    assert [one["id"] for one in won] == finished.winners
    assert len(told) == len(finished.outcomes)
    for one in told:
        expected = {name: value for name, value in finished.outcomes[one["id"]].items() if name != "request"}
        assert {name: one.get(name) for name in expected} == expected
        region, entry = finished.entries[one["id"]]
        assert (one["region"], one["buyer"]) == (region, entry["buyer"])


def test_every_receiver_hears_of_every_outcome_in_order_although_the_notifier_dies(
    world: World, publish: Callable[..., Outing]
) -> None:
    chance = random.Random(4)
    with Receiver(shaky(random.Random(5))) as failing, Receiver() as away, Receiver(slow) as tired:
        receivers = (failing, away, tired)
        webhooks = [subscribe(world, receiver) for receiver in receivers]
        first, second = publish(stock=40, opens_in=1.5, lasts=60), publish(stock=15, opens_in=1.5, lasts=60)
        pressing = [sale.in_background(presses(chance, 150, 2.5)) for sale in (first, second)]
        for kill in range(KILLS):
            before = len(failing.taken)
            until(lambda before=before: len(failing.taken) > before or is_told(failing, first))
            if kill == 0:
                away.go_away()
            world.kill(NOTIFIER)
            world.start(NOTIFIER)
        for pressed in pressing:
            pressed.result(60)
        away.come_back()
        for receiver in receivers:
            until(lambda receiver=receiver: is_told(receiver, first) and is_told(receiver, second))
        for sale in (first, second):
            finished = sale.finish()
            for receiver in receivers:
                heard_everything(receiver, finished)
        assert failing.offered.total() > len(failing.taken)
        for webhook in webhooks:
            gone = call(world, "DELETE", f"/v1/webhooks/{webhook}", "north")
            assert gone.status_code in {200, 503}, (
                gone.text
            )  # a store that is kept waiting by its disk: it is tidying only


class Follower:
    """Follows a sale at any gateway of any region, hangs up now and then, and comes back behind what it has."""

    def __init__(self, world: World, sale: str, seed: int) -> None:
        self.heard: list[tuple[int, dict[str, Any]]] = []
        self.connections = 0
        self._chance = random.Random(seed)
        self._world, self._sale = world, sale
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def _follow(self) -> None:
        while self._listen():
            self.connections += 1

    def _listen(self) -> bool:
        """One connection. Returns whether there may be more to hear."""
        headers = {"authorization": f"Bearer {self._world.token}"}
        if self.heard:
            headers["last-event-id"] = str(self.heard[-1][0])
        port = self._world.ports[self._chance.choice(REGIONS)]
        patience = self._chance.choice([1, 2, 5, 1_000])
        url = f"http://127.0.0.1:{port}/v1/sales/{self._sale}/events"
        try:
            with httpx.stream("GET", url, headers=headers, timeout=httpx.Timeout(5, read=2)) as answer:
                if answer.status_code == 204:
                    return False
                number = -1
                for line in answer.iter_lines():
                    field, _, value = line.partition(": ")
                    if field == "id":
                        number = int(value)
                    elif field == "data":
                        self.heard.append((number, json.loads(value)))
                        patience -= 1
                    if patience == 0:
                        break
        except httpx.HTTPError:
            pass
        return True


def test_followers_who_come_and_go_miss_nothing_and_hear_nothing_twice(
    world: World, publish: Callable[..., Outing]
) -> None:
    chance = random.Random(6)
    sale = publish(stock=60, opens_in=1, lasts=15)
    followers = [Follower(world, sale.sale, seed) for seed in range(6)]
    pressing = sale.in_background(presses(chance, 120, 2.5))
    for number in (0, 1):
        for region in REGIONS:
            before = sale.decided()
            until(lambda before=before: sale.decided() > before or sale.is_over())
            world.kill(f"gateway-{region}-{number}")
            world.start(f"gateway-{region}-{number}")
    pressing.result(60)
    until(sale.is_over)
    for follower in followers:
        follower.thread.join(60)
        assert not follower.thread.is_alive()
    expected = [(record["index"], record) for record in sale.decisions() if record["type"] != "seen"]
    assert expected[-1][1]["type"] == "closed"
    for follower in followers:
        assert follower.heard == expected
    assert max(follower.connections for follower in followers) > 3
