"""Sales whose draw waits for a public beacon, end to end: a server like drand's, with keys of the tests' own.

Nobody is told anything before the round is known; then everything is decided at once. A server that is silent or lies
changes nothing, nor does an arbiter that dies; a person may bring the value instead; what the chain has not signed is
refused, and nothing is half done.
"""

import secrets
import subprocess
import sys
import time
from collections.abc import Callable

from model.beacon import CHAINED, UNCHAINED, Round
from model.vocabulary import BeaconValue
from service.world.world import ARBITER, World
from tests.beacons import DrandServer, OwnBeacon, as_told
from tests.patience import until
from tests.worlds import LONGEST_SECONDS, Outing, call, mend

Publish = Callable[..., Outing]
BUYERS = [
    ("ann", "north", 0.0),
    ("bob", "south", 0.01),
    ("joe", "west", 0.02),
    ("eve", "north", 0.5),
    ("ann", "south", 0.6),
]
KINDS = ["complete", "beacon", "won", "won", "sold_out", "closed"]


def a_beacon(drand: DrandServer, scheme: str = UNCHAINED, begins_in_s: int = -1) -> OwnBeacon:
    """A chain that no other test uses; unless it is to begin later, some of its rounds are published already."""
    beacon = OwnBeacon(int(time.time()) + begins_in_s, scheme=scheme, secret=secrets.randbits(200) + 1)
    drand.serve(beacon)
    return beacon


def named(sale: Outing) -> Round:
    assert sale.terms.beacon is not None
    return sale.terms.beacon


def kinds(sale: Outing) -> list[str]:
    return [each["type"] for each in sale.decisions() if each["type"] != "seen"]


def bring(sale: Outing, value: BeaconValue) -> int:
    """What a person who brings a value is told, once the arbiter has had the time to look at it."""
    status = 503
    while status == 503:
        status = sale.call("POST", "/beacon", content=as_told(value)).status_code
    return status


def judged(sale: Outing, value: BeaconValue) -> None:
    """The bundle passes audit and oracle, and everybody was told what it says."""
    finished = sale.finish()
    assert [each["type"] for each in finished.decisions if each["type"] != "seen"] == KINDS
    entered = next(each for each in finished.decisions if each["type"] == "beacon")
    assert (entered["round"], entered["signature"]) == (value.round, value.signature)
    finished.decided_again()
    assert finished.keeps_its_word() == len(BUYERS)


def test_the_draw_waits_for_the_round_and_follows_from_it(world: World, publish: Publish, drand: DrandServer) -> None:
    beacon = a_beacon(drand)
    sale = publish(beacon=beacon, stock=2, opens_in=4, lasts=3)
    pressed = sale.press(BUYERS)
    assert {each.answer["state"] for each in pressed} == {"pending"}
    assert bring(sale, beacon.value(named(sale).number)) == 409, "entries may still come"
    until(lambda: sale.state()["state"] == "closed")
    assert kinds(sale) == ["complete"]
    assert sale.state()["winners"] == 0
    assert sale.state()["awaits"]["round"] == named(sale).number
    assert sale.call("GET", f"/purchases/{pressed[0].answer['id']}").json()["state"] == "pending"
    until(sale.is_over, LONGEST_SECONDS)
    assert time.time_ns() > named(sale).published_ns
    judged(sale, beacon.value(named(sale).number))
    winner = next(each for each in sale.of_type("won") if each["rank"] == 0)
    until(lambda: sale.call("GET", f"/purchases/{winner['request']}/receipt", winner["region"]).json()["why"])


def test_a_chained_beacon_and_a_server_that_lies_at_first(world: World, publish: Publish, drand: DrandServer) -> None:
    beacon = a_beacon(drand, CHAINED, begins_in_s=4)  # each round is signed after the one before: few are fast
    drand.behave(lambda _, __: None)
    sale = publish(beacon=beacon, stock=2, opens_in=4, lasts=3, known_after=0.5)
    pressing = sale.in_background(BUYERS)
    number = named(sale).number
    earlier, value = beacon.value(number - 1), beacon.value(number)
    lies = [
        as_told(BeaconValue(value.round, earlier.signature, value.previous_signature)),
        as_told(earlier),
        b'{"round":' + b"[" * 10_000,
        b"x" * 100_000,
        b"",
    ]
    drand.behave(lambda _, __: lies.pop() if lies else as_told(value))
    pressing.result()
    until(sale.is_over, LONGEST_SECONDS)
    assert lies == []
    judged(sale, value)


def test_a_person_brings_the_value_and_whatever_else_is_refused(
    world: World, publish: Publish, drand: DrandServer
) -> None:
    beacon = a_beacon(drand)
    drand.behave(lambda _, __: None)
    sale = publish(beacon=beacon, stock=2, opens_in=4, lasts=3, known_after=0.5)
    sale.press(BUYERS)
    until(lambda: kinds(sale) == ["complete"])
    value = beacon.value(named(sale).number)
    forged = OwnBeacon(beacon.chain.genesis_s).value(value.round)
    records = sale.decided()
    assert bring(sale, forged) == 422
    assert bring(sale, beacon.value(value.round + 1)) == 422
    assert sale.call("POST", "/beacon", json={"signature": "not even hex"}).status_code == 422
    assert sale.call("POST", "/beacon", json={"round": value.round}).status_code == 422
    assert sale.decided() == records
    said = subprocess.run(
        [
            *(sys.executable, "-m", "service.command", "sale", "beacon", sale.sale, "-"),
            *("--gateway", f"http://127.0.0.1:{world.ports['west']}", "--token", world.token),
        ],
        input=as_told(value),
        capture_output=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert bring(sale, value) == 200, "said again, it is done already"
    judged(sale, value)
    assert bring(sale, forged) == 409


def test_an_arbiter_that_dies_while_it_waits_goes_on_waiting(
    world: World, publish: Publish, drand: DrandServer
) -> None:
    beacon = a_beacon(drand)
    drand.behave(lambda _, __: None)
    sale = publish(beacon=beacon, stock=2, opens_in=4, lasts=3, known_after=0.5)
    sale.press(BUYERS)
    until(lambda: kinds(sale) == ["complete"])
    world.kill(ARBITER)
    mend(world)
    drand.behave()
    until(sale.is_over, LONGEST_SECONDS)
    judged(sale, beacon.value(named(sale).number))


def test_a_sale_whose_beacon_never_comes_can_be_cancelled(world: World, publish: Publish, drand: DrandServer) -> None:
    beacon = a_beacon(drand)
    drand.behave(lambda _, __: None)
    sale = publish(beacon=beacon, stock=2, opens_in=4, lasts=3, known_after=0.5)
    sale.press(BUYERS)
    until(lambda: kinds(sale) == ["complete"])
    assert sale.call("POST", "/cancel", json={"reason": "the beacon is gone"}).status_code == 200
    assert bring(sale, beacon.value(named(sale).number)) == 409
    finished = sale.finish()
    assert finished.reasons() == {"cancelled"}
    finished.decided_again()


def test_terms_that_name_a_round_which_somebody_may_know_are_refused(
    world: World, publish: Publish, drand: DrandServer
) -> None:
    answer = publish(beacon=a_beacon(drand), opens_in=4).call("GET", "").json()["terms"]
    proposed = {field: value for field, value in answer.items() if field not in {"keys", "seed_commitment"}}
    early = {**proposed["beacon"], "round": proposed["beacon"]["round"] - 10}
    refused = call(world, "POST", "/v1/sales", "north", json={**proposed, "beacon": early})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "beacon"
