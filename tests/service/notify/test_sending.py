"""One attempt: to whom it goes, what counts as taken, and that no receiver can hold it up or lead it astray."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from service.notify.addresses import AddressError, checked_addresses, is_public, read_url
from service.notify.lanes import Patience
from service.notify.sending import Attempt, Sender
from service.notify.webhooks import LONGEST_OVERLAP_SECONDS, MOST_SIGNING, Secret, new_secret, signing
from tests.receiver import Offer, Receiver

SECRET = new_secret().secret
BODY = b'{"type":"sale.closed","data":{"sale":"5a"}}'
SECOND_NS = 10**9


def send(
    url: str, *, allows_private: bool = True, trust: ssl.SSLContext | None = None, seconds: float = 15,
    secrets: tuple[str, ...] = (SECRET,), times: int = 1
) -> Attempt:  # fmt: skip
    async def run() -> Attempt:
        sender = Sender(url, allows_private, trust or ssl.create_default_context(), seconds)
        try:
            attempts = [await sender.send("msg_1", BODY, secrets) for _ in range(times)]
            return attempts[-1]
        finally:
            await sender.close()

    return asyncio.run(run())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(secrets=[SECRET]) as listening:
        yield listening


def test_a_message_is_taken(receiver: Receiver) -> None:
    assert send(receiver.url, times=3) == Attempt()
    assert receiver.offered == {"msg_1": 3}
    assert list(receiver.taken) == ["msg_1"]


def test_every_secret_that_signs_is_enough(receiver: Receiver) -> None:
    assert send(receiver.url, secrets=(new_secret().secret, SECRET)) == Attempt()
    assert send(receiver.url, secrets=(new_secret().secret,)).failure == "it answered 401"
    assert receiver.refused == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.policy = lambda _: status
    assert send(receiver.url).failure == f"it answered {status}, a redirect, which is not followed"
    assert receiver.offered.total() == 1


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503])
def test_a_refusal_is_told(receiver: Receiver, status: int) -> None:
    receiver.policy = lambda _: status
    assert send(receiver.url).failure == f"it answered {status}"


def raw(*said: bytes, then: float = 0.0) -> Any:
    """A policy that says these bytes instead of an answer, and then nothing for a while."""

    def policy(offer: Offer) -> None:
        for piece in said:
            offer.handler.wfile.write(piece)
            offer.handler.wfile.flush()
        if then:
            offer.handler.connection.settimeout(then)
            try:
                offer.handler.rfile.read(1)
            except OSError:
                return

    return policy


ENDLESS = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n"


@pytest.mark.parametrize(
    ("policy", "failure"),
    [
        (raw(), "its answer is not HTTP"),
        (raw(b"nonsense\r\n\r\n"), "its answer is not HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 200_000), "its answer is not HTTP"),
        (raw(then=5), "it did not answer within 0.3 s"),
        (raw(b"HTTP/1.1 200 OK\r\n", then=5), "it did not answer within 0.3 s"),
        (raw(ENDLESS, b"z" * 200_000, then=5), ""),
        (raw(ENDLESS, b"z", then=5), ""),
    ],
    ids=["hangs up", "nonsense", "endless head", "silence", "half a head", "endless body", "a body that never comes"],
)
def test_no_answer_holds_it_up(receiver: Receiver, policy: Any, failure: str) -> None:
    receiver.policy = policy
    assert send(receiver.url, seconds=0.3).failure.partition(":")[0] == failure


def test_nobody_is_there() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert send(f"http://127.0.0.1:{bound.getsockname()[1]}").failure.startswith("it cannot be connected to")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "127.1", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_not_called(receiver: Receiver, host: str) -> None:
    failure = send(f"http://{host}:{receiver.port}", allows_private=False).failure
    assert "which is no address of the public internet" in failure
    assert not receiver.offered


class ChangingNames:
    """A name server that says something else every time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
        self.asked = 0
        self._answers = answers
        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", self._look_up)

    async def _look_up(self, _: str, port: int, **__: object) -> list[Any]:
        answers = self._answers[min(self.asked, len(self._answers) - 1)].split()
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers]


