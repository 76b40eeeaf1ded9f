"""Logs that cannot be true: that sale is halted with a reason that is recorded, and the others go on."""

import json
from collections.abc import Callable

import redis

from service.world.world import ARBITER, World
from tests.patience import until
from tests.worlds import Outing, store

Tamper = Callable[["redis.Redis[bytes]", str], None]


def delete_the_log(client: "redis.Redis[bytes]", sale: str) -> None:
    client.delete(f"{{{sale}}}:log")


def delete_the_last_entry(client: "redis.Redis[bytes]", sale: str) -> None:
    last = client.xrevrange(f"{{{sale}}}:log", count=1)[0][0]
    client.xdel(f"{{{sale}}}:log", last)


def rewrite_the_last_entry(client: "redis.Redis[bytes]", sale: str) -> None:
    """As after a failover: what was read is gone, and something else has its number."""
    lines = [line for _, fields in client.xrange(f"{{{sale}}}:log") for line in fields[b"l"].split(b"\n")]
    lines[-1] = lines[-1].replace(b'"buyer":"', b'"buyer":"x')
    with client.pipeline() as at_once:
        at_once.delete(f"{{{sale}}}:log")
        for number, line in enumerate(lines, start=1):
            at_once.xadd(f"{{{sale}}}:log", {"l": line}, id=f"{number}-0")
        at_once.execute()


def append(client: "redis.Redis[bytes]", sale: str, skip: int = 1, **changed: str) -> None:
    number, fields = client.xrevrange(f"{{{sale}}}:log", count=1)[0]
    seq = int(number.split(b"-")[0]) + skip
    entry = {
        **json.loads(fields[b"l"].split(b"\n")[-1]),
        "seq": seq,
        "request": "south.tampered",
        "buyer": "nobody",
        **changed,
    }
    line = json.dumps(entry, sort_keys=True, separators=(",", ":"))
    client.xadd(f"{{{sale}}}:log", {"l": line}, id=f"{seq}-0")


def append_below_the_mark(client: "redis.Redis[bytes]", sale: str) -> None:
    append(client, sale)


def append_behind_a_gap(client: "redis.Redis[bytes]", sale: str) -> None:
    append(client, sale, skip=2, stamp_ns=str(int(client.get(f"{{{sale}}}:mark") or 0) + 1))


def append_what_is_no_entry(client: "redis.Redis[bytes]", sale: str) -> None:
    client.xadd(f"{{{sale}}}:log", {"other": "thing"})


def put_something_else_there(client: "redis.Redis[bytes]", sale: str) -> None:
    client.set(f"{{{sale}}}:log", "no stream")


def lower_the_mark(client: "redis.Redis[bytes]", sale: str) -> None:
    client.set(f"{{{sale}}}:mark", "1000000000000000000")


def spoil_the_mark(client: "redis.Redis[bytes]", sale: str) -> None:
    client.set(f"{{{sale}}}:mark", "9" * 18 + "x")


TAMPERED: dict[Tamper, str] = {
    delete_the_log: "still there",
    delete_the_last_entry: "still there",
    rewrite_the_last_entry: "still the same",
    append_below_the_mark: "below its mark",
    append_behind_a_gap: "gap",
    append_what_is_no_entry: "entries and nothing else",
    put_something_else_there: "is a log",
    lower_the_mark: "only moves forward",
    spoil_the_mark: "its mark is nanoseconds",
}


def is_over_if_lowered(client: "redis.Redis[bytes]", sale: Outing) -> bool:
    """The next heartbeat raises a mark again: it is lowered until the arbiter has read it between two of them."""
    lower_the_mark(client, sale.sale)
    return sale.is_over()


def test_each_tampered_sale_is_halted_for_its_own_reason_and_the_others_go_on(
    world: World, publish: Callable[..., Outing]
) -> None:
    sales = {tamper: publish(opens_in=2, skew_ms=20, grace_ms=100) for tamper in TAMPERED}
    honest = publish(opens_in=2, skew_ms=20, grace_ms=100, stock=4)
    for sale in sales.values():
        sale.press([(f"buyer-{number}", "south", 0.001 * number) for number in range(3)])
    for sale in sales.values():
        until(lambda sale=sale: len(sale.of_type("won")) == 3)  # type: ignore[misc]
    with store(world, "south") as client:
        for tamper, sale in sales.items():
            tamper(client, sale.sale)
        until(lambda: is_over_if_lowered(client, sales[lower_the_mark]))
    for tamper, sale in sales.items():
        done = sale.finish()
        halted = done.decisions[-1]
        assert halted["type"] == "halted", tamper
        assert "region south" in halted["reason"]
        assert TAMPERED[tamper] in halted["reason"], (tamper, halted)
        assert done.keeps_its_word() == 3
        assert len(done.winners) == 3
        done.decided_again()
        until(lambda sale=sale: sale.state("west")["state"] == "halted")  # type: ignore[misc]
        refused = sale.call("POST", "/purchases", "north", json={"buyer": "another"})
        assert refused.json()["type"].endswith("halted")
    honest.press([(f"buyer-{number}", region, 0) for number, region in enumerate(("north", "south", "west", "south"))])
    done = honest.finish()
    assert len(done.winners) == 4
    done.decided_again()


def test_a_region_whose_store_forgot_while_nobody_looked_is_found_out(
    world: World, publish: Callable[..., Outing]
) -> None:
    """The arbiter is away, the store loses its last entry, another takes its number, the arbiter comes back."""
    sale = publish(opens_in=2, skew_ms=20, grace_ms=5_000)
    sale.press([("kept", "south", 0.1), ("forgotten", "south", 0.2)])
    until(lambda: copied(sale) == 2)
    world.kill(ARBITER)
    with store(world, "south") as client:
        rewrite_the_last_entry(client, sale.sale)
    world.start(ARBITER)
    done = sale.finish()
    assert "still the same" in done.decisions[-1]["reason"]
    assert done.keeps_its_word() == 2
    assert {outcome["reason"] for outcome in done.outcomes.values()} == {"halted"}
    done.decided_again()


def copied(sale: Outing) -> int:
    with store(sale.world, ARBITER) as client:
        newest = client.xrevrange(f"arbiter:{{{sale.sale}}}:log:south", count=1)
    return int(newest[0][0].split(b"-")[0]) if newest else 0
