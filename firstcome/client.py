"""`Client` and `AsyncClient`: the same calls, one waits for them, the other awaits them.

What is asked, what an answer means and when to ask again is in `calls.py`, `following.py` and `patience.py`. Here is
only what carries a step out: httpx, a clock, a sleep, and the dice. Each method is one of the functions of `calls.py`.
"""

import asyncio
import inspect
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Concatenate, Final, ParamSpec, Self, TypeVar, get_args

import httpx
from httpx_sse import EventSource, ServerSentEvent

from firstcome import calls
from firstcome.exchange import (
    SECOND_NS,
    Ask,
    Call,
    Heard,
    Listen,
    Lost,
    Open,
    Opened,
    Pause,
    Reply,
    Said,
    Step,
    Tell,
    Woken,
)
from firstcome.following import follow
from firstcome.patience import Patience, persist
from firstcome.records import Event

PATIENCE_SECONDS: Final = 30
CONNECT_NS: Final = 5 * SECOND_NS

P = ParamSpec("P")
T = TypeVar("T")


def _waits(call: Callable[P, Call[T]]) -> Callable[Concatenate["Client", P], T]:
    @wraps(call)
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run(call(*args, **kwargs))

    return _told_as_method(call, method)


def _awaits(call: Callable[P, Call[T]]) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, T]]:
    @wraps(call)
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._run(call(*args, **kwargs))

    return _told_as_method(call, method)


Method = TypeVar("Method", bound=Callable[..., Any])


def _told_as_method(call: Callable[..., Any], method: Method) -> Method:
    """The same, as `help` and `inspect` see it: with `self`, and with what the call comes to."""
    told = inspect.signature(call)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    result = get_args(told.return_annotation)[2]
    method.__signature__ = told.replace(  # type: ignore[attr-defined]  # what inspect looks for first
        parameters=[itself, *told.parameters.values()], return_annotation=result
    )
    return method


class _Shell:
    """What both shells know: where to ask, as whom, and for how long."""

    def __init__(self, gateway: str, token: str, patience_seconds: int) -> None:
        if httpx.URL(gateway).scheme not in {"http", "https"}:
            raise ValueError(f"a gateway is named by a URL, such as https://north.example, not {gateway!r}")
        if not (token.isascii() and token.isprintable()):
            raise ValueError("a token is of ASCII letters, digits, - and _")
        self._patience = Patience(gateway.rstrip("/"), patience_seconds * SECOND_NS)
        self._headers = {"authorization": f"Bearer {token}"}

    def _request(self, http: httpx.Client | httpx.AsyncClient, ask: Ask) -> httpx.Request:
        url = ask.path if ask.path.startswith("http") else self._patience.gateway + ask.path
        within_seconds = ask.within_ns / SECOND_NS
        return http.build_request(
            ask.method,
            url,
            params=ask.query or None,
            json=ask.body,
            headers={**self._headers, **ask.headers},
            timeout=httpx.Timeout(within_seconds, connect=min(ask.within_ns, CONNECT_NS) / SECOND_NS),
        )


class Client(_Shell):
    """Firstcome, from a program that waits. Threads may share one. Use as a context manager, or `close` it."""

    def __init__(
        self, gateway: str, token: str, *, patience_seconds: int = PATIENCE_SECONDS, http: httpx.Client | None = None
    ) -> None:
        """Connects to nothing yet.

        Args:
            gateway: URL of a region's gateways, such as `https://north.example`.
            token: with the scopes that the calls need.
            patience_seconds: for how long a request is repeated while nobody answers, or answers that it may pass.
            http: with settings of your own, such as certificates; closed with this client.

        Raises:
            ValueError: no URL, or no token.
        """
        super().__init__(gateway, token, patience_seconds)
        self._http = http or httpx.Client()

    publish = _waits(calls.publish)
    sale = _waits(calls.sale)
    sales = _waits(calls.sales)
    cancel = _waits(calls.cancel)
    purchase = _waits(calls.purchase)
    purchases = _waits(calls.purchases)
    bid = _waits(calls.bid)
    status = _waits(calls.status)
    wait = _waits(calls.wait)
    confirm = _waits(calls.confirm)
    release = _waits(calls.release)
    receipt = _waits(calls.receipt)
    ledger = _waits(calls.ledger)

    def events(self, sale: str, *, after: int = -1) -> Iterator[Event]:
        """A sale's decisions as they are made, each once, from the one behind index `after` to the last of all.

        It survives lost connections and restarted gateways, and ends with the sale.
        """
        call = follow(sale, after, self._patience)
        with ExitStack() as connection:
            said: Iterator[ServerSentEvent] = iter(())
            step = next(call, None)
            while step is not None:
                heard: Heard
                if isinstance(step, Tell):
                    yield step.event
                    heard = Woken(time.monotonic_ns())
                elif isinstance(step, Open):
                    connection.close()
                    heard, said = self._open(connection, step.ask)
                elif isinstance(step, Listen):
                    heard = _next(said)
                else:
                    heard = self._perform(step)
                step = _sent(call, heard)

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, call: Call[T]) -> T:
        patient = persist(call, self._patience, time.monotonic_ns())
        try:
            step = next(patient)
            while True:
                step = patient.send(self._perform(step))
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            patient.close()

    def _perform(self, step: Step) -> Heard:
        if isinstance(step, Pause):
            time.sleep(_seconds(step))
            return Woken(time.monotonic_ns())
        assert isinstance(step, Ask)
        try:
            answer = self._http.send(self._request(self._http, step), stream=True, follow_redirects=False)
            try:
                if step.into is None or answer.status_code != 200:
                    answer.read()
                else:
                    with _whole(step.into) as file:
                        for piece in answer.iter_bytes():
                            file.write(piece)
            finally:
                answer.close()
        except httpx.RequestError as error:
            return _lost(error)
        return _reply(answer, step)

    def _open(self, connection: ExitStack, ask: Ask) -> tuple[Heard, Iterator[ServerSentEvent]]:
        try:
            answer = self._http.send(self._request(self._http, ask), stream=True, follow_redirects=False)
            connection.callback(answer.close)
            if answer.status_code != 200:
                answer.read()
                return _reply(answer, ask), iter(())
        except httpx.RequestError as error:
            return _lost(error), iter(())
        return Opened(time.monotonic_ns()), EventSource(answer).iter_sse()


