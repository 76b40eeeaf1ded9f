"""The calls about webhooks: whose they are, what they refuse, and how little a gateway needs for them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from service.notify.messages import message_id
from service.notify.webhooks import (
    EVENTS,
    MOST_OF_A_MERCHANT,
    DeadLetter,
    decode_secret,
    encode_dead_letter,
)
from service.store import keys
from service.world.ports import free_port
from service.world.world import ARBITER, World
from tests.patience import until
from tests.service.caller import Gateway
from tests.service.processes import Program
from tests.service.sales import fresh, publish, terms

URL = "https://93.184.216.34/hook"
"""An address of the public internet, which nobody calls: this world has no notifier."""


def merchant(small_world: World, name: str) -> Gateway:
    return Gateway(small_world.ports["here"], f"{name}-publishes")


@pytest.fixture
def store(small_world: World) -> Iterator["redis.Redis[bytes]"]:
    with redis.Redis.from_url(small_world.stores[ARBITER], protocol=2) as client:
        yield client
        for name in client.keys("arbiter:webhooks*") + client.keys("arbiter:notifier*"):
            client.delete(name)


@pytest.fixture
def ann(small_world: World, store: Any) -> Gateway:
    return merchant(small_world, "ann")


@pytest.fixture
def bob(small_world: World, store: Any) -> Gateway:
    return merchant(small_world, "bob")


def make(gateway: Gateway, url: str = URL, **more: Any) -> dict[str, Any]:
    answer = gateway.call("POST", "/v1/webhooks", {"url": url, **more})
    assert answer.status == 201, answer
    made: dict[str, Any] = answer.json
    assert answer.headers["location"] == f"/v1/webhooks/{made['id']}"
    return made


def secrets_of(store: Any, webhook: str) -> list[str]:
    """Oldest first."""
    kept = store.hgetall(keys.WEBHOOK_SECRETS)
    return [decode_secret(kept[name]).secret for name in sorted(kept) if name.startswith(webhook.encode())]


def test_a_webhook_is_made_shown_and_deleted(ann: Gateway, store: Any) -> None:
    made = make(ann, note="the shop's")
    assert made["events"] == list(EVENTS)
    assert made["merchant"] == "ann"
    assert secrets_of(store, made["id"]) == [made.pop("secret")]
    path = f"/v1/webhooks/{made['id']}"
    assert ann.call("GET", path).json == made
    assert ann.call("GET", "/v1/webhooks").json == {"webhooks": [made]}
    assert ann.call("DELETE", path).json == {"id": made["id"], "state": "deleted"}
    assert ann.call("DELETE", path).problem == "unknown_webhook"
    assert ann.call("GET", "/v1/webhooks").json == {"webhooks": []}


def test_only_some_events(ann: Gateway) -> None:
    made = make(ann, events=["sale.closed", "purchase.won", "sale.closed"])
    assert made["events"] == ["purchase.won", "sale.closed"]


def test_a_merchant_sees_its_own_and_ops_all(ann: Gateway, bob: Gateway, here: Gateway, auditor: Gateway) -> None:
    anns, bobs = make(ann), make(bob)
    assert [one["id"] for one in ann.call("GET", "/v1/webhooks").json["webhooks"]] == [anns["id"]]
    assert [one["id"] for one in here.call("GET", "/v1/webhooks").json["webhooks"]] == [anns["id"], bobs["id"]]
    for method, rest in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/rotate"),
        ("GET", "/dead-letters"),
        ("POST", "/replay"),
    ):
        path = f"/v1/webhooks/{bobs['id']}{rest}"
        assert ann.call(method, path).problem == "unknown_webhook"
        assert auditor.call(method, path).problem == "forbidden"
        assert Gateway(here.port, "nobody").call(method, path).problem == "unauthorized"
        assert ann.call(method, f"/v1/webhooks/nosuch{rest}").problem == "unknown_webhook"
    assert auditor.call("POST", "/v1/webhooks", {"url": URL}).problem == "forbidden"
    assert here.call("GET", f"/v1/webhooks/{bobs['id']}").status == 200


def test_a_repeat_finds_the_webhook(ann: Gateway, bob: Gateway) -> None:
    key = fresh("key")
    first = ann.call("POST", "/v1/webhooks", {"url": URL}, idempotency_key=key)
    again = ann.call("POST", "/v1/webhooks", {"url": URL}, idempotency_key=key)
    assert (first.status, again.status) == (201, 200)
    assert again.json == {name: value for name, value in first.json.items() if name != "secret"}
    other = ann.call("POST", "/v1/webhooks", {"url": URL + "2"}, idempotency_key=key)
    assert (other.status, other.problem) == (422, "idempotency_key_reused")
    assert bob.call("POST", "/v1/webhooks", {"url": URL}, idempotency_key=key).json["id"] != first.json["id"]


def test_a_new_secret_is_added(ann: Gateway, store: Any) -> None:
    made = make(ann)
    path = f"/v1/webhooks/{made['id']}/rotate"
    rotated = ann.call("POST", path).json
    assert rotated["overlap_seconds"] == 86_400
    assert rotated["secret"] != made["secret"]
    at_once = ann.call("POST", path, {"overlap_seconds": 0}).json
    assert secrets_of(store, made["id"]) == [made["secret"], rotated["secret"], at_once["secret"]]
    for body in (
        {"overlap_seconds": -1},
        {"overlap_seconds": 10**9},
        {"overlap_seconds": "1"},
        {"overlap": 1},
        [],
        b"x",
    ):
        assert ann.call("POST", path, body).problem == "invalid"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": 7}, "url"),
        ({"url": "ftp://shop.example/"}, "url"),
        ({"url": "https://me:secret@shop.example/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "http://localhost:6379/"}, "url"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "url"),
        ({"url": "http://2130706433/"}, "url"),
        ({"url": "https://nosuch.invalid/"}, "url"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "events": ["purchase.lots"]}, "events[0]"),
        ({"url": URL, "note": "x" * 201}, "note"),
        ({"url": URL, "secret": "whsec_mine"}, "secret"),
        ([], ""),
        (b"{", ""),
        (b"[" * 12_000, ""),
    ],
)
def test_what_is_refused(ann: Gateway, body: Any, field: str) -> None:
    answer = ann.call("POST", "/v1/webhooks", body)
    assert (answer.status, answer.problem) == (422, "invalid"), answer
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert ann.call("GET", "/v1/webhooks").json == {"webhooks": []}


def test_private_addresses_are_good_where_the_notifier_calls_them(ann: Gateway, store: Any) -> None:
    store.set(keys.NOTIFIER_ALLOWANCE, "private")
    make(ann, "http://127.0.0.1:8000/hook")
    store.set(keys.NOTIFIER_ALLOWANCE, "public")
    assert ann.call("POST", "/v1/webhooks", {"url": "http://127.0.0.1:8000/hook"}).problem == "invalid"


def test_there_is_an_end_to_them(ann: Gateway, bob: Gateway) -> None:
    for number in range(MOST_OF_A_MERCHANT):
        make(ann, f"{URL}/{number}")
    refused = ann.call("POST", "/v1/webhooks", {"url": URL})
    assert (refused.status, refused.problem) == (409, "too_many_webhooks")
    make(bob)


def test_dead_letters_are_listed_and_replayed(ann: Gateway, store: Any) -> None:
    webhook, sale = make(ann)["id"], "5a" * 16
    path = f"/v1/webhooks/{webhook}"
    letter = DeadLetter("purchase.lost", 12, 1_000_000_000, 2_000_000_000, "it answered 500")
    for number in (10, 9):
        store.hset(keys.dead_letters(webhook), f"{sale}/{number}", encode_dead_letter(letter))
    listed = ann.call("GET", f"{path}/dead-letters").json["dead_letters"]
    assert [one["number"] for one in listed] == [9, 10]
    assert listed[0] == {
        "id": message_id(webhook, sale, 9), "sale": sale, "number": 9, "event": "purchase.lost", "attempts": 12,
        "first": "1970-01-01T00:00:01Z", "last": "1970-01-01T00:00:02Z", "reason": "it answered 500",
        "replaying": False,
    }  # fmt: skip
    unknown = ann.call(
        "POST", f"{path}/replay", {"messages": [{"sale": sale, "number": 9}, {"sale": sale, "number": 8}]}
    )
    assert (unknown.status, unknown.problem) == (404, "unknown_dead_letter")
    assert not store.exists(keys.REPLAYS)
    asked = ann.call("POST", f"{path}/replay", {"messages": [{"sale": sale, "number": 9}]})
    assert (asked.status, asked.json) == (202, {"webhook": webhook, "replaying": 1})
    replaying = [one["replaying"] for one in ann.call("GET", f"{path}/dead-letters").json["dead_letters"]]
    assert replaying == [True, False]
    assert ann.call("POST", f"{path}/replay").json["replaying"] == 2
    assert store.hlen(keys.REPLAYS) == 2
    for body in ({"messages": []}, {"messages": [{"sale": sale}]}, {"messages": "all"}, {"all": True}):
        assert ann.call("POST", f"{path}/replay", body).problem == "invalid"


def test_a_sale_belongs_to_the_token_that_published_it(ann: Gateway, store: Any) -> None:
    sale = publish(ann, terms(3600))
    assert store.hget(keys.OWNERS, sale) == b"ann"


def test_a_gateway_with_the_rights_that_the_documentation_names_does_all_of_it(
    small_world: World, store: Any, tmp_path: Path
) -> None:
    """And can read neither a secret nor a seed."""
    document = (Path(__file__).parents[3] / "ARCHITECTURE.md").read_text()
    (stated,) = re.findall(r"Redis ACL, 7.0 or later:\s+`([^`]+)`", document)
    rules = re.findall(r"\([^)]*\)|\S+", stated.replace("\n", " "))
    store.execute_command("ACL", "SETUSER", "gateway", "on", ">pass", *rules)
    url = small_world.stores[ARBITER].replace("unix://", "unix://gateway:pass@")
    port = free_port()
    flags = ["--region", "here", "--listen", f"127.0.0.1:{port}", "--store", small_world.stores["here"]]
    flags += ["--arbiter-store", url, "--tokens", str(small_world.folder / "tokens.toml")]
    flags += ["--page", str(small_world.page("here")), "--host-clock", small_world.host_clock("here")]
    with Program(tmp_path, "gateway", *flags) as program:
        program.line_with("gateway listens")
        ann = Gateway(port, "ann-publishes")
        made = make(ann)
        path = f"/v1/webhooks/{made['id']}"
        store.hset(keys.dead_letters(made["id"]), "5a/1", encode_dead_letter(DeadLetter("sale.closed", 1, 0, 0, "x")))
        until(lambda: ann.call("GET", "/readyz").status == 200)
        publish(ann, terms(3600))
        assert ann.call("POST", f"{path}/rotate").status == 200
        assert ann.call("GET", "/v1/webhooks").json["webhooks"] == [ann.call("GET", path).json]
        assert len(ann.call("GET", f"{path}/dead-letters").json["dead_letters"]) == 1
        assert ann.call("POST", f"{path}/replay").status == 202
        assert ann.call("DELETE", path).status == 200
    for command in (["HGETALL", keys.WEBHOOK_SECRETS], ["HGET", keys.WEBHOOK_SECRETS, "x"], ["HGET", keys.SEEDS, "x"]):
        assert b"no permissions" in store.execute_command("ACL", "DRYRUN", "gateway", *command)
