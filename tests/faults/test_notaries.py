"""Notaries that die, come twice, or come with another key: what was signed stays true, and nothing else is signed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from service.store.chunks import last_number
from service.world.world import ARBITER, World
from tests.patience import until
from tests.service.evidence import verifier
from tests.worlds import Outing, store, stream


def signed(world: World, sale: Outing, region: str) -> str | None:
    """A region's newest checkpoint, once it covers the whole log."""
    with store(world, region) as client:
        kept = client.hgetall(f"{{{sale.sale}}}:checkpoint")
        whole = kept and int(kept[b"size"]) == last_number(client.xrevrange(f"{{{sale.sale}}}:log", count=1))
    return kept[b"note"].decode() if whole else None


def check(world: World, sale: Outing, region: str) -> None:
    """The region's whole log is signed, soon."""
    note = until(lambda: signed(world, sale, region))
    lines = stream(world, region, f"{{{sale.sale}}}:log")
    key = sale.terms.stated["keys"]["regions"][region]
    verifier.check_log(note, key, f"firstcome/{sale.sale}/regions/{region}", lines)


def test_a_notary_that_was_killed_goes_on_where_it_was(world: World, publish: Callable[..., Outing]) -> None:
    sale = publish(stock=50)
    sale.press([(f"early-{number}", "west", 0.1) for number in range(10)], wait_seconds=0)
    check(world, sale, "west")
    for name in ("notary-west", "notary"):
        world.kill(name)
    sale.press([(f"late-{number}", "west", 0.2) for number in range(10)], wait_seconds=10)
    assert signed(world, sale, "west") is None
    for name in ("notary-west", "notary"):
        world.start(name)
    check(world, sale, "west")
    assert sale.call("POST", "/cancel", json={"reason": "enough"}).status_code == 200
    done = sale.finish()
    assert done.keeps_its_word() == 20
    note = (done.folder / "checkpoints" / "decisions").read_text()
    decisions = (done.folder / "decisions.jsonl").read_bytes().splitlines()
    verifier.check_log(note, sale.terms.stated["keys"]["arbiter"], f"firstcome/{sale.sale}/decisions", decisions)


def test_two_notaries_at_once_sign_one_log(world: World, publish: Callable[..., Outing]) -> None:
    world.start_twin("notary-north", "notary-north-twin")
    world.start_twin("notary", "notary-twin")
    try:
        sale = publish(stock=2)
        sale.press([(f"buyer-{number}", "north", 0.01 * number) for number in range(20)], wait_seconds=10)
        check(world, sale, "north")
        world.kill("notary-north")
        sale.press([("later", "south", 1.0)], wait_seconds=1, tries=1)
        done = sale.finish()
        check(world, sale, "north")
        journal = [json.loads(line) for line in (done.folder / "clocks" / "north-1.jsonl").read_bytes().splitlines()]
        updates = [record["update"] for record in journal if record["type"] == "update"]
        assert updates == sorted(set(updates)), "two that hand in one journal leave nothing out, and nothing twice"
    finally:
        for twin in ("notary-north-twin", "notary-twin"):
            world.kill(twin)
        if not world.is_running("notary-north"):
            world.start("notary-north")


def firstcome(*words: str) -> "subprocess.CompletedProcess[str]":
    """A program of ours that ends by itself."""
    command = [sys.executable, "-m", "service.command", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def notary(world: World, region: str, key: Path) -> "subprocess.CompletedProcess[str]":
    """A notary that must end."""
    return firstcome("notary", "--region", region, "--store", world.stores[region], "--key", str(key))


def test_a_notary_with_another_key_is_refused(world: World, publish: Callable[..., Outing], tmp_path: Path) -> None:
    sale = publish(opens_in=3600)
    check(world, sale, "south")
    with store(world, "south") as client:
        before = client.hgetall(f"{{{sale.sale}}}:checkpoint")
        known = client.get("region:key")
    ended = notary(world, "south", tmp_path / "another.key")
    assert ended.returncode == 2
    assert "bring the old key file back" in ended.stderr
    assert "Traceback" not in ended.stderr
    with store(world, "south") as client:
        assert client.hgetall(f"{{{sale.sale}}}:checkpoint") == before
        assert client.get("region:key") == known
    mine = world.folder / "region-south.key"
    mine.chmod(0o644)
    try:
        ended = notary(world, "south", mine)
    finally:
        mine.chmod(0o600)
    assert (ended.returncode, "chmod 600" in ended.stderr) == (2, True)
    with store(world, ARBITER) as client:
        assert client.hget("arbiter:keys", "south") == known


def test_a_store_that_was_changed_gives_no_bundle(world: World, publish: Callable[..., Outing]) -> None:
    sale = publish(stock=1)
    sale.press([("first", "north", 0.1), ("second", "north", 0.15)], wait_seconds=10)
    sale.finish()
    key = f"arbiter:{{{sale.sale}}}:decisions"
    with store(world, ARBITER) as client:
        records = [fields[b"l"] for _, fields in client.xrange(key)]
        client.delete(key)
        for number, line in enumerate(records, start=1):
            winner = b"first" if b'"type":"won"' in line else b""
            changed = line.replace(b'"latest_ns":"1', b'"latest_ns":"2')
            client.xadd(key, {"l": changed, "b": winner}, id=f"{number}-0")
    url = f"http://127.0.0.1:{world.ports['north']}/v1/sales/{sale.sale}/ledger"
    with httpx.stream("GET", url, headers={"authorization": f"Bearer {world.token}"}, timeout=30) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
    sale.folder = sale.folder.with_name("again")
    with pytest.raises(AssertionError, match=r"does not hold what was sealed: decisions\.jsonl"):
        sale.finish()


def test_a_key_may_be_replaced_and_then_old_sales_stay_unsigned(
    world: World, publish: Callable[..., Outing], tmp_path: Path
) -> None:
    before = publish(opens_in=2)
    check(world, before, "west")
    key = world.folder / "region-west.key"
    old = key.read_text()
    world.kill("notary-west")
    key.unlink()
    made = firstcome("key", str(key), "--region", "west").stdout.strip()
    try:
        with store(world, "west") as client:
            client.set("region:key", made)
        world.start("notary-west")
        with store(world, ARBITER) as client:
            until(lambda: client.hget("arbiter:keys", "west") == made.encode())
        after = publish(opens_in=2)
        assert after.terms.stated["keys"]["regions"]["west"] == made
        for sale in (before, after):
            sale.press([("buyer", "west", 0.1)], wait_seconds=10)
        check(world, after, "west")
        assert signed(world, before, "west") is None
        assert "its terms name another key" in (world.folder / "notary-west.log").read_text()
    finally:
        world.kill("notary-west")
        key.write_text(old)
        ours = firstcome("key", str(key), "--region", "west").stdout.strip()
        with store(world, "west") as client:
            client.set("region:key", ours)
        world.start("notary-west")
        with store(world, ARBITER) as client:
            until(lambda: client.hget("arbiter:keys", "west") == ours.encode())
