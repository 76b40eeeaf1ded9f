"""Rounds of real beacons as they were published, and a beacon of the tests' own that signs whatever it is asked.

The published rounds are facts that anybody can look up; beside each stands the public repository in whose tests it was
found. `OwnBeacon` makes signatures as drand's nodes do together, with one key instead of a threshold of them.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from model.beacon import CHAINED, KNOWN, UNCHAINED, Chain, Round, value_of
from model.vocabulary import BeaconValue

_LIMIT = sys.getrecursionlimit()
from py_ecc.bls.g2_primitives import G1_to_pubkey, G2_to_signature  # noqa: E402
from py_ecc.bls.hash_to_curve import hash_to_G1, hash_to_G2  # noqa: E402
from py_ecc.optimized_bls12_381 import G1, G2, multiply  # noqa: E402

sys.setrecursionlimit(_LIMIT)
"""py_ecc raises it when it is imported, so far that what is nested deeply would crash instead of raising an error."""

QUICKNET, DEFAULT = KNOWN


@dataclass(frozen=True)
class Published:
    """A round as it was published."""

    round: Round
    value: BeaconValue
    randomness: str
    found_in: str


PUBLISHED: Final = (
    Published(
        Round(QUICKNET, 1000),
        BeaconValue(
            1000,
            "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39",
        ),
        "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd",
        "thibmeu/tlock-rs",
    ),
    Published(
        Round(QUICKNET, 657413),
        BeaconValue(
            657413,
            "b713718a38ae728dfd477991af2822e08d2f305e47718cef9f7848ce4050e7be41076862b98fad56e91a6b85b89cd97b",
        ),
        "fc1873a13f3545aeade8401532ef5519920652eee6b0d2b19ca12643b87b3587",
        "mcdcam/python-drand-verify",
    ),
    Published(
        Round(QUICKNET, 12040883),
        BeaconValue(
            12040883,
            "929906c959032ab363c9f26570d215d66f5c06cb0c44fe508c12bb5839f04ec895bb6868e5b9ff13ab289bdb5266b394",
        ),
        "173df1f57805453a8d2015268205d68147de12cafc2f451f7bc6adadca3571b3",
        "drand/tlock",
    ),
    Published(
        Round(
            Chain(
                UNCHAINED,
                bytes.fromhex(
                    "81d320f220ee9c79e60e19dedc838c31e3ab919b15481e9feb52f643628c4f6a13fdc52129493875a818109d767272ca"
                    "0541cbcdcea9335f2870d781b39b845ba8cbd44fdfe4967781cf72ca5917fc9398bcf97ca0548ed5a709016c4b1ff0f3"
                ),
                3,
                1_687_506_816,
                bytes.fromhex("02d678e93908888871b70e3f015b396a8c082bc1493ae5479f8743cb5d972b54"),
                "walkthrough",
            ),
            38,
        ),
        BeaconValue(
            38, "95c93585c513ebbcb4777ff15599b3140e5ec0295faa0e483f3deadd88fa6d43f0d3703e3a4ce106e8fd6c6987f32126"
        ),
        "b2fc21325a24904a6a9e81a6c63f65f6cec3f0b2400df3f4a56b214770e9ccca",
        "drand/drand-client",
    ),
    Published(
        Round(DEFAULT, 1),
        BeaconValue(
            1,
            "8d61d9100567de44682506aea1a7a6fa6e5491cd27a0a0ed349ef6910ac5ac20ff7bc3e09d7c046566c9f7f3c6f3b101"
            "04990e7cb424998203d8f7de586fb7fa5f60045417a432684f85093b06ca91c769f0e7ca19268375e659c2a2352b4655",
            "176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a",
        ),
        "101297f1ca7dc44ef6088d94ad5fb7ba03455dc33d53ddb412bbc4564ed986ec",
        "noislabs/drand-verify",
    ),
    Published(
        Round(DEFAULT, 1337),
        BeaconValue(
            1337,
            "945b08dcb30e24da281ccf14a646f0630ceec515af5c5895e18cc1b19edd65d156b71c776a369af3487f1bc6af106250"
            "0b059e01095cc0eedce91713977d7735cac675554edfa0d0481bb991ed93d333d08286192c05bf6b65d20f23a37fc7bb",
            "80d95247ddf1bb3acf5738497a5f10406be283144603f63d714bb1a44ff6b93285ae2697fffeb50c68862bd9fbecd4b2"
            "04b1798d2686b4ac5d573615031d9d67e6168bde9a7adf1161430a498ca701a25c216aee3e38ffd5290369034fa050a2",
        ),
        "2660664f8d4bc401194d80d81da20a1e79480f65b8e2d205aecbd143b5bfb0d3",
        "noislabs/drand-verify",
    ),
    Published(
        Round(DEFAULT, 3311596),
        BeaconValue(
            3311596,
            "a696b9409ababce45749c3a4ec369074453dd4a79967734e1390d969c8ad8d98897d217b9121e92c8ddebbddda8d92f9"
            "00e3bd6bf9deb166863b1a19390d743f82774001487594c5c09e581db7365f02b70a2c8cc41ce32446ef08e4890c4754",
            "8ed588f2a7716fb1349e2d9803da5db0005e98a83783c353d4a08f183236a9ad91d70ddb01266f4b7c576983db464b43"
            "0e65680b9e0098552758afd6c1e6afcb77e3f62fe1b93d42d1cb63abbb2205512fe12fbf74ea9c5ac3b8f5c1e283a1d8",
        ),
        "647c07b2abbf7ff2afb4d670214f565e5cd9f9c91bfdcecb59a21f3c78d73920",
        "mcdcam/python-drand-verify",
    ),
)
"""Real rounds."""

_DOMAIN: Final = {
    UNCHAINED: b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_",
    CHAINED: b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_",
}
_SECRET: Final = 0x5EC2E7


class OwnBeacon:
    """A chain whose one key the tests hold."""

    def __init__(self, genesis_s: int, period_s: int = 1, scheme: str = UNCHAINED, secret: int = _SECRET) -> None:
        self._secret = secret
        self.chain = Chain(scheme, _public_key(scheme, secret), period_s, genesis_s, sha256(b"group").digest(), "tests")

    def value(self, number: int) -> BeaconValue:
        """A round of it."""
        return _signed(self.chain, number, self._secret)


class DrandServer:
    """A server of drand's HTTP API, for beacons of the tests' own. Rounds that are not published yet it does not know.

    It can be silent, and it can lie, as any server of a public beacon can.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._beacons: dict[str, OwnBeacon] = {}
        self._says: Callable[[OwnBeacon, int], bytes | None] = _honest
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                said = outer._say(self.path)
                self.send_response(404 if said is None else 200)
                self.send_header("content-length", str(len(said or b"")))
                self.end_headers()
                self.wfile.write(said or b"")

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> "DrandServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def serve(self, beacon: "OwnBeacon") -> None:
        """Know one beacon more."""
        self._beacons[beacon.chain.hash()] = beacon

    def behave(self, says: "Callable[[OwnBeacon, int], bytes | None] | None" = None) -> None:
        """Answer like this from now on: None is silence."""
        self._says = says or _honest

    def _say(self, path: str) -> bytes | None:
        match path.split("/"):
            case ["", chain, "public", number] if chain in self._beacons:
                return self._says(self._beacons[chain], int(number))
        return None


