"""How the API describes itself: the JSON schemas of what goes in and out, and the answers each call may give.

The purchase call is answered by the intake, which FastAPI never sees; FastAPI has the same call, running the same
functions, so its description is true of both (a test asks both and compares).
"""

from typing import Any, Final, get_args

from model.stated import LARGEST_PRICE, LARGEST_STOCK, LONGEST_TEXT, MOST_REGIONS
from model.terms import Kind, Method
from model.vocabulary import ID_FORM, LostReason
from service.gateway.answers import PROBLEM, TYPE_PREFIX
from service.gateway.bodies import MOST_IN_A_BATCH

Responses = dict[int | str, dict[str, Any]]

_NANOSECONDS: Final = {"type": "string", "pattern": "^[0-9]+$", "description": "nanoseconds, as a decimal string"}
_ID: Final = {"type": "string", "pattern": f"^{ID_FORM}$"}
_TIME: Final = {
    "type": "string",
    "format": "rfc9557",
    "description": "RFC 9557",
    "examples": ["2099-11-27T20:00:00+08:00[Asia/Shanghai]"],
}

_PRICE: Final = {"type": "integer", "minimum": 1, "maximum": LARGEST_PRICE}
_CURRENCY: Final = {"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["EUR"]}
_BID: Final = {
    "price": {**_PRICE, "description": "auctions, and only there: the bid, in minor units of the auction's currency"},
    "currency": {**_CURRENCY, "description": "auctions: checked against the auction's, where it is given"},
}

PURCHASE_BODY: Final = {
    "type": "object",
    "properties": {
        "buyer": {**_ID, "description": "a pseudonym chosen by the merchant; bundles are public"},
        "home": {**_ID, "description": "the buyer's home region; only where the operator allows such claims"},
        **_BID,
    },
    "required": ["buyer"],
    "additionalProperties": False,
}

_BATCH_ENTRY: Final = {
    "type": "object",
    "properties": {"buyer": _ID, **_BID},
    "required": ["buyer"],
    "additionalProperties": False,
}

BATCH_BODY: Final = {
    "type": "object",
    "properties": {"purchases": {"type": "array", "items": _BATCH_ENTRY, "minItems": 1, "maxItems": MOST_IN_A_BATCH}},
    "required": ["purchases"],
    "additionalProperties": False,
}

BEACON_BODY: Final = {
    "type": "object",
    "description": "a round as drand's servers tell it",
    "properties": {
        "round": {"type": "integer", "minimum": 1},
        "signature": {"type": "string", "pattern": "^[0-9a-f]{96}([0-9a-f]{96})?$"},
        "previous_signature": {"type": "string"},
        "randomness": {"type": "string"},
    },
    "required": ["signature"],
}

CONFIRM_BODY: Final = {
    "type": "object",
    "properties": {"buyer": {**_ID, "description": "whose purchase it is"}},
    "required": ["buyer"],
    "additionalProperties": False,
}

CANCEL_BODY: Final = {
    "type": "object",
    "properties": {"reason": {"type": "string", "minLength": 1, "maxLength": 500}},
    "required": ["reason"],
    "additionalProperties": False,
}

FENCE_BODY: Final = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "description": "which region is to leave the sale"},
        "reason": {"type": "string", "minLength": 1, "maxLength": 500},
    },
    "required": ["region", "reason"],
    "additionalProperties": False,
}

