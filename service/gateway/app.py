"""The FastAPI application: every call but the hot path, and the hot path too, running the same functions.

Errors are problem documents everywhere. Only health is open; every other call asks for a scope, a list for any token.
What a call does is said in `api.py`.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import structlog
from fastapi import FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match, Route

from service.gateway import events, openapi, problems, schemas
from service.gateway.answers import Answer, encode
from service.gateway.api import ALL_READY, Api, Refusal, response
from service.gateway.description import SCOPES_OF, describe
from service.gateway.reference import add_reference
from service.gateway.tokens import SCOPES

_log = structlog.get_logger()

_DESCRIPTION: Final = """Fair flash sales across regions: first come, first served, as far as the clocks can tell.

- **Tokens.** Every call but health asks for `Authorization: Bearer <token>`, with a token of the region that has one of
  the scopes which the call names.
- **Numbers.** Nanoseconds since 1970 in UTC, and spans of them, travel as decimal strings (`…_ns`).
- **Times** for people are RFC 9557: `2099-11-27T20:00:00+08:00[Asia/Shanghai]`. `?tz=` names the zone to give them in.
- **Repeating** a purchase is always safe: a buyer has one entry, and the call finds it. Publishing is repeated with the
  same `Idempotency-Key`, which is kept as long as the sales are.
- **Waiting.** `Prefer: wait=N` waits up to N seconds, 60 at most, for an outcome; `Preference-Applied` says how long
  was granted. `Retry-After` says, in seconds, when to come again.