class AsyncClient(_Shell):
    """Firstcome, from a program that awaits. Use as an asynchronous context manager, or `await close()`."""

    def __init__(
        self,
        gateway: str,
        token: str,
        *,
        patience_seconds: int = PATIENCE_SECONDS,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        """As `Client`."""
        super().__init__(gateway, token, patience_seconds)
        self._http = http or httpx.AsyncClient()

    publish = _awaits(calls.publish)
    sale = _awaits(calls.sale)
    sales = _awaits(calls.sales)
    cancel = _awaits(calls.cancel)
    purchase = _awaits(calls.purchase)
    purchases = _awaits(calls.purchases)
    bid = _awaits(calls.bid)
    status = _awaits(calls.status)
    wait = _awaits(calls.wait)
    confirm = _awaits(calls.confirm)
    release = _awaits(calls.release)
    receipt = _awaits(calls.receipt)
    ledger = _awaits(calls.ledger)

    async def events(self, sale: str, *, after: int = -1) -> AsyncIterator[Event]:
        """As `Client.events`. Who stops before the end closes it: `async with contextlib.aclosing(...)`."""
        call = follow(sale, after, self._patience)
        async with AsyncExitStack() as connection:
            said: AsyncIterator[ServerSentEvent] | None = None
            step = next(call, None)
            while step is not None:
                heard: Heard
                if isinstance(step, Tell):
                    yield step.event
                    heard = Woken(time.monotonic_ns())
                elif isinstance(step, Open):
                    await connection.aclose()
                    heard, said = await self._open(connection, step.ask)
                elif isinstance(step, Listen):
                    assert said is not None
                    heard = await _anext(said)
                else:
                    heard = await self._perform(step)
                step = _sent(call, heard)

    async def close(self) -> None:
        """End the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, call: Call[T]) -> T:
        patient = persist(call, self._patience, time.monotonic_ns())
        try:
            step = next(patient)
            while True:
                step = patient.send(await self._perform(step))
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            patient.close()

    async def _perform(self, step: Step) -> Heard:
        if isinstance(step, Pause):
            await asyncio.sleep(_seconds(step))
            return Woken(time.monotonic_ns())
        assert isinstance(step, Ask)
        try:
            answer = await self._http.send(self._request(self._http, step), stream=True, follow_redirects=False)
            try:
                if step.into is None or answer.status_code != 200:
                    await answer.aread()
                else:
                    with _whole(step.into) as file:
                        async for piece in answer.aiter_bytes():
                            file.write(piece)
            finally:
                await answer.aclose()
        except httpx.RequestError as error:
            return _lost(error)
        return _reply(answer, step)

    async def _open(self, connection: AsyncExitStack, ask: Ask) -> tuple[Heard, AsyncIterator[ServerSentEvent] | None]:
        try:
            answer = await self._http.send(self._request(self._http, ask), stream=True, follow_redirects=False)
            connection.push_async_callback(answer.aclose)
            if answer.status_code != 200:
                await answer.aread()
                return _reply(answer, ask), None
        except httpx.RequestError as error:
            return _lost(error), None
        return Opened(time.monotonic_ns()), EventSource(answer).aiter_sse()


def _seconds(pause: Pause) -> float:
    """How long to sleep: any time of the pause is as likely."""
    return random.randint(pause.least_ns, pause.most_ns) / SECOND_NS


def _sent(call: Call[Any], heard: Heard) -> Step | None:
    """The next step of a call; None where it has come to its end."""
    try:
        return call.send(heard)
    except StopIteration:
        return None


def _reply(answer: httpx.Response, ask: Ask) -> Reply:
    body = b"" if ask.into is not None and answer.status_code == 200 else answer.content
    return Reply(time.monotonic_ns(), answer.status_code, answer.headers, body)


def _lost(error: httpx.RequestError) -> Lost:
    return Lost(time.monotonic_ns(), f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _said(event: ServerSentEvent) -> Said:
    return Said(time.monotonic_ns(), event.id, event.event, event.data)


def _next(said: Iterator[ServerSentEvent]) -> Said | Lost:
    try:
        return _said(next(said))
    except StopIteration:
        return Lost(time.monotonic_ns(), "the stream ended before the sale")
    except httpx.RequestError as error:
        return _lost(error)


async def _anext(said: AsyncIterator[ServerSentEvent]) -> Said | Lost:
    try:
        return _said(await anext(said))
    except StopAsyncIteration:
        return Lost(time.monotonic_ns(), "the stream ended before the sale")
    except httpx.RequestError as error:
        return _lost(error)


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that is there once all of it is written."""
    unfinished = path.with_name(f"{path.name}.part")
    with unfinished.open("wb") as file:
        yield file
    unfinished.replace(path)
