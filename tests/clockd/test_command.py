"""The command line: wrong configuration is one line and status 2, `status` and `check` say what the page says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clockd.command import Verdict, app, judge_health, main, parse_server
from clockd.host import RealClock
from clockd.ntp.client import Server
from clockd.page import VALID_FOR_NS, State, Writer
from clockd.reader import Reading
from tests.clockd.test_reader import PUBLIC, page_of

SECOND = 1_000_000_000


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Path]:
    writer = Writer(tmp_path / "page")
    writer.write(PUBLIC, page_of(RealClock()))
    yield tmp_path / "page"
    writer.close()


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["clockd", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    return left.value.code if isinstance(left.value.code, int) else 0


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("sing",),
        ("run",),
        ("run", "--server", "a:b"),
        ("run", "--server", "a", "--server", "a:123"),
        ("run", "--server", "a", "--local-reference"),
        ("run", "--server", "a", "--poll-seconds", "5"),
        ("run", "--server", "a", "--poll-seconds", "0"),
        ("run", "--local-reference", "--host-clock", "sundial"),
        ("run", "--local-reference", "--host", "x" * 129),
        ("run", "--local-reference", "--page", "/proc/page"),
        ("serve",),
        ("serve", "--listen", "127.0.0.1:1"),
        ("serve", "--listen", "192.0.2.1:9999", "--local-reference"),
        ("serve", "--listen", "127.0.0.1:9999", "--local-reference", "--page", "p"),
    ],
)
def test_wrong_configuration_is_one_line_and_status_2(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, *arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("clockd: ")


@pytest.mark.parametrize("command", ["run", "serve", "status", "check"])
def test_every_command_has_an_example(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, command, "--help") == 0
    assert f"Example: clockd {command} " in capsys.readouterr().out
    assert app.info.help


def test_status_reports_the_page(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "status", "--json", "--page", str(page)) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["state"], report["host"], report["update"], report["agreeing"]) == (
        "synchronized",
        "beijing-1",
        3,
        3,
    )
    assert int(report["bound_ns"]) >= 1000
    assert abs(int(report["utc_minus_realtime_ns"])) < SECOND
    assert call(monkeypatch, "status", "--page", str(page)) == 0
    assert "synchronized" in capsys.readouterr().out
    assert call(monkeypatch, "status", "--page", str(page) + "x") == 1


def test_check_speaks_a_monitors_language(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "check", "--page", str(page)) == 0
    assert capsys.readouterr().out.startswith("CLOCK OK - synchronized, bound ")
    assert call(monkeypatch, "check", "--page", str(page), "--critical-bound-ns", "5") == 2
    assert call(monkeypatch, "check", "--page", str(page), "--warn-bound-ns", "5") == 1
    assert call(monkeypatch, "check", "--page", str(page) + "x") == 3
    assert capsys.readouterr().out.splitlines()[-1] == "CLOCK UNKNOWN - no safe time: missing"


def test_health_by_state_age_and_reference() -> None:
    def reading(state: State = State.SYNCHRONIZED, *, local: bool = False, published: int = 0) -> Reading:
        void_after = published + VALID_FOR_NS
        return Reading(state, "", void_after_raw_ns=void_after, published_raw_ns=published, local_reference=local)

    def verdict(known: Reading, raw_ns: int = 0) -> Verdict:
        return judge_health(known, raw_ns, 10**6, 10**7)[0]

    assert verdict(reading()) is Verdict.OK
    assert verdict(reading(), 11 * SECOND) is Verdict.WARNING
    assert verdict(reading(), VALID_FOR_NS + 1) is Verdict.CRITICAL
    assert verdict(reading(local=True)) is Verdict.WARNING
    assert verdict(reading(State.FREE_RUNNING)) is Verdict.WARNING
    assert verdict(Reading(State.DISRUPTED, "disrupted")) is Verdict.CRITICAL
    assert verdict(Reading(State.UNKNOWN, "torn")) is Verdict.CRITICAL


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("ntp.example", Server("ntp.example", 123)),
        ("ntp.example:1123", Server("ntp.example", 1123)),
        ("[2001:db8::1]", Server("2001:db8::1", 123)),
        ("[2001:db8::1]:5", Server("2001:db8::1", 5)),
    ],
)
def test_a_server_is_named_as_usual(text: str, server: Server) -> None:
    assert parse_server(text) == server
    assert parse_server(str(server)) == server
