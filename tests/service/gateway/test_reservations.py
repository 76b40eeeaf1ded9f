"""Reservations over HTTP: what each state is told, what may be said of a unit, what is refused with nothing done."""

from collections.abc import Iterator

import pytest

from service.world.world import World
from tests.patience import until
from tests.service.caller import KINDS, Answered, Gateway, Kind
from tests.service.sales import MILLISECOND, Sales, publish, terms


class Reservation:
    """One reservation, as its buyers call it."""

    def __init__(self, gateway: Gateway, **about: object) -> None:
        stated = {"kind": "reservation", "hold_ns": str(600_000 * MILLISECOND), "skew_bound_ns": str(20 * MILLISECOND)}
        grace = {"intake_grace_ns": str(100 * MILLISECOND)}
        self.gateway = gateway
        self.sale = publish(gateway, terms(1.0, **{**stated, **grace, **about}))  # type: ignore[arg-type]
        until(lambda: gateway.state(self.sale) == "open")

    def enter(self, buyer: str, **headers: str) -> Answered:
        """A purchase, once it is drawn."""
        return self.gateway.buy(self.sale, buyer, **{"prefer": "wait=10", **headers})

    def path(self, purchase: str) -> str:
        return f"/v1/sales/{self.sale}/purchases/{purchase}"

    def show(self, purchase: str, **headers: str) -> Answered:
        return self.gateway.call("GET", self.path(purchase), **headers)

    def confirm(self, purchase: str, buyer: str, **headers: str) -> Answered:
        return self.gateway.call("POST", self.path(purchase) + "/confirm", {"buyer": buyer}, **headers)

    def release(self, purchase: str, buyer: str, **headers: str) -> Answered:
        return self.gateway.call("DELETE", f"{self.path(purchase)}?buyer={buyer}", **headers)

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Confirmed, held, waiting, places left."""
        shown = self.gateway.call("GET", f"/v1/sales/{self.sale}").json
        return tuple(shown[name] for name in ("confirmed", "held", "waiting", "places_left"))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def long(here: Gateway) -> Iterator[Reservation]:
    """Two units, three who may wait; units are held for ten minutes."""
    return Reservation(here, stock=2, waiting_list=3)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def ids(long: Reservation) -> dict[str, str]:
    """Ann and bob have a unit, kim, zoe and joe wait, and for eve there is no place left."""
    told = {}
    for buyer in ("ann", "bob", "kim", "zoe", "joe"):
        answer = long.enter(buyer)
        assert answer.status == 200, answer
        told[buyer] = answer.json
    assert [told[buyer]["state"] for buyer in told] == ["held", "held", "waiting", "waiting", "waiting"]
    assert [told[buyer]["rank"] for buyer in told] == [0, 1, 2, 3, 4]
    assert [told[buyer]["unit"] for buyer in ("ann", "bob")] == [0, 1]
    assert [told[buyer]["ahead"] for buyer in ("kim", "zoe", "joe")] == [0, 1, 2]
    known_by = [told[buyer]["known_by"] for buyer in ("kim", "zoe", "joe")]
    assert told["ann"]["until"] < known_by[0] < known_by[1] < known_by[2]
    assert int(told["ann"]["until_ns"]) - int(told["ann"]["stamp_ns"]) > 600_000 * MILLISECOND
    assert long.enter("eve").problem == "list_full"
    assert long.counts == (0, 2, 3, 0)
    return {buyer: answer["id"] for buyer, answer in told.items()}


def test_a_repeated_call_finds_the_place_on_the_list(long: Reservation, ids: dict[str, str]) -> None:
    for buyer, state in (("ann", "held"), ("kim", "waiting")):
        for again in (long.enter(buyer), long.enter(buyer, prefer=""), long.show(ids[buyer])):
            assert (again.status, again.json["id"], again.json["state"]) == (200, ids[buyer], state)
    batch = long.gateway.call("POST", f"/v1/sales/{long.sale}/purchases:batch", {"purchases": [{"buyer": "kim"}]})
    assert batch.json["purchases"][0]["purchase"]["ahead"] == 0


def test_whoever_may_not_is_refused_and_nothing_is_done(
    long: Reservation, ids: dict[str, str], auditor: Gateway, sales: Sales
) -> None:
    for call in (long.confirm, long.release):
        assert call(ids["ann"], "bob").problem == "not_yours"
        assert call(ids["ann"], "bob").status == 403
        assert call("here.nosuch", "ann").problem == "unknown_purchase"
        waits = call(ids["kim"], "kim")
        assert (waits.status, waits.problem, waits.json["state"]) == (409, "not_held", "waiting")
    path = long.path(ids["ann"])
    assert auditor.call("POST", path + "/confirm", {"buyer": "ann"}).problem == "forbidden"
    assert auditor.call("DELETE", path + "?buyer=ann").problem == "forbidden"
    for body in ({}, {"buyer": 7}, {"buyer": "a b"}, {"buyer": "ann", "price": 1}, b"{", b"\xff", []):
        assert long.gateway.call("POST", path + "/confirm", body).status == 422
    assert long.gateway.call("DELETE", path).status == 422
    assert long.gateway.call("DELETE", path + "?buyer=a%20b").status == 422
    assert long.gateway.call("GET", path + "/confirm").problem == "method_not_allowed"
    bought = long.gateway.buy(sales.open, "flash-buyer").json["id"]
    other = long.gateway.call("POST", f"/v1/sales/{sales.open}/purchases/{bought}/confirm", {"buyer": "flash-buyer"})
    assert (other.status, other.problem) == (409, "not_held")
    assert long.gateway.call("POST", f"/v1/sales/{'0' * 32}/purchases/x/confirm", {"buyer": "a"}).status == 404
    assert [long.show(ids[buyer]).json["state"] for buyer in ids] == ["held", "held", "waiting", "waiting", "waiting"]


def test_units_are_confirmed_given_back_and_go_down_the_list(long: Reservation, ids: dict[str, str]) -> None:
    before = long.show(ids["zoe"]).json
    back = long.release(ids["bob"], "bob", prefer="wait=10")
    assert (back.status, back.json["state"], back.json["reason"]) == (200, "lost", "released")
    assert back.headers["preference-applied"] == "wait=10"
    again = long.release(ids["bob"], "bob")
    assert (again.status, again.json) == (200, back.json)
    assert long.confirm(ids["bob"], "bob").problem == "not_held"
    kim = long.show(ids["kim"], prefer="wait=10").json
    assert (kim["state"], kim["rank"], kim["unit"]) == ("held", 2, 1)
    zoe = long.show(ids["zoe"]).json
    assert (zoe["ahead"], zoe["known_by"] <= before["known_by"]) == (0, True)
    said = long.confirm(ids["kim"], "kim")
    assert said.status in {200, 202}
    assert said.json["state"] in {"confirming", "won"}
    sold = long.confirm(ids["kim"], "kim", prefer="wait=10")
    assert (sold.status, sold.json["state"], sold.json["unit"]) == (200, "won", 1)
    assert long.confirm(ids["kim"], "kim").json == sold.json
    assert long.release(ids["kim"], "kim").problem == "not_held"
    assert long.counts == (1, 1, 2, 0)
    assert long.enter("eve").problem == "list_full"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_the_first_call_of_a_connection_is_stamped_like_any_other(here: Gateway, kind: Kind) -> None:
    sale = Reservation(here, stock=1, waiting_list=0)
    held = sale.enter("ann").json
    with kind(here) as caller:
        caller.say(here.request("POST", sale.path(held["id"]) + "/confirm", {"buyer": "ann"}, prefer="wait=10"))
        assert caller.answer().json["state"] == "won"
    until(lambda: here.state(sale.sale) == "closed")
    assert here.call("GET", f"/v1/sales/{sale.sale}").json["reason"] == "sold_out"
    assert sale.enter("bob").status in {409, 410}
    assert sale.enter("ann").json["state"] == "won"


def test_a_hold_outlasts_the_closing_expires_and_the_last_in_line_gets_the_unit(here: Gateway) -> None:
    sale = Reservation(here, stock=1, waiting_list=2, lasts=1.0, hold_ns=str(1_500 * MILLISECOND))
    ann, bob, kim = (sale.enter(buyer).json for buyer in ("ann", "bob", "kim"))
    assert (ann["state"], bob["ahead"], kim["ahead"]) == ("held", 0, 1)
    bob = sale.show(bob["id"], prefer="wait=10").json
    assert bob["state"] == "held"
    late = sale.confirm(ann["id"], "ann")
    assert (late.status, late.problem, late.json["until"]) == (409, "hold_expired", ann["until"])
    assert sale.release(ann["id"], "ann").problem == "hold_expired"
    assert sale.enter("eve").problem in {"too_late", "list_full"}
    assert here.call("GET", f"/v1/sales/{sale.sale}").json["held"] == 1
    assert here.state(sale.sale) == "open", "units are still held"
    assert sale.release(bob["id"], "bob", prefer="wait=10").status == 200
    kim = sale.show(kim["id"], prefer="wait=10").json
    assert (kim["state"], kim["unit"], kim["rank"]) == ("held", 0, 2)
    assert sale.confirm(kim["id"], "kim", prefer="wait=10").json["state"] == "won"
    kinds = [event["type"] for _, event in here.events(sale.sale)]
    assert kinds[-2:] == ["sold_out", "closed"]
    assert [kinds.count(kind) for kind in ("held", "listed", "expired", "released", "confirmed")] == [3, 2, 1, 1, 1]
    assert sale.confirm(kim["id"], "kim").status == 200, "also when the sale is over"
    assert sale.confirm(ann["id"], "ann").problem == "hold_expired"


def test_a_buyer_in_two_regions_has_one_place(small_world: World, here: Gateway) -> None:
    there = Gateway(small_world.ports["there"], small_world.token)
    sale = Reservation(here, stock=2, waiting_list=0, regions=["here", "there"])
    first = sale.enter("ann").json
    other = until(lambda: answer if (answer := there.buy(sale.sale, "ann", prefer="wait=10")).status == 200 else None)
    assert (first["state"], other.json["state"], other.json["of"]) == ("held", "pending", first["id"])
    path = f"/v1/sales/{sale.sale}/purchases/{other.json['id']}"
    assert there.call("POST", path + "/confirm", {"buyer": "ann"}).json["state"] == "pending"
    assert there.call("GET", sale.path(first["id"])).problem == "unknown_purchase"
    assert there.call("POST", sale.path(first["id"]) + "/confirm", {"buyer": "ann"}).problem == "unknown_purchase"
    assert sale.confirm(first["id"], "ann", prefer="wait=10").json["state"] == "won"
    assert sale.enter("bob").json["state"] == "held", "so that there is another look, which counts ann's other entry"
    told = until(lambda: answer if (answer := there.call("GET", path)).json["state"] == "lost" else None).json
    assert (told["reason"], told["of"]) == ("duplicate", first["id"])


def test_who_holds_a_unit_of_a_cancelled_sale_has_lost_and_who_confirmed_has_not(here: Gateway) -> None:
    sale = Reservation(here, stock=2)
    ann, bob = sale.enter("ann").json, sale.enter("bob").json
    assert sale.confirm(ann["id"], "ann", prefer="wait=10").status == 200
    assert here.call("POST", f"/v1/sales/{sale.sale}/cancel", {"reason": "no tables"}).status == 200
    until(lambda: here.state(sale.sale) == "cancelled")
    assert sale.confirm(bob["id"], "bob").json["reason"] == "cancelled"
    assert sale.show(ann["id"]).json["state"] == "won"
    assert sale.counts == (1, 0, 0, 0)
