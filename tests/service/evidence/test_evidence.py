"""Receipts, checkpoints and bundles of a running system, checked by a verifier that shares nothing with ours.

`small_world` is two regions, `here` and `there`, each with a notary, and the arbiter's; see tests/service/conftest.py.
"""

import hashlib
import hmac
import io
import json
import zipfile
from typing import Any

import httpx
import pytest
import redis

from service.world.world import ARBITER, World
from tests.patience import until
from tests.service.caller import Gateway
from tests.service.evidence import verifier
from tests.service.sales import Sales, fresh, publish, terms


def get_receipt(gateway: Gateway, sale: str, purchase: str) -> Any:
    """A receipt, once there is one; before that the answer says that it comes."""

    def ask() -> Any:
        answer = gateway.call("GET", f"/v1/sales/{sale}/purchases/{purchase}/receipt")
        if answer.status == 409:
            assert (answer.problem, answer.headers["retry-after"]) == ("not_signed_yet", "1")
            return None
        assert answer.status == 200, answer
        return answer.json

    return until(ask)


def settled(gateway: Gateway, sale: str, purchase: str) -> Any:
    """A receipt with its decision."""

    def ask() -> Any:
        receipt = get_receipt(gateway, sale, purchase)
        return receipt if receipt["decision"] is not None else None

    return until(ask)


def ledger(gateway: Gateway, sale: str) -> bytes:
    """A finished sale's zip, once it is sealed."""
    url = f"http://127.0.0.1:{gateway.port}/v1/sales/{sale}/ledger"
    headers = {"authorization": f"Bearer {gateway.token}"}

    def ask() -> Any:
        answer = httpx.get(url, headers=headers, timeout=30)
        if answer.status_code == 409:
            assert answer.headers["retry-after"]
            return None
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
        return answer.content

    return bytes(until(ask))


def kept(world: World, name: str, key: str) -> dict[bytes, bytes]:
    with redis.Redis.from_url(world.stores[name], protocol=2) as client:
        return client.hgetall(key)


def test_a_purchase_is_signed_soon_after_it_is_acknowledged(here: Gateway, sales: Sales) -> None:
    bought = [here.buy(sales.open, fresh()) for _ in range(5)]
    for answer in bought:
        receipt = get_receipt(here, sales.open, answer.json["id"])
        entry = verifier.check_receipt(receipt)
        assert (entry["request"], entry["seq"]) == (answer.json["id"], answer.json["seq"])
        assert (entry["stamp_ns"], entry["bound_ns"]) == (answer.json["stamp_ns"], answer.json["bound_ns"])


@pytest.mark.parametrize(("name", "buyer", "state", "reason"), [
    ("sold_out", "first", "won", None),
    ("closed", "punctual", "won", None),
    ("cancelled", "unlucky", None, None),
])  # fmt: skip
def test_receipts_show_how_it_was_decided(
    here: Gateway, sales: Sales, name: str, buyer: str, state: str | None, reason: str | None
) -> None:
    sale = getattr(sales, name)
    found = here.buy(sale, buyer).json
    receipt = settled(here, sale, found["id"])
    assert verifier.check_receipt(receipt)["buyer"] == buyer
    assert receipt["outcome"]["state"] == (state or found["state"])
    assert receipt["outcome"].get("reason") == (reason or found.get("reason"))


def test_a_receipt_says_why_once_the_sale_is_over(here: Gateway, sales: Sales) -> None:
    found = here.buy(sales.sold_out, "first").json
    receipt = until(lambda: (got := get_receipt(here, sales.sold_out, found["id"]))["why"] and got)
    stated, why = receipt["terms"], receipt["why"]
    assert (why["pot"], why["tie_window_ns"]) == (1, stated["tie_window_ns"])
    assert why["place_ns"] == why["earliest_ns"] == found["stamp_ns"]
    assert int(why["frontier_ns"]) > int(why["earliest_ns"]) + int(why["tie_window_ns"])
    with zipfile.ZipFile(io.BytesIO(ledger(here, sales.sold_out))) as archive:
        seed = bytes.fromhex(json.loads(archive.read("seed.json"))["seed"])
    assert hashlib.sha256(seed).hexdigest() == stated["seed_commitment"]
    assert why["ticket"] == hmac.digest(seed, f"{sales.sold_out}\nfirst".encode(), "sha256").hex()


