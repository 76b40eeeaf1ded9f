"""The command line: wrong configuration is one line and status 2, `status` and `check` say what the page says."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from clockd.command import app, main
from clockd.host import RealClock
from clockd.keeper import Keeper
from clockd.ntp.client import Server
from clockd.options import Chronyd, parse_chrony, parse_server
from clockd.page import VALID_FOR_NS, State, Writer
from clockd.reader import Reading
from clockd.report import BARS, Verdict, describe_sources, judge_health, people_time, plot, sources_path
from tests.clockd.test_reader import PUBLIC, page_of
from tests.clockd.test_tracking import OSCILLATOR, exchange_at

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
        ("run", "--server", "a", "--max-poll-seconds", "8"),
        ("run", "--server", "a", "--chrony", "/run/chrony.sock", "--local-reference"),
        ("run", *(f"--server=s{n}" for n in range(10))),
        ("run", "--clockbound", "/tmp/p", "--page", "/tmp/p"),
        ("run", "--ptp", "/run/ptp4l", "--ptp-clock", "/dev/none"),
        ("run", "--ptp", "/run/ptp4l", "--ptp-clock", "/dev/null"),
        ("run", "--server", "a", "--ptp-clock", "/dev/ptp0"),
        ("run", "--server", "a", "--ptp-accuracy-ns", "100"),
        ("run", "--chrony", "run/chronyd.sock"),
        ("run", "--local-reference", "--host", "my host"),
        ("run", "--local-reference", "--host", "tokyo/1"),
        ("run", "--local-reference", "--valid-seconds", "1"),
        ("run", "--local-reference", "--journal", "/tmp"),
        ("run", "--local-reference", "--journal", "/tmp/p", "--page", "/tmp/p"),
        ("run", "--config", "/nowhere.toml"),
        ("sources", "--page", "/nowhere/page"),
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


@pytest.mark.parametrize("command", ["run", "serve", "status", "sources", "check"])
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


@pytest.mark.parametrize(
    "arguments", [("--bogus",), ("--warn-bound-ns", "many"), ("--host-clock", "sundial"), ("page",)]
)
def test_a_mistaken_check_is_unknown_to_a_monitor_not_critical(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "check", *arguments) == 3
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("CLOCK UNKNOWN - ")


@pytest.mark.parametrize("as_json", [False, True])
def test_watch_looks_again_every_second_until_it_is_interrupted(page: Path, *, as_json: bool) -> None:
    terminal, theirs = pty.openpty()
    watch = subprocess.Popen(
        [sys.executable, "-m", "clockd", "status", "--watch", "--page", str(page), *(["--json"] if as_json else [])],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    seen = b'"bound_ns": ' if as_json else BARS[-1].encode()
    while shown.count(seen) < 3:
        shown += os.read(terminal, 4096)
    watch.send_signal(signal.SIGINT)
    assert watch.wait(10) in {0, 130}
    with suppress(OSError):  # the end of a terminal
        while rest := os.read(terminal, 4096):
            shown += rest
    os.close(terminal)
    assert b"Traceback" not in shown
    text = shown.decode()
    if as_json:
        reports = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        assert int(reports[0]["bound_ns"]) < int(reports[-1]["bound_ns"])  # a page that nobody publishes any more
    else:
        assert "beijing-1: synchronized" in text
        assert text.count("\x1b[2J") >= 3
        assert re.search(f"bound  [{BARS}]{{3}}", text)


def test_a_watch_whose_reader_has_gone_ends_without_a_word(page: Path) -> None:
    command = [sys.executable, "-m", "clockd", "status", "--watch", "--json", "--page", str(page)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watch:
        assert watch.stdout is not None
        assert watch.stderr is not None
        assert watch.stdout.readline()
        watch.stdout.close()
        assert watch.stderr.read() == b""  # until it has ended


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


@pytest.mark.parametrize(
    "text", ["", ":123", "a:", "a:0", "a:65536", "a b", "a/b", "[::1", "::1]", "[::1]5", "2001:db8::1", "ä"]
)
def test_what_may_mean_another_server_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not HOST, HOST:PORT or"):
        parse_server(text)


def test_a_file_gives_what_flags_and_environment_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "clockd.toml"
    for text, message in (
        ("poll_seconds = 5\nservers = 3", "unknown key servers"),
        ("= 3", "Invalid statement"),
        ('server = ["a"]\npoll_seconds = 5', "--poll-seconds 5 is under 16"),
        ('server = ["a", "a:123"]', "named twice"),
        ('server = ["a"]\nmax_drift_ppb = "x"', "max-drift-ppb"),
    ):
        file.write_text(text)
        assert call(monkeypatch, "run", "--config", str(file)) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert message in line
    file.write_text('server = ["a"]\npoll_seconds = 5')
    monkeypatch.setenv("CLOCKD_POLL_SECONDS", "6")
    assert call(monkeypatch, "run", "--config", str(file)) == 2
    assert "--poll-seconds 6 " in capsys.readouterr().err
    assert call(monkeypatch, "run", "--config", str(file), "--poll-seconds", "7") == 2
    assert "--poll-seconds 7 " in capsys.readouterr().err


def test_sources_are_shown_with_their_verdicts(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def say(verdict: str) -> None:
        keeper = Keeper(["a:123", "b:123"], OSCILLATOR, (16, 64), 0, 0)
        keeper.take("a:123", exchange_at(0, 0))
        keeper.believe(0)
        keeper.sources["b:123"].verdict = verdict
        sources_path(page).write_text(json.dumps(describe_sources(keeper.sources.values(), 0, 10**9)))

    say("silent")
    assert call(monkeypatch, "sources", "--page", str(page), "--json") == 1
    first, second = json.loads(capsys.readouterr().out)
    assert (first["verdict"], first["half_width_ns"], second["verdict"]) == ("agrees", "1000", "silent")
    assert call(monkeypatch, "status", "--page", str(page)) == 0
    out = capsys.readouterr().out
    assert "a:123" in out
    assert "exchanges 1 µs" in out
    assert "1 µs" in out


def test_numbers_for_people() -> None:
    assert [people_time(n) for n in (None, 5, -1500, 2_500_000, 10**9, 7200 * 10**9)] == [
        "–",
        "5 ns",
        "-1.5 µs",
        "2.5 ms",
        "1 s",
        "7200 s",
    ]
    assert plot([0, 50, None, 100]) == "▁▄·█"


def test_a_chronyd_is_a_socket_or_a_port() -> None:
    assert parse_chrony("/run/chrony/chronyd.sock") == Chronyd(Path("/run/chrony/chronyd.sock"))
    assert parse_chrony("127.0.0.1") == Chronyd(("127.0.0.1", 323))
