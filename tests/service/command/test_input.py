"""Wrong input is one line that says what to do, and exit status 2; help has an example; the order of settings."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.world.ports import free_port
from tests.patience import until
from tests.service.command.conftest import Firstcome
from tests.service.processes import Program

VERBS = [
    *("demo", "serve", "gateway", "arbiter", "notary", "export", "audit", "prove", "bench", "compare", "token", "key"),
    *(f"sale {verb}" for verb in ("publish", "list", "show", "cancel", "buy", "watch")),
    *(f"webhook {verb}" for verb in ("add", "list", "remove", "rotate", "dead-letters", "replay")),
    "notifier",
]
GATEWAY = ("gateway", "--region", "here", "--arbiter-store", "redis://127.0.0.1:1/0")


@pytest.fixture
def tokens(tmp_path: Path, firstcome: Firstcome) -> str:
    path = tmp_path / "tokens.toml"
    path.write_text(firstcome("token", "--scope", "purchase").out)
    return str(path)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(firstcome: Firstcome, verb: str) -> None:
    ran = firstcome(*verb.split(), "--help")
    assert ran.status == 0
    assert f"Example: firstcome {verb}" in ran.out


def test_no_verb_at_all_shows_the_verbs(firstcome: Firstcome) -> None:
    ran = firstcome("--help")
    assert ran.status == 0
    for verb in VERBS:
        assert verb.split()[0] in ran.out
    assert firstcome().status == 2


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown verb": (("sell",), "sell"),
    "unknown flag": (("serve", "--port", "1"), "--port"),
    "region": (("gateway", "--region", "a/b", "--arbiter-store", "x", "--tokens", "x"), "'a/b'"),
    "long region": (("gateway", "--region", "a" * 101, "--arbiter-store", "x", "--tokens", "x"), "1 to 100"),
    "region to serve": (("serve", "--region", "../x"), "'../x'"),
    "address": (("serve", "--listen", "8080"), "HOST:PORT"),
    "port": (("serve", "--listen", "127.0.0.1:70000"), "HOST:PORT"),
    "host": (("serve", "--listen", "nosuch.invalid:1"), "nosuch.invalid"),
    "a peer without URL": ((*GATEWAY, "--tokens", "x", "--peer", "there"), "NAME=http://HOST:PORT"),
    "a peer of another scheme": ((*GATEWAY, "--tokens", "x", "--peer", "there=ftp://x"), "NAME=http://HOST:PORT"),
    "a peer with a path": ((*GATEWAY, "--tokens", "x", "--peer", "there=http://x/v1"), "NAME=http://HOST:PORT"),
    "itself as a peer": ((*GATEWAY, "--tokens", "x", "--peer", "here=http://x:1"), "this region"),
    "a notifier's store": (("notifier", "--store", "nosuch://x"), "write redis://"),
    "a notifier's port": (("notifier", "--store", "redis://127.0.0.1:1/0", "--metrics", "9103"), "HOST:PORT"),
    "a dead letter": (("webhook", "replay", "wh_1", "--token", "x", "--message", "5a/x"), "SALE/NUMBER"),
    "no such routing": ((*GATEWAY, "--tokens", "x", "--routing", "guess"), "redirect"),
    "no tokens file": ((*GATEWAY, "--tokens", "/nosuch"), "/nosuch"),
    "empty tokens file": ((*GATEWAY, "--tokens", "/dev/null"), "firstcome token"),
    "regions without store": (("arbiter", "--region", "here"), "NAME=URL"),
    "a region twice": (("arbiter", "--region", "a=x", "--region", "a=y"), "twice"),
    "arbiter without store": (("arbiter", "--region", "a=redis://x"), "--data DIR"),
    "two stores": (("arbiter", "--region", "a=x", "--store", "x", "--data", "y"), "not both"),
    "a store that is none": (("arbiter", "--region", "a=x", "--store", "x"), "redis://host:port/0"),
    "a store that is away": (("arbiter", "--region", "a=x", "--store", "redis://127.0.0.1:1"), "cannot be reached"),
    "host clock": (("arbiter", "--region", "a=x", "--host-clock", "sundial"), "sundial"),
    "drift without beginning": (
        ("arbiter", "--region", "a=x", "--host-clock", "simulated:drift_ppb=5"),
        "since_ns",
    ),
    "nobody's key": (("key", "/nosuch/key"), "--region NAME or --arbiter"),
    "everybody's key": (("key", "/nosuch/key", "--region", "a", "--arbiter"), "--region NAME or --arbiter"),
    "a key nowhere": (("key", "/dev/null/key", "--arbiter"), "cannot be"),
    "a key that is none": (("key", "/dev/null", "--arbiter"), "/dev/null"),
    "nobody's notary": (("notary", "--key", "x", "--store", "x"), "--arbiter"),
    "a notary's journal": (("notary", "--arbiter", "--key", "x", "--store", "x", "--journal", "x"), "--journal"),
    "a notary's regions": (
        ("notary", "--region", "a", "--key", "x", "--store", "x", "--region-store", "a=x"),
        "--region-store",
    ),
    "scope": (("token", "--scope", "fly"), "'fly' is none of purchase"),
    "name": (("token", "--scope", "audit", "--name", 'a"b'), "no quotes"),
    "no scope": (("token",), "--scope"),
    "no configuration": (("--config", "/nosuch", "token"), "/nosuch"),
    "data folder": (("serve", "--listen", "127.0.0.1:0", "--data", "/dev/null/x"), "/dev/null"),
    "terms or opening": (("sale", "publish", "--token", "t"), "--opens-in"),
    "no terms": (("sale", "publish", "/nosuch", "--token", "t"), "/nosuch"),
    "an opening that is none": (("sale", "publish", "--opens-in", "nan", "--token", "t"), "--opens-in"),
    "an opening beyond all": (("sale", "publish", "--opens-in", "1e300", "--token", "t"), "--opens-in"),
    "an end beyond all": (("sale", "publish", "--opens-in", "1", "--lasts", "1e300", "--token", "t"), "--lasts"),
    "gateway": (("sale", "list", "--token", "t", "--gateway", "http://127.0.0.1:1"), "cannot be reached"),
    "gateway to watch": (("sale", "watch", "x", "--token", "t", "--gateway", "http://["), "cannot be reached"),
    "no URL": (("sale", "list", "--token", "t", "--gateway", "here"), "cannot be reached"),
    "a token with letters beyond": (("sale", "list", "--token", "schlüssel"), "token"),
    "a token of two lines": (("sale", "watch", "x", "--token", "a\nb"), "token"),
    "no token": (("sale", "list"), "FIRSTCOME_TOKEN"),
    "a wait too long": (("sale", "buy", "x", "ada", "--wait", "61", "--token", "t"), "60"),
    "no bundle": (("audit", "/nosuch"), "/nosuch"),
    "no benchmark": (("bench", "--only", "nosuch"), "nosuch"),
    "no obligation": (("prove", "--only", "nosuch"), "nosuch"),
    "a store to export from": (
        ("export", "x", "--store", "x", "--bundle", "/tmp/nosuch-bundle"),
        "redis://host:port/0",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_line(firstcome: Firstcome, case: str) -> None:
    words, said = WRONG[case]
    ran = firstcome(*words)
    assert ran.status == 2
    line, *others = ran.err.splitlines()
    assert others == []
    assert line.startswith("firstcome: ")
    assert said in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("listen =", "configuration"),
        ("[sell]", "'sell' is none of"),
        ("[token]\nspeed = 1", "'speed' is none of scope"),
        ("[sale.list]\ntime-zone = 1", "[sale]: [list]: 'time-zone'"),
        ('listen = "x"', "'listen' is none of [demo]"),
        ("[token]\nname = 'a\"b'", "no quotes"),
    ],
)
def test_a_configuration_that_is_wrong(firstcome: Firstcome, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    ran = firstcome("--config", str(path), "token", "--scope", "audit")
    assert ran.status == 2
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_flags_over_environment_over_file(
    firstcome: Firstcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[token]\nname = "file"\nscope = ["audit", "publish"]\n[gateway]\nhost-clock = "sundial"\n')
    with_file = ("--config", str(path), "token")
    assert firstcome(*with_file).out.splitlines()[1] == 'name = "file"'
    assert 'scopes = ["audit", "publish"]' in firstcome(*with_file).out
    monkeypatch.setenv("FIRSTCOME_TOKEN_NAME", "environment")
    assert 'name = "environment"' in firstcome(*with_file).out
    assert 'name = "flag"' in firstcome(*with_file, "--name", "flag").out
    monkeypatch.setenv("FIRSTCOME_CONFIG", str(path))
    monkeypatch.delenv("FIRSTCOME_TOKEN_NAME")
    assert 'name = "file"' in firstcome("token").out


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [("host-clock", "sundial", "sundial"), ("processes", "0", "processes"), ("listen", "x", "HOST:PORT")],
)
def test_settings_have_the_names_of_their_flags(
    firstcome: Firstcome, tmp_path: Path, tokens: str, monkeypatch: pytest.MonkeyPatch, flag: str, value: str, said: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f'[gateway]\n{flag} = "{value}"\n')
    words = (*GATEWAY, "--tokens", tokens)
    ran = firstcome("--config", str(path), *words)
    assert (ran.status, said in ran.err) == (2, True)
    monkeypatch.setenv(f"FIRSTCOME_GATEWAY_{flag.upper().replace('-', '_')}", value)
    ran = firstcome(*words)
    assert (ran.status, said in ran.err) == (2, True)


def test_a_token_is_shown_once_and_kept_as_a_hash(firstcome: Firstcome) -> None:
    ran = firstcome("token", "--scope", "purchase", "--scope", "audit", "--name", "shop")
    token = ran.err.strip().rpartition(" ")[2]
    assert token not in ran.out
    assert 'scopes = ["purchase", "audit"]' in ran.out
    assert firstcome("token", "--scope", "audit").err != ran.err


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize("count", [1, 2])
def test_a_port_in_use(tmp_path: Path, tokens: str, taken_port: int, count: int) -> None:
    where = ("--listen", f"127.0.0.1:{taken_port}", "--data", str(tmp_path / "data"), "--page", str(tmp_path / "page"))
    with Program(tmp_path, *GATEWAY, "--tokens", tokens, *where, "--processes", str(count)) as gateway:
        assert gateway.status() == 2
    assert "Address already in use" in gateway.said()
    assert "Traceback" not in gateway.said()


def test_serve_does_not_share_a_port(firstcome: Firstcome, tmp_path: Path) -> None:
    """Gateways of one region do; two systems that know nothing of each other must not."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ran = firstcome("serve", "--listen", f"127.0.0.1:{listener.getsockname()[1]}", "--data", str(tmp_path / "data"))
    assert ran.status == 2
    assert "Address already in use" in ran.err
    assert not (tmp_path / "data").exists()


def test_a_server_that_is_no_gateway(firstcome: Firstcome, tmp_path: Path) -> None:
    """It answers 200 with a page."""
    port = free_port()
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "sales").write_text("<html>")
    code = f"import http.server; http.server.test(http.server.SimpleHTTPRequestHandler, port={port}, bind='127.0.0.1')"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as server:
        words = ("sale", "list", "--token", "t", "--gateway", f"http://127.0.0.1:{port}")
        ran = until(lambda: "cannot be reached" not in (ran := firstcome(*words)).err and ran)
        server.terminate()
    assert ran.status == 2
    assert "is no gateway" in ran.err


def test_help_names_the_environment(firstcome: Firstcome) -> None:
    told = firstcome("gateway", "--help").out
    assert "FIRSTCOME_GATEWAY_HOST_CLOCK" in told
    assert "FIRSTCOME_GATEWAY_PROCESSES" in told