- **Errors** are problem documents. Any call may be answered 400 `bad_request`, 408 `request_timeout` or 431
  `headers_too_large` where it is not HTTP as it should be, 404 `unknown_path`, 405 `method_not_allowed`, and 500
  `internal`, which is a fault of ours."""

_EVENT_NUMBER: Final = re.compile(r"[0-9]{1,15}")

IdempotencyKey = Annotated[str | None, Header(max_length=200, description="a word of your own for this publication")]
EventNumber = Annotated[
    str | None,
    Header(description="the number of the last event that was heard", json_schema_extra={"pattern": "^[0-9]{1,15}$"}),
]
Zone = Annotated[
    str | None,
    Query(description="an IANA zone in which to give times", json_schema_extra={"format": "iana-zone"}),
]


def make_app(api: Api, version: str) -> FastAPI:
    """The application over one process's API."""
    app = FastAPI(
        title="Firstcome",
        version=version,
        description=_DESCRIPTION,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        openapi_url=None,  # `reference.py` serves it, and the page for people
    )
    describe(app)
    add_reference(app)
    followers = events.Followers()

    @app.post("/v1/sales", status_code=201, responses=openapi.PUBLISH, openapi_extra=openapi.body(schemas.TERMS_BODY))
    async def publish_a_sale(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
        """Publish a sale's terms. They never change afterwards. Repeat with the same Idempotency-Key to be sure."""
        return response(await api.publish(request, idempotency_key))

    @app.get("/v1/sales", responses=openapi.SALES)
    async def list_sales(request: Request, tz: Zone = None) -> Response:
        """All sales of this region, in the order of their publication."""
        api.allow(request, *SCOPES)
        return response(Answer(200, encode(api.show_all(tz))))

    @app.get("/v1/sales/{sale}", responses=openapi.SALE)
    async def show_a_sale(request: Request, sale: str, tz: Zone = None) -> Response:
        """Terms, state, and times in a zone of your choice."""
        api.allow(request, *SCOPES)
        return response(Answer(200, encode(api.show(sale, tz))))

    @app.post("/v1/sales/{sale}/cancel", responses=openapi.CANCEL, openapi_extra=openapi.body(schemas.CANCEL_BODY))
    async def cancel_a_sale(request: Request, sale: str) -> Response:
        """Stop a sale, with a reason that is recorded. Units won before stay won."""
        return response(await api.cancel(request, sale))

    @app.post(
        "/v1/sales/{sale}/purchases",
        status_code=202,
        responses=openapi.PURCHASE,
        openapi_extra=openapi.body(schemas.PURCHASE_BODY),
    )
    async def purchase(
        request: Request,
        sale: str,
        prefer: Annotated[str | None, Header(description="wait=N: answer with the outcome if it comes in N s")] = None,  # noqa: ARG001
    ) -> Response:
        """Enter a sale for a buyer. A buyer has one entry: a repeated call finds it.

        In an auction a bid: a buyer has one entry for each price, and the highest counts. Sealed until the end.

        An ordered sale answers 202, and later with the outcome. Where units are sold at the door (`sharded`, `central`)
        the outcome comes at once: 200 with the unit, or a problem, and then nothing was logged. `sharded` promises one
        entry for a buyer in a region only; across regions it takes routing to the buyer's home.
        """
        return response(await api.purchase(request, sale))

    @app.post(
        "/v1/sales/{sale}/purchases:batch",
        responses=openapi.BATCH,
        openapi_extra=openapi.body(schemas.BATCH_BODY),
    )
    async def purchase_batch(request: Request, sale: str) -> Response:
        """Enter a sale for up to 1 000 buyers at once. Every entry has its own outcome, in its place.

        All entries have one stamp, the arrival of the batch's last byte: whoever waits for a batch to fill up waits
        at the cost of those who are in it already, and among themselves only the lottery decides. A batch is served
        by the region that it comes to, whatever its buyers' homes are; one for a central sale goes to the central one.
        """
        return response(await api.purchase(request, sale, is_batch=True))

    @app.get("/v1/sales/{sale}/purchases/{purchase}", responses=openapi.STATUS)
    async def show_a_purchase(
        request: Request,
        sale: str,
        purchase: str,
        tz: Zone = None,
        prefer: Annotated[str | None, Header(description="wait=N: answer once there is an outcome")] = None,  # noqa: ARG001
    ) -> Response:
        """Pending, won with a unit (in an ordered sale a rank, in an auction what is paid too), or lost and why."""
        return response(await api.status(request, sale, purchase, tz))

    @app.get("/v1/sales/{sale}/events", responses=openapi.EVENTS, response_class=Response)
    async def follow_a_sale(request: Request, sale: str, last_event_id: EventNumber = None) -> Response:
        """Server-sent events: decisions as they are made."""
        api.allow(request, *SCOPES)
        found = api.find(sale)
        if last_event_id is not None and _EVENT_NUMBER.fullmatch(last_event_id) is None:
            return response(problems.invalid([("Last-Event-ID", "is the number of an event")]))
        streamed = followers.stream(found, -1 if last_event_id is None else int(last_event_id))
        return response(streamed) if isinstance(streamed, Answer) else streamed

    @app.get("/v1/clock", responses=openapi.CLOCK)
    async def show_the_clock(request: Request, tz: Zone = None) -> Response:
        """The interval in which UTC is now, by this host, and what it rests on."""
        api.allow(request, *SCOPES)
        return response(Answer(200, encode(api.clock(tz))))

    @app.get("/healthz", responses=openapi.HEALTH)
    async def health() -> Response:
        """Whether this process runs."""
        return response(Answer(200, encode({"status": "ok"})))

    @app.get("/readyz", responses=openapi.READY)
    async def readiness() -> Response:
        """Whether purchases can be taken: clock, store and arbiter, each by name."""
        parts = api.readiness()
        return response(Answer(200, encode(parts)) if parts == ALL_READY else problems.not_ready(parts))

    _add_problems(app, api)
    return app


def _methods(request: Request) -> list[str]:
    """What can be called at a path: each method has a route of its own, and Starlette names those of one."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    found = [route.methods or set() for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted(set().union(*found))


def _add_problems(app: FastAPI, api: Api) -> None:
    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return response(error.answer)

    async def invalid(request: Request, error: Exception) -> Response:
        """Whoever may not call at all hears that first."""
        assert isinstance(error, RequestValidationError)
        scopes = SCOPES_OF.get(request.scope["route"].name)
        try:
            if scopes:
                api.allow(request, *scopes)
        except Refusal as refusal:
            return response(refusal.answer)
        return response(problems.invalid([(str(found["loc"][-1]), found["msg"]) for found in error.errors()]))

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            return response(problems.method_not_allowed(", ".join(_methods(request))))
        return response(problems.unknown_path())

    async def internal(request: Request, error: Exception) -> Response:
        _log.error("a call failed", path=request.url.path, exc_info=error)
        return response(problems.internal())

    async def gone(_: Request, _error: Exception) -> Response:
        """The caller hung up before the body was whole: nobody reads this."""
        return response(problems.request_timeout())

    handlers: list[tuple[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]] = [
        (Refusal, refused),
        (RequestValidationError, invalid),
        (HTTPException, http_error),
        (ClientDisconnect, gone),
        (Exception, internal),
    ]
    for kind, handler in handlers:
        app.add_exception_handler(kind, handler)