def test_a_receipt_is_for_those_who_may_look(here: Gateway, sales: Sales) -> None:
    purchase = here.buy(sales.open, fresh()).json["id"]
    path = f"/v1/sales/{sales.open}/purchases/{purchase}/receipt"
    assert httpx.get(f"http://127.0.0.1:{here.port}{path}").status_code == 401
    missing = here.call("GET", f"/v1/sales/{sales.open}/purchases/here.nosuch/receipt")
    assert (missing.status, missing.problem) == (404, "unknown_purchase")
    missing = here.call("GET", f"/v1/sales/nosuch/purchases/{purchase}/receipt")
    assert (missing.status, missing.problem) == (404, "unknown_sale")


def test_the_ledger_is_the_bundle_and_the_same_each_time(here: Gateway, sales: Sales) -> None:
    content = ledger(here, sales.sold_out)
    assert ledger(here, sales.sold_out) == content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    check_bundle(files, sales.sold_out)
    assert {"clocks/here-1.jsonl", "checkpoints/decisions", "checkpoints/regions/here"} < files.keys()


def test_the_ledger_of_a_sale_that_runs_is_refused(here: Gateway, sales: Sales) -> None:
    answer = here.call("GET", f"/v1/sales/{sales.open}/ledger")
    assert (answer.status, answer.problem) == (409, "sale_not_over")


def test_clock_journals_hold_every_update_that_stamps_name(here: Gateway, sales: Sales) -> None:
    with zipfile.ZipFile(io.BytesIO(ledger(here, sales.closed))) as archive:
        entries = [json.loads(line) for line in archive.read("regions/here.jsonl").splitlines()]
        assert entries
        for entry in entries:
            host, _, update = entry["clock"].rpartition("/")
            journal = [json.loads(line) for line in archive.read(f"clocks/{host}.jsonl").splitlines()]
            assert journal[0]["type"] == "start"
            (named,) = [record for record in journal if record.get("update") == int(update)]
            assert named["type"] == "update"


def test_every_region_is_named_by_its_key_and_signs_its_own(small_world: World, here: Gateway) -> None:
    sale = publish(here, terms(3600, regions=["here", "there"]))
    named = here.call("GET", f"/v1/sales/{sale}").json["terms"]["keys"]
    for region in ("here", "there"):
        note = until(lambda region=region: kept(small_world, region, f"{{{sale}}}:checkpoint").get(b"note"))
        verifier.check_log(note.decode(), named["regions"][region], f"firstcome/{sale}/regions/{region}", [])
    note = until(lambda: kept(small_world, ARBITER, f"arbiter:{{{sale}}}:decisions:checkpoint").get(b"note"))
    verifier.check_log(note.decode(), named["arbiter"], f"firstcome/{sale}/decisions", [])


def test_terms_may_not_bring_keys_of_their_own(here: Gateway, sales: Sales) -> None:
    shown = here.call("GET", f"/v1/sales/{sales.open}").json["terms"]["keys"]
    answer = here.call("POST", "/v1/sales", terms(3600, keys=shown))
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "keys")


def check_bundle(files: dict[str, bytes], sale: str) -> None:
    """Manifest, its signature, and every checkpoint."""
    manifest = json.loads(files["manifest.json"])
    assert set(manifest["files"]) == files.keys() - {"manifest.json"}
    for name, digest in manifest["files"].items():
        assert verifier.sha256(files[name]).hex() == digest
    stated = json.loads(files["terms.json"])
    signature = manifest.pop("signature")
    unsigned = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    said = verifier.open_note(signature, stated["keys"]["arbiter"])
    assert said == ["firstcome-bundle/1", sale, verifier.sha256(unsigned).hex()]
    decisions = files["decisions.jsonl"].splitlines()
    note = files["checkpoints/decisions"].decode()
    verifier.check_log(note, stated["keys"]["arbiter"], f"firstcome/{sale}/decisions", decisions)
    for region, key in stated["keys"]["regions"].items():
        lines = files[f"regions/{region}.jsonl"].splitlines()
        note = files[f"checkpoints/regions/{region}"].decode()
        verifier.check_log(note, key, f"firstcome/{sale}/regions/{region}", lines)
