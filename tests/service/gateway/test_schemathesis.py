"""schemathesis finds nothing: a gateway answers whatever its description allows, and whatever it does not, as it says.

What is asked, which checks are widened, and why: `schemathesis.toml`.
"""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.gateway.examples import TERMS
from service.world.world import RegionPlan, World, WorldPlan
from tests.patience import until
from tests.search import many
from tests.service.caller import Gateway
from tests.service.sales import publish, terms

HERE = Path(__file__).parent
REGION = TERMS["regions"][0]
EXAMPLES = 6


@pytest.fixture(scope="module")
def lone_world() -> Iterator[World]:
    """A world of one region that nobody else asks: schemathesis cancels what it finds."""
    with World(WorldPlan(regions=(RegionPlan(REGION),))) as running:
        yield running


@pytest.mark.timeout(1_800)
def test_schemathesis_finds_nothing(lone_world: World, tmp_path: Path) -> None:
    gateway = Gateway(lone_world.ports[REGION], lone_world.token)
    kinds: list[dict[str, Any]] = [
        {"stock": 1_000_000},
        {"kind": "auction", "currency": "EUR"},
        {"kind": "reservation", "hold_ns": str(3_600 * 10**9), "stock": 1_000},
    ]
    sales = [publish(gateway, terms(0.5, regions=[REGION], **fields)) for fields in kinds]
    bodies = [{"buyer": "first"}, {"buyer": "first", "price": 5}, {"buyer": "first"}]
    bought = [
        until(
            lambda sale=sale, body=body: (
                (answer := gateway.call("POST", f"/v1/sales/{sale}/purchases", body)).status in {200, 202}
                and answer.json["id"]
            )
        )
        for sale, body in zip(sales, bodies, strict=True)
    ]
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
            *("run", f"http://127.0.0.1:{gateway.port}/openapi.json", "--no-color"),
            *("--max-examples", str(many(EXAMPLES)), "--report", "har", "--report-har-path", str(tmp_path / "har")),
        ],
        env={
            **os.environ,
            "FIRSTCOME_TOKEN": gateway.token,
            "FIRSTCOME_OPEN_SALES": " ".join(sales),
            "FIRSTCOME_SPARE_SALE": publish(gateway, terms(3600, regions=[REGION])),
            "FIRSTCOME_PURCHASES": " ".join(bought),
            "FIRSTCOME_HOOKS": str(HERE / "schemathesis_hooks.py"),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=1_800,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert gateway.call("GET", "/readyz").status == 200
    assert "Traceback" not in (lone_world.folder / f"gateway-{REGION}-0.log").read_text()
    reached = statuses(tmp_path / "har")
    assert {call for call, seen in reached.items() if any(status < 300 for status in seen)} >= {
        "POST /v1/sales",
        "GET /v1/sales",
        "GET /v1/sales/{}",
        "POST /v1/sales/{}/cancel",
        "POST /v1/sales/{}/purchases",
        "POST /v1/sales/{}/purchases:batch",
        "GET /v1/sales/{}/purchases/{}",
        "GET /v1/sales/{}/purchases/{}/receipt",
        "POST /v1/sales/{}/purchases/{}/confirm",
        "GET /v1/clock",
    }, reached


def statuses(har: Path) -> dict[str, set[int]]:
    """What each call was answered with."""
    seen = defaultdict(set)
    for entry in json.loads(har.read_text())["log"]["entries"]:
        path = re.sub(r"^https?://[^/]+|[?].*", "", entry["request"]["url"])
        path = re.sub(r"(/sales|/purchases)/[^/]+", r"\1/{}", path)
        seen[f"{entry['request']['method']} {path}"].add(entry["response"]["status"])
    return seen
