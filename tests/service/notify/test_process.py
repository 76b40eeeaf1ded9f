"""The notifier as a process: what it gives up and sends again, two of it at once, and whom it does not call."""

import json
import signal
from typing import Any

import httpx
import pytest

from service.store import keys
from service.world.ports import free_port
from tests.patience import until
from tests.receiver import Receiver, take
from tests.service.caller import Gateway
from tests.service.command.conftest import Firstcome
from tests.service.notify.telling import FLAGS, Merchant, Notifier, all_dead, is_told, numbers, sell, subscribe


def test_what_is_given_up_is_on_a_list_and_can_be_sent_again(
    arbiter: Any,
    here: Gateway,
    merchant: Merchant,
    notifier: Notifier,
    firstcome: Firstcome,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    owner, port = merchant("joe"), free_port()
    monkeypatch.setenv("FIRSTCOME_GATEWAY", f"http://127.0.0.1:{here.port}")
    monkeypatch.setenv("FIRSTCOME_TOKEN", here.token)

    def ask(*words: str) -> str:
        ran = firstcome("webhook", *words)
        assert ran.status == 0, ran.err
        return ran.out

    def metric(name: str) -> float:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        found = [line for line in text.splitlines() if line.startswith(f"firstcome_notifier_{name}")]
        return float(found[0].split()[-1]) if found else 0.0

    with (
        notifier(*FLAGS, "--give-up-after", "0", "--metrics", f"127.0.0.1:{port}") as running,
        Receiver(lambda _: 500) as receiver,
    ):
        running.line_with("notifier at work")
        webhook = subscribe(owner, receiver)
        sale = sell(owner, here)
        letters = until(lambda: all_dead(owner, webhook))
        assert json.loads(ask("dead-letters", webhook, "--json"))["dead_letters"] == letters
        every = list(range(1, len(letters) + 1))
        assert [(letter["sale"], letter["number"]) for letter in letters] == [(sale, number) for number in every]
        assert {letter["reason"] for letter in letters} == {"it answered 500"}
        assert letters[0]["id"] in receiver.offered
        until(lambda: metric("dead_letters") == len(every))
        assert metric("given_up_total") == len(every)
        assert "a message is given up: it is a dead letter now" in running.said()
        receiver.policy = take
        assert "1 messages will be sent again" in ask("replay", webhook, "--message", f"{sale}/2")
        until(lambda: numbers(receiver, sale) == [2])
        ask("replay", webhook)
        until(lambda: numbers(receiver, sale) == [2, 1, *every[2:]])
        until(lambda: metric("dead_letters") == 0)
        assert webhook in ask("list")
        ask("rotate", webhook)
        ask("remove", webhook)
        until(lambda: metric("webhooks") == 0)
        assert running.end(signal.SIGTERM) == 0
        for left in (*map(arbiter.hkeys, (keys.WEBHOOKS, keys.WEBHOOK_SECRETS, keys.REPLAYS)), arbiter.keys("*:wh_*")):
            assert not [name for name in left if webhook.encode() in name]


def test_the_last_that_is_started_is_at_work_and_another_takes_over(
    here: Gateway, merchant: Merchant, notifier: Notifier
) -> None:
    ann = merchant("eve")
    with notifier(*FLAGS) as first, Receiver() as receiver:
        first.line_with("notifier at work")
        subscribe(ann, receiver)
        with notifier(*FLAGS) as second:
            second.line_with("notifier at work")
            first.line_with("another notifier has taken over")
            sale = sell(ann, here)
            until(lambda: is_told(receiver, sale))
            second.end(signal.SIGKILL)
            sale = sell(ann, here)
            until(lambda: is_told(receiver, sale))
            assert first.said().count("notifier at work") == 2


def test_no_private_address_is_called_without_leave(here: Gateway, merchant: Merchant, notifier: Notifier) -> None:
    """Although the webhook is there: it was made when it was allowed."""
    ann = merchant("kim")
    with Receiver() as receiver:
        webhook = subscribe(ann, receiver)
        with notifier("--give-up-after", "0", "--first-pause", "0.02") as running:
            running.line_with("notifier at work")
            sell(ann, here)
            letters = until(lambda: all_dead(ann, webhook))
            assert all("no address of the public internet" in letter["reason"] for letter in letters)
            assert ann.call("POST", "/v1/webhooks", {"url": receiver.url}).problem == "invalid"
        assert not receiver.offered