TERMS_BODY: Final = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT},
        "merchant": {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT},
        "previous": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "the merchant's last sale"},
        "kind": {"enum": list(get_args(Kind)), "description": "what is sold; default flash"},
        "currency": {**_CURRENCY, "description": "auction, required there: the ISO 4217 code of what is bid in"},
        "reserve_price": {**_PRICE, "description": "auction: the least bid that is taken, in minor units; default 1"},
        "pricing": {
            "enum": ["first_price", "uniform"],
            "description": "auction: winners pay their own bid (default), or all the highest that lost, or the reserve",
        },
        "hold_ns": {**_NANOSECONDS, "description": "reservation: for how long a unit is held for who has it"},
        "waiting_list": {
            "type": "integer",
            "minimum": 0,
            "maximum": LARGEST_STOCK,
            "description": "reservation: how many may wait for a unit, over the whole sale; default 10 × the stock",
        },
        "method": {"enum": list(get_args(Method)), "description": "how it is sold; default ordered"},
        "quotas": {
            "type": "object",
            "additionalProperties": {"type": "integer", "minimum": 0},
            "description": "sharded: how many units each region begins with; they add up to the stock",
        },
        "rebalance": {"type": "boolean", "description": "sharded: whether unsold units follow demand; default true"},
        "central_region": {**_ID, "description": "central: who has all of the stock; default the first region"},
        "stock": {"type": "integer", "minimum": 1, "maximum": LARGEST_STOCK},
        "opens": _TIME,
        "closes": _TIME,
        "entries_from": {**_TIME, "description": "before opens, for a lobby"},
        "regions": {
            "type": "array",
            "items": _ID,
            "minItems": 1,
            "maxItems": MOST_REGIONS,
            "uniqueItems": True,
            "description": "where it is sold: regions that the arbiter serves",
        },
        "skew_bound_ns": {**_NANOSECONDS, "description": "ε, the largest stamping error tolerated"},
        "tie_window_ns": {**_NANOSECONDS, "description": "W ≥ 2ε; default 2ε"},
        "intake_grace_ns": {**_NANOSECONDS, "description": "> 2ε; default 200 ms"},
        "beacon": {
            "type": "object",
            "description": "the round of a public beacon that the draw waits for, as docs/bundle.md says",
        },
        "cut_off_after_ns": {**_NANOSECONDS, "description": "default 30 s"},
    },
    "required": ["title", "stock", "opens", "closes", "regions", "skew_bound_ns"],
    "additionalProperties": False,
}

_PURCHASE: Final = {
    "type": "object",
    "properties": {
        "id": _ID,
        "sale": {"type": "string"},
        "buyer": _ID,
        "state": {"enum": ["pending", "waiting", "held", "confirming", "releasing", "won", "lost"]},
        "region": _ID,
        "seq": {"type": "integer", "minimum": 1},
        "stamp_ns": _NANOSECONDS,
        "bound_ns": _NANOSECONDS,
        "stamp": {**_TIME, "description": "the stamp in the zone that `tz` names; only where it names one"},
        "rank": {"type": "integer", "minimum": 0},
        "unit": {"type": "integer", "minimum": 0},
        "reason": {"enum": list(get_args(LostReason))},
        "of": _ID,
        "price": {**_PRICE, "description": "auctions: the bid, in minor units"},
        "currency": {**_CURRENCY, "description": "auctions"},
        "pays": {**_PRICE, "description": "auctions, once won: what is paid"},
        "ahead": {"type": "integer", "minimum": 0, "description": "reservation, waiting: how many wait before you"},
        "known_by": {**_TIME, "description": "reservation, waiting: when you will know at the latest"},
        "until": {**_TIME, "description": "reservation, held: confirm certainly before this"},
        "until_ns": _NANOSECONDS,
    },
    "required": ["id", "sale", "buyer", "state", "region", "seq", "stamp_ns", "bound_ns"],
}

_SALE: Final = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "state": {"enum": ["scheduled", "open", "closed", "halted", "cancelled"]},
        "reason": {"type": "string"},
        "awaits": {
            "type": "object",
            "description": "while only a beacon's round is missing: which, and when it is published",
            "properties": {"round": {"type": "integer"}, "published": _TIME},
        },
        "seed_commitment": {"type": "string"},
        "winners": {
            "type": "integer",
            "description": "where units are sold at the door: once all are sold; in an auction: 0 until it is decided",
        },
        "clearing_price": {
            **_PRICE,
            "description": "an auction that is over and was won: at a uniform price what all pay, else the least paid",
        },
        "currency": {**_CURRENCY, "description": "of the clearing price"},
        "confirmed": {"type": "integer", "description": "reservation: units that are sold for good"},
        "held": {"type": "integer", "description": "reservation: units that are held now"},
        "waiting": {"type": "integer", "description": "reservation: buyers who wait for a unit"},
        "places_left": {"type": "integer", "description": "reservation: places on the list that nobody has yet"},
        "opens": _TIME,
        "closes": _TIME,
        "entries_from": _TIME,
        "terms": {"type": "object"},
    },
    "required": ["id", "state", "seed_commitment", "opens", "closes", "entries_from", "terms"],
}

