"""What every verb shares: errors of one line, clocks and stores from flags, the log, a bar for what takes a while."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
import typer
from typer.exceptions import TyperException

from clockd.host import HostClock, open_host_clock
from model.stated import LONGEST_REGION
from model.vocabulary import is_id
from service.store.embedded import EmbeddedStore, EmbeddedStoreError
from service.watching.advice import advise, hide


class CannotRun(TyperException):
    """Wrong configuration or input; the message is one line that says what to do. Exit status 2."""


def log_to_standard_error() -> None:
    """One event a line with what to do about it, for people on a terminal and JSON otherwise. Never a secret."""
    people = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            advise,
            hide,
            structlog.dev.ConsoleRenderer() if people else structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def by_flags_alone() -> dict[str, str]:
    """An environment for programs of ours whose flags say everything: what an operator set for us is not for them."""
    return {name: "" for name in os.environ if name.startswith(("FIRSTCOME_", "CLOCKD_"))}


def host_clock(spec: str) -> HostClock:
    """The host clock that a flag asks for."""
    try:
        return open_host_clock(spec)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--host-clock") from error


def region_name(text: str) -> str:
    """A name that a region may have."""
    if not is_id(text) or len(text) > LONGEST_REGION:
        raise typer.BadParameter(f"{text!r}: use 1 to {LONGEST_REGION} of A-Z a-z 0-9 . _ ~ -", param_hint="--region")
    return text


def address(text: str, flag: str = "--listen") -> tuple[str, int]:
    """`HOST:PORT` or `[IPv6]:PORT`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise typer.BadParameter(f"{text!r} is not HOST:PORT", param_hint=flag)
    return host.removeprefix("[").removesuffix("]"), int(port)


@contextmanager
def progress(shown: bool = True) -> Iterator[Callable[[str, float], None]]:
    """A bar on a terminal, nothing elsewhere. It is told what is being done, and what part of it is done."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield lambda _what, _done: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, done: bar.update(task, description=what, completed=done)


@contextmanager
def open_store(url: str, data: Path | None, name: str, allow_unsafe: bool) -> Iterator[str]:
    """A store's URL: the one given, once its settings are found safe, or an embedded one's on the data in a folder."""
    if url and data is not None:
        raise CannotRun(f"{name}: give a store URL or a data folder, not both")
    if data is not None:
        try:
            with EmbeddedStore(data) as embedded:
                yield embedded.url
        except EmbeddedStoreError as error:
            raise CannotRun(f"{name}: {error}") from error
    elif url:
        asyncio.run(_check(url, name, allow_unsafe))
        yield url
    else:
        raise CannotRun(f"{name}: give a store with --store URL, or a folder for an embedded one with --data DIR")


async def _check(url: str, name: str, allow_unsafe: bool) -> None:
    from redis.exceptions import RedisError

    from service.store.opening import UnsafeStoreError, check_settings, connect

    try:
        store = connect(url)
    except ValueError as error:
        raise CannotRun(f"{name}: {error}") from error
    try:
        await check_settings(store, name)
    except UnsafeStoreError as error:
        if not allow_unsafe:
            raise CannotRun(str(error)) from error
        structlog.get_logger().warning("running on a store that could lose what was acknowledged", why=str(error))
    except (RedisError, OSError) as error:
        raise CannotRun(f"{name}: store {url} cannot be reached: {error}") from error
    finally:
        await store.aclose()
