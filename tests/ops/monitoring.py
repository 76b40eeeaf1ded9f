"""A local world under real monitoring: Prometheus and Alertmanager with the shipped rules, and whoever is paged.

Rules, inhibitions and waiting times are those of `ops/`; only how often is asked is not: every second here, so that
what is measured is what the rules take. Buyers press all the while, so it is seen whether anybody was refused first.
"""

import http.client
import json
import subprocess
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import yaml
from whenever import Instant, TimeDelta

from service import processes
from service.world.ports import free_port
from service.world.world import ARBITER, World
from tests.ops.test_rules import FILES, OPS, tool
from tests.patience import until

ASK_EVERY = "1s"
PRESS_EVERY_SECONDS = 0.05


@dataclass(frozen=True)
class Notified:
    """One alert of one notification."""

    at: float
    """By time.monotonic."""
    alert: str
    severity: str
    status: str
    labels: dict[str, str]
    summary: str


class Receiver:
    """Whoever is paged: listens where Alertmanager sends to. Use as a context manager."""

    def __init__(self) -> None:
        self.notified: list[Notified] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                now = time.monotonic()
                receiver.notified += [
                    Notified(
                        now,
                        alert["labels"]["alertname"],
                        alert["labels"]["severity"],
                        alert["status"],
                        alert["labels"],
                        alert["annotations"]["summary"],
                    )
                    for alert in body["alerts"]
                ]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Monitoring:
    """Prometheus and Alertmanager on a world. Use as a context manager."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world, self._folder = world, folder
        self._opened = ExitStack()
        self.receiver = Receiver()
        self._prometheus_port, self._alertmanager_port = free_port(), free_port()

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._opened.enter_context(self.receiver)
        self._write_alertmanager()
        self._write_prometheus()
        self._start(
            "alertmanager",
            tool("prometheus-alertmanager"),
            f"--config.file={self._folder / 'alertmanager.yml'}",
            f"--storage.path={self._folder / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{self._alertmanager_port}",
            "--cluster.listen-address=",
        )
        self._start(
            "prometheus",
            tool("prometheus"),
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{self._prometheus_port}",
        )
        until(lambda: self.query("count(up == 1)") == len(self._world.regions) * 2 + 1, what="a scrape of every target")
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def query(self, expression: str) -> float | None:
        """The value of an expression that has one; None where it has none, or nobody answers yet."""
        found = self._ask(f"/api/v1/query?query={_quoted(expression)}")
        results = found["data"]["result"] if found else []
        return float(results[0]["value"][1]) if results else None

    def range(self, expression: str, since: float) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """The series of an expression from a moment of Unix time until now: labels, and (time, value) each second."""
        times = f"start={since}&end={time.time()}&step=1"
        found = self._ask(f"/api/v1/query_range?query={_quoted(expression)}&{times}")
        return [
            (series["metric"], [(float(when), float(value)) for when, value in series["values"]])
            for series in (found["data"]["result"] if found else [])
        ]

    def firing(self) -> set[str]:
        """The names of alerts that fire now, also those that are inhibited."""
        found = self._ask("/api/v1/alerts")
        alerts = found["data"]["alerts"] if found else []
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def _ask(self, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._prometheus_port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return json.loads(answer.read()) if answer.status == 200 else None
        except OSError:
            return None
        finally:
            connection.close()

    def _start(self, name: str, *command: str) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            child: subprocess.Popen[bytes] = processes.start(command, output=log)
        self._opened.callback(processes.end, [child])

    def _write_alertmanager(self) -> None:
        shipped = yaml.safe_load((OPS / "alertmanager.yml").read_text())
        shipped["receivers"][0]["webhook_configs"][0]["url"] = f"http://127.0.0.1:{self.receiver.port}/"
        (self._folder / "alertmanager.yml").write_text(yaml.safe_dump(shipped))

    def _write_prometheus(self) -> None:
        world = self._world
        home = min(world.plan.regions, key=lambda region: region.distance_seconds).name

        def job(name: str, targets: list[tuple[int, str]]) -> dict[str, Any]:
            return {
                "job_name": name,
                "honor_labels": True,
                "authorization": {"credentials": world.token},
                "static_configs": [
                    {"targets": [f"127.0.0.1:{port}"], "labels": {"region": region}} for port, region in targets
                ],
            }

        settings = {
            "global": {"scrape_interval": ASK_EVERY, "evaluation_interval": ASK_EVERY, "scrape_timeout": ASK_EVERY},
            "rule_files": [str(path) for path in FILES],
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{self._alertmanager_port}"]}]}]
            },
            "scrape_configs": [
                job("clockd", [(world.watched[f"clockd-{region}"], region) for region in world.regions]),
                job("firstcome-gateway", [(world.ports[region], region) for region in world.regions]),
                job("firstcome-arbiter", [(world.watched[ARBITER], home)]),
            ],
        }
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(settings))


class Buyers:
    """Somebody who presses in a region, again and again. Use as a context manager.

    `refused` is when and why a purchase was refused, by time.monotonic; a gateway that is not there refuses nobody.
    """

    def __init__(self, world: World, region: str, sale: str) -> None:
        self._world, self._region, self._sale = world, region, sale
        self.refused: list[tuple[float, str]] = []
        self.taken = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._press, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _press(self) -> None:
        number = 0
        while not self._ending.wait(PRESS_EVERY_SECONDS):
            number += 1
            try:
                status, answer = call(
                    self._world, self._region, "POST", f"/v1/sales/{self._sale}/purchases", {"buyer": f"b{number}"}
                )
            except (OSError, http.client.HTTPException):
                continue
            if status in {200, 202}:
                self.taken += 1
            else:
                self.refused.append((time.monotonic(), answer["type"].rpartition(":")[2]))


def publish(world: World, skew_ms: float, cut_off_after_ms: int = 30_000) -> str:
    """A sale in every region that opens at once and lasts; waits until it takes entries."""
    opens = (Instant.now() + TimeDelta(seconds=1)).round("millisecond")
    terms = {
        "title": "Watched",
        "stock": 1_000_000,
        "opens": opens.format_iso(),
        "closes": (opens + TimeDelta(hours=1)).format_iso(),
        "regions": list(world.regions),
        "skew_bound_ns": str(int(skew_ms * 1_000_000)),
        "intake_grace_ns": str(int(max(200.0, 3 * skew_ms) * 1_000_000)),
        "cut_off_after_ns": str(cut_off_after_ms * 1_000_000),
    }
    status, answer = call(world, world.regions[0], "POST", "/v1/sales", terms)
    assert status == 201, answer
    sale = str(answer["id"])
    path = f"/v1/sales/{sale}/purchases"
    until(
        lambda: all(call(world, each, "POST", path, {"buyer": each})[0] in {200, 202} for each in world.regions),
        what="the opening",
    )
    return sale


def call(world: World, region: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """One call to a region's gateway."""
    connection = http.client.HTTPConnection("127.0.0.1", world.ports[region], timeout=3)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"authorization": f"Bearer {world.token}"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def _quoted(text: str) -> str:
    return quote(text)