_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457; some have more fields, which the detail tells in words too",
    "properties": {
        "type": {"type": "string", "pattern": f"^{TYPE_PREFIX}[a-z_]+$", "description": "stable; see Problems"},
        "title": {"type": "string"},
        "status": {"type": "integer", "description": "the status of the answer"},
        "detail": {"type": "string", "description": "what happened here, and what to do"},
        "errors": {
            "type": "array",
            "description": "of an invalid request: each field, and the rule that it breaks",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "rule": {"type": "string"}},
                "required": ["field", "rule"],
            },
        },
    },
    "required": ["type", "title", "status", "detail"],
}


def ref(name: str) -> dict[str, Any]:
    """One of `SCHEMAS`, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
    documented = {name: {"description": text, "schema": {"type": "string"}} for name, text in (headers or {}).items()}
    return {"description": description, "content": {"application/json": {"schema": schema}}, "headers": documented}


def _problem(description: str, *slugs: str) -> dict[str, Any]:
    """A problem document, of one of some types."""
    types = {"properties": {"type": {"enum": [TYPE_PREFIX + slug for slug in slugs]}}} if slugs else {}
    return {"description": description, "content": {PROBLEM: {"schema": ref("Problem") | types}}}


json_answer, problem_answer = _json, _problem
"""For calls that describe themselves elsewhere."""


def body(schema: dict[str, Any], required: bool = True) -> dict[str, Any]:
    """A JSON body."""
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


AUTHORIZED: Final[Responses] = {
    401: _problem("no valid token", "unauthorized"),
    403: _problem("token without the scope", "forbidden"),
}

_ELSEWHERE: Final = {
    "description": "the buyer's home is another region, where callers are redirected to it: make the same call there",
    "headers": {"Location": {"description": "the same call there", "schema": {"type": "string"}}},
}
_NO_SALE: Final = _problem("no such sale, or not in this region", "unknown_sale", "not_sold_here")
_NO_PURCHASE: Final = _problem(
    "no such sale or purchase in this region", "unknown_sale", "not_sold_here", "unknown_purchase"
)
_BODY_READ: Final[Responses] = {
    411: _problem("chunked", "length_required"),
    413: _problem("the body is too large", "too_large"),
    422: _problem("the body breaks a rule; errors name the field", "invalid"),
}
_STOPPED: Final = ("sale_cancelled", "sale_halted")
_NOT_KNOWN_YET: Final = _problem("the store does not answer: ask again", "outcome_unknown")
_ARBITER_AWAY: Final = _problem(
    "the arbiter cannot be reached, or does not answer; or the store does not",
    *("arbiter_unreachable", "outcome_unknown"),
)

PURCHASE: Final[Responses] = {
    **AUTHORIZED,
    **_BODY_READ,
    200: _json("the outcome, for good", ref("Purchase"), {"Preference-Applied": "the wait that was granted"}),
    202: _json("on disk, not decided yet", ref("Purchase"), {"Location": "where to ask", "Retry-After": "seconds"}),
    400: _problem("not HTTP as it should be, or pipelined", "bad_request", "pipelined"),
    307: _ELSEWHERE,
    404: _NO_SALE,
    408: _problem("the request did not come whole in time", "request_timeout"),
    409: _problem(
        "nothing is sold, or not yet: certainly too early (with Retry-After), sold out (with the decision), no place "
        "left on the list, stopped",
        *("too_early", "sold_out", "list_full", "share_sold_out", "sale_cancelled", "sale_halted"),
    ),
    410: _problem("certainly too late, or closed", "too_late"),
    421: _problem("routed here, but not the buyer's home", "not_home"),
    422: _problem("the body breaks a rule; errors name the field", *("invalid", "below_reserve", "wrong_currency")),
    431: _problem("the headers are too large", "headers_too_large"),
    503: _problem(
        "not taken, or not known whether: try again",
        *("clock_unsafe", "overloaded", "outcome_unknown", "region_cut_off", "region_isolated", "restocking"),
        *("not_ready", "stock_lost", "home_unavailable", "central_unreachable"),
    ),
}

_BATCH: Final = {
    "type": "object",
    "properties": {
        "purchases": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "index": {"type": "integer", "minimum": 0, "description": "the entry's place in the batch"},
                    "status": {"type": "integer", "description": "what a call of its own would have been answered"},
                    "purchase": ref("Purchase"),
                    "problem": ref("Problem"),
                },
                "required": ["index", "status"],
            },
        }
    },
    "required": ["purchases"],
}

BATCH: Final[Responses] = {
    **AUTHORIZED,
    200: _json("every entry's own outcome, in the order of the batch", ref("Batch"), {"Retry-After": "seconds"}),
    400: _problem("not HTTP as it should be, or pipelined", "bad_request", "pipelined"),
    307: _ELSEWHERE,
    404: _NO_SALE,
    408: _problem("the request did not come whole in time", "request_timeout"),
    411: _problem("chunked", "length_required"),
    413: _problem("more than 1 000 purchases, or the body is too large", "too_many_purchases", "too_large"),
    421: _problem("of a central sale: routed here, which is not the central region", "not_home"),
    422: _problem("no list of purchases; errors name the field", "invalid"),
    431: _problem("the headers are too large", "headers_too_large"),
    503: _problem(
        "not taken, or not known whether: try again",
        *("overloaded", "outcome_unknown", "home_unavailable", "central_unreachable"),
    ),
}

STATUS: Final[Responses] = {
    **AUTHORIZED,
    403: _problem("token without the scope; while bids are sealed only the scope purchase will do", "forbidden"),
    200: _json(
        "the purchase as it stands",
        ref("Purchase"),
        {"Retry-After": "seconds, while it is pending", "Preference-Applied": "the wait that was granted"},
    ),
    307: _ELSEWHERE,
    404: _NO_PURCHASE,
    422: _problem("a parameter breaks a rule", "invalid"),
    503: _problem(
        "the store does not answer, or the region that it was made in",
        *("outcome_unknown", "home_unavailable", "overloaded"),
    ),
}

_REPLY: Final[Responses] = {
    **AUTHORIZED,
    **_BODY_READ,
    202: _json("logged, not decided yet", ref("Purchase"), {"Location": "where to ask", "Retry-After": "seconds"}),
    307: _ELSEWHERE,
    400: _problem("not HTTP as it should be, or pipelined", "bad_request", "pipelined"),
    403: _problem("token without the scope, or the purchase is another buyer's", "forbidden", "not_yours"),
    404: _NO_PURCHASE,
    408: _problem("the request did not come whole in time", "request_timeout"),
    409: _problem("no unit is held for it, or not certainly any more", "not_held", "hold_expired", *_STOPPED),
    503: _problem(
        "not taken, or not known whether: try again",
        *("clock_unsafe", "overloaded", "outcome_unknown", "region_cut_off", "region_isolated", "home_unavailable"),
    ),
}

CONFIRM: Final[Responses] = {
    **_REPLY,
    200: _json(
        "decided: the unit is sold to the buyer",
        ref("Purchase"),
        {"Preference-Applied": "the wait that was granted"},
    ),
}

RELEASE: Final[Responses] = {
    **_REPLY,
    200: _json("decided: the unit is back", ref("Purchase"), {"Preference-Applied": "the wait that was granted"}),
}

_RECEIPT: Final = {
    "type": "object",
    "description": "docs/bundle.md",
    "properties": {
        "format": {"const": "firstcome-receipt/1"},
        "sale": {"type": "string"},
        "terms": {"type": "object"},
        "region": _ID,
        "seq": {"type": "integer", "minimum": 1},
        "entry": {"type": "string", "description": "the line of the region's log"},
        "checkpoint": {"type": "string", "description": "a signed note: how that log stood"},
        "path": {"type": "array", "items": {"type": "string"}, "description": "RFC 6962 path, in base64"},
        "decision": {
            "type": ["object", "null"],
            "properties": {
                "index": {"type": "integer", "minimum": 0},
                "record": {"type": "string"},
                "checkpoint": {"type": "string"},
                "path": {"type": "array", "items": {"type": "string"}},
            },
        },
        "outcome": {"type": ["object", "null"]},
        "why": {"type": ["object", "null"], "description": "once the sale is over: how it came about"},
        "turn": {
            "type": "array",
            "items": {"type": "object"},
            "description": "of a reservation: the records `listed` and `held` of this purchase, each like `decision`",
        },
        "reply": {
            "type": ["object", "null"],
            "properties": {
                "seq": {"type": "integer", "minimum": 2},
                "line": {"type": "string"},
                "path": {"type": "array", "items": {"type": "string"}},
            },
            "description": "of a reservation: what the holder said, as a line of the region's log",
        },
    },
    "required": [
        *("format", "sale", "terms", "region", "seq", "entry", "checkpoint", "path", "decision", "outcome", "why"),
    ],
}


RECEIPT: Final[Responses] = {
    **AUTHORIZED,
    403: _problem("token without the scope; while bids are sealed only the scope purchase will do", "forbidden"),
    200: _json("what is signed of the purchase so far", ref("Receipt")),
    404: _problem(
        "no such sale or purchase in this region, or the sale's terms name no keys",
        *("unknown_sale", "not_sold_here", "unknown_purchase", "not_signed"),
    ),
    409: _problem("not signed yet (with Retry-After)", "not_signed_yet"),
    503: _NOT_KNOWN_YET,
}

LEDGER: Final[Responses] = {
    **AUTHORIZED,
    200: {
        "description": "the bundle",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    },
    404: _NO_SALE,
    409: _problem("not over, or not sealed yet (with Retry-After)", "sale_not_over", "sale_not_sealed"),
    503: _problem(
        "the arbiter's store does not answer, or may not be read from here",
        *("arbiter_unreachable", "ledger_elsewhere", "outcome_unknown"),
    ),
}

PUBLISH: Final[Responses] = {
    **AUTHORIZED,
    **_BODY_READ,
    201: _json("published: every region has the terms", ref("Sale"), {"Location": "where to find it"}),
    422: _problem(
        "terms that cannot be (errors name field and rule), or a key that was used with others",
        *("invalid", "idempotency_key_reused"),
    ),
    503: _problem("the arbiter cannot be reached, or does not answer", "arbiter_unreachable"),
}

_CANCELLED: Final = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "state": {"const": "cancelled"}, "reason": {"type": "string"}},
    "required": ["id", "state", "reason"],
}

CANCEL: Final[Responses] = {
    **AUTHORIZED,
    **_BODY_READ,
    200: _json("cancelled: nobody wins from here on", _CANCELLED),
    404: _NO_SALE,
    409: _problem("it is decided already", "already_decided"),
    503: _ARBITER_AWAY,
}

_FENCED: Final = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "region": _ID,
        "state": {"const": "fenced"},
        "reason": {"type": "string"},
    },
    "required": ["id", "region", "state", "reason"],
}

FENCE: Final[Responses] = {
    **AUTHORIZED,
    **_BODY_READ,
    200: _json("fenced out: what it has left is nobody's until it is given out again", _FENCED),
    404: _NO_SALE,
    409: _problem("the sale is decided already", "already_decided"),
    422: _problem("the body breaks a rule, or the sale has no such region, or is an ordered one", "invalid"),
    503: _problem(
        "the region's store cannot be reached, or the arbiter does not answer",
        *("region_unreachable", "arbiter_unreachable", "outcome_unknown"),
    ),
}

_ENTERED: Final = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "signature": {"type": "string"}},
    "required": ["id", "signature"],
}

BEACON: Final[Responses] = {
    **AUTHORIZED,
    **_BODY_READ,
    200: _json("entered: the draw follows", _ENTERED),
    404: _NO_SALE,
    409: _problem("no value is awaited (yet, or any more)", "beacon_not_awaited"),
    422: _problem("the body breaks a rule, or the beacon has not signed this", "invalid", "beacon_forged"),
    503: _ARBITER_AWAY,
}

SALE: Final[Responses] = {
    **AUTHORIZED,
    200: _json("the sale", ref("Sale")),
    404: _problem("no such sale", "unknown_sale"),
    422: _problem("no such zone", "invalid"),
    503: _NOT_KNOWN_YET,
}

SALES: Final[Responses] = {
    **AUTHORIZED,
    200: _json(
        "all sales of this region",
        {"type": "object", "properties": {"sales": {"type": "array", "items": ref("Sale")}}, "required": ["sales"]},
    ),
    422: _problem("no such zone", "invalid"),
}

_EVENT: Final = {
    "type": "object",
    "description": "one event",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$", "description": "the decision's index"},
        "event": {"type": "string", "description": "the decision's type"},
        "data": {"type": "string", "contentMediaType": "application/json", "description": "the decision, as recorded"},
    },
    "required": ["id", "event", "data"],
}

_NO_STREAM: Final = ("outcome_unknown", "too_many_followers")
EVENTS: Final[Responses] = {
    **AUTHORIZED,
    200: {
        "description": "decisions as they are made; `id` is their index, resume with Last-Event-ID",
        "content": {"text/event-stream": {"schema": _EVENT}},
    },
    204: {"description": "the sale is over, and there is no event behind that one"},
    404: _NO_SALE,
    422: _problem("Last-Event-ID is no number", "invalid"),
    503: _problem("ask again: the store does not answer, or too many follow sales here already", *_NO_STREAM),
}

_CLOCK: Final = {
    "type": "object",
    "properties": {
        "state": {"type": "string", "description": "synchronized, or why it is not to be trusted as it was"},
        "host": {"type": "string"},
        "update": {"type": "string", "description": "which update of the clock page this is"},
        "sources": {"type": "integer"},
        "agreeing": {"type": "integer"},
        "local_reference": {"type": "boolean", "description": "whether this host's own clock is the truth"},
        "earliest_ns": _NANOSECONDS,
        "latest_ns": _NANOSECONDS,
        "bound_ns": _NANOSECONDS,
        "utc": {**_TIME, "description": "the middle of the interval, in UTC"},
        "local": {**_TIME, "description": "the same in the zone that `tz` names; only where it names one"},
        "reason": {"type": "string", "description": "why there is no interval; then there is nothing below it either"},
    },
    "required": ["state", "host", "update", "sources", "agreeing", "local_reference"],
}


CLOCK: Final[Responses] = {
    **AUTHORIZED,
    200: _json("this host's clock", _CLOCK),
    422: _problem("no such zone", "invalid"),
}


def _parts(*names: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: {"const": "ok"} for name in names}, "required": list(names)}


HEALTH: Final[Responses] = {200: _json("the process runs", _parts("status"))}

READY: Final[Responses] = {
    200: _json("all are there", _parts("clock", "store", "arbiter")),
    503: _problem("one of them is not: the problem says of each whether it is", "not_ready"),
}

METRICS: Final[Responses] = {
    **AUTHORIZED,
    200: {
        "description": "every metric of this port's processes",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    },
}

SCHEMAS: Final = {"Sale": _SALE, "Purchase": _PURCHASE, "Batch": _BATCH, "Receipt": _RECEIPT, "Problem": _PROBLEM}
"""What has a name in the description."""
