"""Alerts without Prometheus, to a real receiver that checks who sent them."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from clockd.webhook import Webhook, WebhookError, open_webhook, read_secret
from tests.clockd.conftest import Spawn
from tests.patience import until

SECRET = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
GOOD, BAD, WORSE = {"state": "synchronized"}, {"state": "disrupted"}, {"state": "unknown"}


class Receiver:
    """Takes calls after refusing the first few."""

    def __init__(self) -> None:
        self.refuses = 0
        self.came: list[tuple[str, Any]] = []
        self.refused: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                verified = Verifier(SECRET).verify(body, dict(self.headers))
                if len(receiver.refused) < receiver.refuses:
                    receiver.refused.append(self.headers["webhook-id"])
                    self.send_response(503)
                else:
                    receiver.came.append((self.headers["webhook-id"], verified))
                    self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    threading.Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


async def comes_true(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  (a server in a thread has no event of this loop)
            await asyncio.sleep(0.01)


async def play(receiver: Receiver, quiet_seconds: float, *states: tuple[dict[str, str], int]) -> None:
    """Tell one state after the other, each once so many calls have come."""
    webhook = Webhook(receiver.url, SECRET, "clock.changed", {"host": "here-1"}, GOOD, 5.0, quiet_seconds)
    running = asyncio.create_task(webhook.run())
    for state, calls in states:
        await comes_true(lambda calls=calls: len(receiver.came) >= calls)
        webhook.tell(state)
        await asyncio.sleep(0)
    await comes_true(lambda: len(receiver.came) > states[-1][1])
    running.cancel()


def test_a_change_is_told_once_with_what_was_before(receiver: Receiver) -> None:
    asyncio.run(play(receiver, 0.0, (WORSE, 0), (GOOD, 0), (BAD, 0), (BAD, 1), (GOOD, 1)))
    first, second = (body for _, body in receiver.came)
    assert (first["type"], first["data"]) == ("clock.changed", {"host": "here-1", "now": BAD, "was": GOOD})
    assert (second["data"]["now"], second["data"]["was"]) == (GOOD, BAD)


def test_a_call_that_fails_is_repeated_under_the_same_id(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clockd.webhook.PAUSES_SECONDS", (0.01,))
    receiver.refuses = 2
    asyncio.run(play(receiver, 0.0, (WORSE, 0), (GOOD, 0), (BAD, 0)))
    assert len(receiver.refused) == 2
    assert {*receiver.refused} == {receiver.came[0][0]}


def test_a_state_that_flaps_is_told_of_at_most_once_in_the_quiet_time(receiver: Receiver) -> None:
    async def flap() -> None:
        webhook = Webhook(receiver.url, SECRET, "clock.changed", {}, GOOD, 0.0, quiet_seconds=3600)
        running = asyncio.create_task(webhook.run())
        for state in (BAD, GOOD, WORSE, GOOD, BAD) * 20:
            webhook.tell(state)
            await asyncio.sleep(0)
        await comes_true(lambda: receiver.came)
        for state in (GOOD, BAD, WORSE) * 20:
            webhook.tell(state)
            await asyncio.sleep(0)
        assert len(receiver.came) == 1
        running.cancel()

    asyncio.run(flap())


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_c2hvcnQ=", "no base64 at all!"])
def test_a_secret_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret").write_text(text)
    with pytest.raises(WebhookError, match="holds no secret"):
        read_secret(tmp_path / "secret")


def test_url_and_secret_belong_together(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    assert open_webhook("", None, "clock.changed", {}, GOOD) is None
    with pytest.raises(WebhookError, match="belong together"):
        open_webhook("http://127.0.0.1:1", None, "clock.changed", {}, GOOD)
    with pytest.raises(WebhookError, match="no URL"):
        open_webhook("ftp://127.0.0.1", tmp_path / "secret", "clock.changed", {}, GOOD)


def test_a_real_daemon_tells_of_a_change_and_never_its_secret(
    receiver: Receiver, clockd: Spawn, tmp_path: Path, port: Any
) -> None:
    from clockd.fate import Fate  # noqa: PLC0415
    from clockd.host import RealClock  # noqa: PLC0415

    (tmp_path / "secret").write_text(SECRET)
    servers: list[str] = []
    for number in range(3):
        address = f"127.0.0.1:{port()}"
        clock = f"simulated:fate={tmp_path / f'fate-{number}'}"
        clockd("serve", "--listen", address, "--local-reference", "--host-clock", clock)
        servers += ["--server", address]
    page, fast = tmp_path / "page", ("--poll-seconds", "1", "--allow-fast-polling")
    webhook = ("--webhook", receiver.url, "--webhook-secret", str(tmp_path / "secret"))
    clockd("run", *servers, *fast, "--page", str(page), "--host", "here-1", *webhook)
    sources = page.with_name("page.sources.json")
    until(lambda: sources.exists() and sum(s["verdict"] == "agrees" for s in json.loads(sources.read_text())) == 3)
    Fate(tmp_path / "fate-1").stepped(RealClock().raw_ns(), 1_000_000_000)
    until(lambda: receiver.came)  # of the liar, or of what a busy machine brought before it
    assert all(body["data"]["host"] == "here-1" for _, body in receiver.came)
    assert not any(SECRET[6:] in path.read_text() for path in tmp_path.glob("stderr.*"))
