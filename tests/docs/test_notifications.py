"""The receiver of docs/notifications.md, as written: it takes what is signed, once, and nothing else."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
from standardwebhooks import Webhook

from service.notify.sending import ATTEMPT_SECONDS
from service.notify.webhooks import EVENTS, MOST_OF_A_MERCHANT, new_secret
from service.world.ports import free_port
from tests.patience import until

PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()


def test_the_receiver_of_the_page_works(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (message,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "receiver.py").write_text(code)
    port, secret = free_port(), new_secret().secret
    environment = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)}
    url, at = f"http://127.0.0.1:{port}/", datetime.now(UTC)
    running = subprocess.Popen(
        [sys.executable, "receiver.py"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    )

    def post(signed_with: str) -> int:
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(signed_with).sign("msg_1", at, message),
        }
        return httpx.post(url, content=message, headers=headers).status_code

    def listens() -> bool:
        try:
            return httpx.get(url).status_code > 0
        except httpx.TransportError:
            return False

    try:
        until(listens)
        assert [post(new_secret().secret), post(secret), post(secret)] == [401, 204, 204]
    finally:
        running.terminate()
        running.wait()
    with sqlite3.connect(tmp_path / "taken.db") as taken:
        rows = taken.execute("SELECT id, body FROM message").fetchall()
    assert [(name, json.loads(body)) for name, body in rows] == [("msg_1", json.loads(message))]


def test_the_page_names_every_event_and_the_figures_of_the_code() -> None:
    assert {event for event in EVENTS if f"`{event}`" not in PAGE} == set()
    assert f"{MOST_OF_A_MERCHANT} webhooks" in PAGE
    assert f"within {ATTEMPT_SECONDS:.0f} seconds" in PAGE
