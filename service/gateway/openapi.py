"""How the API describes itself: the answers each call may give. What they hold is said in `schemas.py`.

The purchase call is answered by the intake, which FastAPI never sees; FastAPI has the same call, running the same
functions, so its description is true of both (a test asks both and compares).
"""

from typing import Any, Final

from service.gateway import schemas
from service.gateway.answers import PROBLEM, TYPE_PREFIX
from service.gateway.schemas import ref

Responses = dict[int | str, dict[str, Any]]


def json_answer(description: str, schema: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
    """An answer with a JSON body."""
    documented = {name: {"description": text, "schema": {"type": "string"}} for name, text in (headers or {}).items()}
    return {"description": description, "content": {"application/json": {"schema": schema}}, "headers": documented}


def problem_answer(description: str, *slugs: str) -> dict[str, Any]:
    """A problem document, of one of some types."""
    types = {"properties": {"type": {"enum": [TYPE_PREFIX + slug for slug in slugs]}}} if slugs else {}
    return {"description": description, "content": {PROBLEM: {"schema": ref("Problem") | types}}}


def body(schema: dict[str, Any], required: bool = True) -> dict[str, Any]:
    """A JSON body."""
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


AUTHORIZED: Final[Responses] = {
    401: problem_answer("no valid token", "unauthorized"),
    403: problem_answer("token without the scope", "forbidden"),
}

_ELSEWHERE: Final = {
    "description": "the buyer's home is another region, where callers are redirected to it: make the same call there",
    "headers": {"Location": {"description": "the same call there", "schema": {"type": "string"}}},
}

_NO_SALE: Final = problem_answer("no such sale, or not in this region", "unknown_sale", "not_sold_here")

_NO_PURCHASE: Final = problem_answer(
    "no such sale or purchase in this region", "unknown_sale", "not_sold_here", "unknown_purchase"
)

_BODY_READ: Final[Responses] = {
    411: problem_answer("chunked", "length_required"),
    413: problem_answer("the body is too large", "too_large"),
    422: problem_answer("the body breaks a rule; errors name the field", "invalid"),
}

_STOPPED: Final = ("sale_cancelled", "sale_halted")

_NOT_KNOWN_YET: Final = problem_answer("the store does not answer: ask again", "outcome_unknown")

_ARBITER_AWAY: Final = problem_answer(
    "the arbiter cannot be reached, or does not answer; or the store does not",
    *("arbiter_unreachable", "outcome_unknown"),
)

PURCHASE: Final[Responses] = {
    **AUTHORIZED,
    **_BODY_READ,
    200: json_answer("the outcome, for good", ref("Purchase"), {"Preference-Applied": "the wait that was granted"}),
    202: json_answer(
        "on disk, not decided yet", ref("Purchase"), {"Location": "where to ask", "Retry-After": "seconds"}
    ),
    400: problem_answer("not HTTP as it should be, or pipelined", "bad_request", "pipelined"),
    307: _ELSEWHERE,
    404: _NO_SALE,
    408: problem_answer("the request did not come whole in time", "request_timeout"),
    409: problem_answer(
        "nothing is sold, or not yet: certainly too early (with Retry-After), sold out (with the decision), no place "
        "left on the list, stopped",
        *("too_early", "sold_out", "list_full", "share_sold_out", "sale_cancelled", "sale_halted"),
    ),
    410: problem_answer("certainly too late, or closed", "too_late"),
    421: problem_answer("routed here, but not the buyer's home", "not_home"),
    422: problem_answer(
        "the body breaks a rule; errors name the field", *("invalid", "below_reserve", "wrong_currency")
    ),
    431: problem_answer("the headers are too large", "headers_too_large"),
    503: problem_answer(
        "not taken, or not known whether: try again",
        *("clock_unsafe", "overloaded", "outcome_unknown", "region_cut_off", "region_isolated", "restocking"),
        *("not_ready", "stock_lost", "home_unavailable", "central_unreachable"),
    ),
}

BATCH: Final[Responses] = {
    **AUTHORIZED,
    200: json_answer("every entry's own outcome, in the order of the batch", ref("Batch"), {"Retry-After": "seconds"}),
    400: problem_answer("not HTTP as it should be, or pipelined", "bad_request", "pipelined"),
    307: _ELSEWHERE,
    404: _NO_SALE,
    408: problem_answer("the request did not come whole in time", "request_timeout"),
    411: problem_answer("chunked", "length_required"),
    413: problem_answer("more than 1 000 purchases, or the body is too large", "too_many_purchases", "too_large"),
    421: problem_answer("of a central sale: routed here, which is not the central region", "not_home"),
    422: problem_answer("no list of purchases; errors name the field", "invalid"),
    431: problem_answer("the headers are too large", "headers_too_large"),
    503: problem_answer(
        "not taken, or not known whether: try again",
        *("overloaded", "outcome_unknown", "home_unavailable", "central_unreachable"),
    ),
}

STATUS: Final[Responses] = {
    **AUTHORIZED,
    403: problem_answer("token without the scope; while bids are sealed only the scope purchase will do", "forbidden"),
    200: json_answer(
        "the purchase as it stands",
        ref("Purchase"),
        {"Retry-After": "seconds, while it is pending", "Preference-Applied": "the wait that was granted"},
    ),
    307: _ELSEWHERE,
    404: _NO_PURCHASE,
    422: problem_answer("a parameter breaks a rule", "invalid"),
    503: problem_answer(
        "the store does not answer, or the region that it was made in",
        *("outcome_unknown", "home_unavailable", "overloaded"),
    ),
}

_REPLY: Final[Responses] = {
    **AUTHORIZED,
    **_BODY_READ,
    202: json_answer(
        "logged, not decided yet", ref("Purchase"), {"Location": "where to ask", "Retry-After": "seconds"}
    ),
    307: _ELSEWHERE,
    400: problem_answer("not HTTP as it should be, or pipelined", "bad_request", "pipelined"),
    403: problem_answer("token without the scope, or the purchase is another buyer's", "forbidden", "not_yours"),
    404: _NO_PURCHASE,
    408: problem_answer("the request did not come whole in time", "request_timeout"),
    409: problem_answer("no unit is held for it, or not certainly any more", "not_held", "hold_expired", *_STOPPED),
    503: problem_answer(
        "not taken, or not known whether: try again",
        *("clock_unsafe", "overloaded", "outcome_unknown", "region_cut_off", "region_isolated", "home_unavailable"),
    ),
}

CONFIRM: Final[Responses] = {
    **_REPLY,
    200: json_answer(
        "decided: the unit is sold to the buyer",
        ref("Purchase"),
        {"Preference-Applied": "the wait that was granted"},
    ),
}

RELEASE: Final[Responses] = {
    **_REPLY,
    200: json_answer("decided: the unit is back", ref("Purchase"), {"Preference-Applied": "the wait that was granted"}),
}

RECEIPT: Final[Responses] = {
    **AUTHORIZED,
    403: problem_answer("token without the scope; while bids are sealed only the scope purchase will do", "forbidden"),
    200: json_answer("what is signed of the purchase so far", ref("Receipt")),
    404: problem_answer(
        "no such sale or purchase in this region, or the sale's terms name no keys",
        *("unknown_sale", "not_sold_here", "unknown_purchase", "not_signed"),
    ),
    409: problem_answer("not signed yet (with Retry-After)", "not_signed_yet"),
    503: _NOT_KNOWN_YET,
}

LEDGER: Final[Responses] = {
    **AUTHORIZED,
    200: {
        "description": "the bundle",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    },
    404: _NO_SALE,
    409: problem_answer("not over, or not sealed yet (with Retry-After)", "sale_not_over", "sale_not_sealed"),
    503: problem_answer(
        "the arbiter's store does not answer, or may not be read from here",
        *("arbiter_unreachable", "ledger_elsewhere", "outcome_unknown"),
    ),
}

PUBLISH: Final[Responses] = {
    **AUTHORIZED,
    **_BODY_READ,
    201: json_answer("published: every region has the terms", ref("Sale"), {"Location": "where to find it"}),
    422: problem_answer(
        "terms that cannot be (errors name field and rule), or a key that was used with others",
        *("invalid", "idempotency_key_reused"),
    ),
    503: problem_answer("the arbiter cannot be reached, or does not answer", "arbiter_unreachable"),
}

CANCEL: Final[Responses] = {
    **AUTHORIZED,
    **_BODY_READ,
    200: json_answer("cancelled: nobody wins from here on", schemas.CANCELLED),
    404: _NO_SALE,
    409: problem_answer("it is decided already", "already_decided"),
    503: _ARBITER_AWAY,
}

FENCE: Final[Responses] = {
    **AUTHORIZED,
    **_BODY_READ,
    200: json_answer("fenced out: what it has left is nobody's until it is given out again", schemas.FENCED),
    404: _NO_SALE,
    409: problem_answer("the sale is decided already", "already_decided"),
    422: problem_answer("the body breaks a rule, or the sale has no such region, or is an ordered one", "invalid"),
    503: problem_answer(
        "the region's store cannot be reached, or the arbiter does not answer",
        *("region_unreachable", "arbiter_unreachable", "outcome_unknown"),
    ),
}

BEACON: Final[Responses] = {
    **AUTHORIZED,
    **_BODY_READ,
    200: json_answer("entered: the draw follows", schemas.ENTERED),
    404: _NO_SALE,
    409: problem_answer("no value is awaited (yet, or any more)", "beacon_not_awaited"),
    422: problem_answer("the body breaks a rule, or the beacon has not signed this", "invalid", "beacon_forged"),
    503: _ARBITER_AWAY,
}

SALE: Final[Responses] = {
    **AUTHORIZED,
    200: json_answer("the sale", ref("Sale")),
    404: problem_answer("no such sale", "unknown_sale"),
    422: problem_answer("no such zone", "invalid"),
    503: _NOT_KNOWN_YET,
}

SALES: Final[Responses] = {
    **AUTHORIZED,
    200: json_answer(
        "all sales of this region",
        {
            "type": "object",
            "properties": {"sales": {"type": "array", "items": ref("Sale")}},
            "required": ["sales"],
        },
    ),
    422: problem_answer("no such zone", "invalid"),
}

_NO_STREAM: Final = ("outcome_unknown", "too_many_followers")

EVENTS: Final[Responses] = {
    **AUTHORIZED,
    200: {
        "description": "decisions as they are made; `id` is their index, resume with Last-Event-ID",
        "content": {"text/event-stream": {"schema": schemas.EVENT}},
    },
    204: {"description": "the sale is over, and there is no event behind that one"},
    404: _NO_SALE,
    422: problem_answer("Last-Event-ID is no number", "invalid"),
    503: problem_answer("ask again: the store does not answer, or too many follow sales here already", *_NO_STREAM),
}

CLOCK: Final[Responses] = {
    **AUTHORIZED,
    200: json_answer("this host's clock", schemas.CLOCK),
    422: problem_answer("no such zone", "invalid"),
}


def _parts(*names: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"const": "ok"} for name in names}, "required": list(names)}


HEALTH: Final[Responses] = {200: json_answer("the process runs", _parts("status"))}

READY: Final[Responses] = {
    200: json_answer("all are there", _parts("clock", "store", "arbiter")),
    503: problem_answer("one of them is not: the problem says of each whether it is", "not_ready"),
}

METRICS: Final[Responses] = {
    **AUTHORIZED,
    200: {
        "description": "every metric of this port's processes",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    },
}
