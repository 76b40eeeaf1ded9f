"""How tests run `firstcome`: in this process for what ends at once, as programs of their own for what stays."""

import signal
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import structlog

from service.command.main import main


class Ran(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


Firstcome = Callable[..., Ran]


@pytest.fixture
def firstcome(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Firstcome]:
    """Runs the command with some words."""

    def run(*words: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["firstcome", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}
    yield run
    for name, handler in before.items():
        signal.signal(name, handler)
    structlog.reset_defaults()