def test_the_address_that_was_checked_is_the_one_that_is_called(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name leads to the receiver when it is checked, and nowhere when anybody asks again."""
    names = ChangingNames(monkeypatch, "127.0.0.1", "127.0.0.77")
    hosts: list[str] = []
    receiver.policy = lambda offer: hosts.append(offer.handler.headers["host"]) or 200
    assert send(f"http://shop.example:{receiver.port}/hook") == Attempt()
    assert names.asked == 1
    assert hosts == [f"shop.example:{receiver.port}"]


def test_one_private_address_among_others_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    ChangingNames(monkeypatch, "93.184.216.34 10.0.0.7")
    assert "leads to 10.0.0.7" in send("http://shop.example", allows_private=False).failure


def test_the_next_address_is_tried(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    ChangingNames(monkeypatch, "127.0.0.77 127.0.0.1")
    assert send(f"http://shop.example:{receiver.port}") == Attempt()


def certificate(folder: Path, name: str) -> Path:
    """A certificate for a host, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_the_certificate_must_name_the_host_of_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although the connection goes to an address."""
    path = certificate(tmp_path, "shop.example")
    ChangingNames(monkeypatch, "127.0.0.1")
    trust = ssl.create_default_context(cafile=path)
    with Receiver(secrets=[SECRET], certificate=path) as receiver:
        assert send(f"https://shop.example:{receiver.port}", trust=trust) == Attempt()
        assert "certificate" in send(f"https://other.example:{receiver.port}", trust=trust).failure.lower()
        assert "certificate" in send(f"https://shop.example:{receiver.port}").failure.lower()
        assert receiver.offered.total() == 1


PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]
PRIVATE = [
    *("127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.2.1"),
    *("198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1"),
    *("fec0::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1"),
    *("64:ff9b::a00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1"),
]


@pytest.mark.parametrize(("addresses", "expected"), [(PUBLIC, True), (PRIVATE, False)], ids=["public", "private"])
def test_which_addresses_are_public(addresses: list[str], expected: bool) -> None:
    assert {address: is_public(address) for address in addresses} == dict.fromkeys(addresses, expected)


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_as_good_as_by_itself(inside: Any) -> None:
    number, alone = int(inside), is_public(str(inside))
    for carried in (0xFFFF << 32 | number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80):
        assert is_public(str(ip_address(carried))) == alone


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "//h", "ftp://h", "http://", "http:///x", "http://h:port/", "http://h:0", "http://h:99999"),
        *("http://a b", "https://u:p@h/", "https://u@h/", "https://h/#f", "https://h/#", "https://bücher.example/"),
        *("http://h\\@127.0.0.1", "http://xn--/", "https://h/\n", "https://" + "h" * 2_000,),
        *("javascript:alert(1)", "http://[::1", "http://h/\x00"),
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_webhook(url: str) -> None:
    with pytest.raises(AddressError):
        read_url(url)


@given(st.text(max_size=60) | st.text("htps:/@[]#%.?0123456789abcxn-", max_size=40).map("http://".__add__))
def test_no_url_breaks_it(text: str) -> None:
    with contextlib.suppress(AddressError):
        assert read_url(text).host


def test_a_name_without_an_address() -> None:
    async def run() -> None:
        await checked_addresses(httpx.URL("https://nosuch.invalid/"), allows_private=True)

    with pytest.raises(AddressError, match="for which no address is found"):
        asyncio.run(run())


@given(st.dictionaries(st.integers(0, 100), st.integers(0, 50), min_size=1, max_size=8), st.integers(0, 200))
def test_which_secrets_sign(overlaps: dict[int, int], now: int) -> None:
    """The newest, and those before it whose every successor's overlap is not over."""
    made = {at * SECOND_NS: Secret(f"s{at}", overlap) for at, overlap in overlaps.items()}
    expected, ends = [], 10**9
    for at in sorted(overlaps, reverse=True):
        if now < ends:
            expected.append(f"s{at}")
        ends = min(ends, at + overlaps[at])
    assert signing(made, now * SECOND_NS) == expected[:MOST_SIGNING]


def test_a_secret_is_as_the_specification_has_it() -> None:
    assert new_secret().secret.startswith("whsec_")
    assert len(new_secret().secret) >= 24
    assert new_secret(LONGEST_OVERLAP_SECONDS) != new_secret(LONGEST_OVERLAP_SECONDS)


@given(st.integers(1, 10_000), st.floats(0, 1), st.floats(0, 1e9))
def test_pauses_grow_to_a_limit(failures: int, chance: float, wish: float) -> None:
    patience = Patience()
    pause = patience.pause_seconds(failures, wish, chance)
    assert 0.5 <= pause <= 600
    assert patience.pause_seconds(failures + 1, wish, chance) >= pause
    assert pause >= min(wish, 600)
    assert patience.pause_seconds(1, 0, 0) == 1
    assert patience.pause_seconds(11, 0, 0) == 600


def test_a_receiver_may_say_when_to_come_again(receiver: Receiver) -> None:
    def busy(header: str) -> Any:
        said = f"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nretry-after: {header}\r\n\r\n"
        return raw(said.encode())

    for header, seconds in (("7", 7.0), ("nonsense", 0.0), ("-5", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)):
        receiver.policy = busy(header)
        assert send(receiver.url) == Attempt("it answered 503", seconds)
    at = time.time() + 100
    receiver.policy = busy(time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(at)))
    assert 90 < send(receiver.url).retry_after_seconds <= 100