def _honest(beacon: "OwnBeacon", number: int) -> bytes | None:
    if Round(beacon.chain, number).published_ns > time.time_ns():
        return None
    return as_told(beacon.value(number))


def as_told(value: BeaconValue) -> bytes:
    """A round in drand's own words."""
    told = {"round": value.round, "randomness": value_of(value).hex(), "signature": value.signature}
    return json.dumps(
        told | ({"previous_signature": value.previous_signature} if value.previous_signature else {})
    ).encode()


@cache
def _public_key(scheme: str, secret: int) -> bytes:
    return bytes(G2_to_signature(multiply(G2, secret)) if scheme == UNCHAINED else G1_to_pubkey(multiply(G1, secret)))


@cache
def _signed(chain: Chain, number: int, secret: int) -> BeaconValue:
    previous = ""
    if chain.scheme == CHAINED:
        previous = chain.genesis_seed.hex() if number == 1 else _signed(chain, number - 1, secret).signature
    message = Round(chain, number).message(BeaconValue(number, "", previous))
    domain = _DOMAIN[chain.scheme]
    if chain.scheme == UNCHAINED:
        signature = bytes(G1_to_pubkey(multiply(hash_to_G1(message, domain, sha256), secret)))
    else:
        signature = bytes(G2_to_signature(multiply(hash_to_G2(message, domain, sha256), secret)))
    return BeaconValue(number, signature.hex(), previous)
