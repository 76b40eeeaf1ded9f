"""Messages by webhook: what is signed is read, and nothing else is."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from firstcome import WebhookError, check_webhook

SECRET, OTHER = "whsec_" + "A" * 32, "whsec_" + "B" * 32
BODY = json.dumps({"type": "purchase.won", "timestamp": "2026-11-27T12:00:00Z", "data": {"sale": "s"}}).encode()


def signed(body: bytes, *secrets: str, ago: timedelta = timedelta(0)) -> dict[str, str]:
    at = datetime.now(UTC) - ago
    signatures = [Webhook(secret).sign("msg_1", at, body.decode()) for secret in secrets]
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": " ".join(signatures),
    }


@pytest.mark.parametrize(
    ("signers", "known"), [([SECRET], [SECRET]), ([SECRET, OTHER], [OTHER]), ([OTHER], [SECRET, OTHER])]
)
def test_one_secret_that_fits_is_enough(signers: list[str], known: list[str]) -> None:
    message = check_webhook(BODY, signed(BODY, *signers), *known)
    assert (message.id, message.type, message.data) == ("msg_1", "purchase.won", {"sale": "s"})


def refused(body: bytes, headers: Mapping[str, str], *secrets: str) -> bool:
    with pytest.raises(WebhookError):
        check_webhook(body, headers, *secrets)
    return True


def test_what_is_not_signed_with_a_secret_that_is_known_is_not_believed() -> None:
    headers = signed(BODY, SECRET)
    assert refused(BODY, headers, OTHER)
    assert refused(BODY, headers)
    assert refused(BODY + b" ", headers, SECRET)
    assert refused(BODY, {**headers, "Webhook-Id": "msg_2"}, SECRET)
    assert refused(BODY, {}, SECRET)
    assert refused(BODY, signed(BODY, SECRET, ago=timedelta(minutes=6)), SECRET)
    assert refused(b"\xff", headers, SECRET)


@given(st.text(max_size=40), st.text(max_size=20), st.binary(max_size=40))
def test_nonsense_is_refused_and_breaks_nothing(signature: str, at: str, body: bytes) -> None:
    headers = signed(BODY, SECRET)
    assert refused(BODY, {**headers, "Webhook-Signature": signature}, SECRET)
    assert refused(BODY, {**headers, "Webhook-Timestamp": at}, SECRET)
    assert refused(body, headers, SECRET)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type":"x"}', b'{"type":"x","data":3}', b"[" * 100_000])
def test_what_is_signed_and_no_message_is_told_so(body: bytes) -> None:
    assert refused(body, signed(body, SECRET), SECRET)
