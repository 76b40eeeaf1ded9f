"""How the API describes itself: the JSON schemas of what goes in and out, and the answers each call may give.

The purchase call is answered by the intake, which FastAPI never sees; FastAPI has the same call, running the same
functions, so its description is true of both (a test asks both and compares).
"""

from typing import Any, Final, get_args

from model.stated import LARGEST_STOCK
from model.terms import Method
from model.vocabulary import ID_FORM
from service.gateway.bodies import MOST_IN_A_BATCH

Responses = dict[int | str, dict[str, Any]]

_NANOSECONDS: Final = {"type": "string", "pattern": "^[0-9]+$", "description": "nanoseconds, as a decimal string"}
_ID: Final = {"type": "string", "pattern": f"^{ID_FORM}$"}
_TIME: Final = {"type": "string", "description": "RFC 9557", "examples": ["2026-11-27T20:00:00+08:00[Asia/Shanghai]"]}

PURCHASE_BODY: Final = {
    "type": "object",
    "properties": {
        "buyer": {**_ID, "description": "a pseudonym chosen by the merchant; bundles are public"},
        "home": {**_ID, "description": "the buyer's home region; only where the operator allows such claims"},
    },
    "required": ["buyer"],
    "additionalProperties": False,
}

_BATCH_ENTRY: Final = {
    "type": "object",
    "properties": {"buyer": _ID},
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
        "title": {"type": "string"},
        "merchant": {"type": "string"},
        "previous": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "the merchant's last sale"},
        "kind": {"enum": ["flash"]},
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
        "regions": {"type": "array", "items": _ID, "minItems": 1},
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
        "state": {"enum": ["pending", "won", "lost"]},
        "region": _ID,
        "seq": {"type": "integer", "minimum": 1},
        "stamp_ns": _NANOSECONDS,
        "bound_ns": _NANOSECONDS,
        "stamp": {**_TIME, "description": "the stamp in the zone that `tz` names; only where it names one"},
        "rank": {"type": "integer", "minimum": 0},
        "unit": {"type": "integer", "minimum": 0},
        "reason": {"enum": ["sold_out", "closed", "duplicate", "cut_off", "cancelled", "halted"]},
        "of": _ID,
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
        "winners": {"type": "integer", "description": "where units are sold at the door: once all are sold"},
        "opens": _TIME,
        "closes": _TIME,
        "entries_from": _TIME,
        "terms": {"type": "object"},
    },
    "required": ["id", "state", "seed_commitment", "opens", "closes", "entries_from", "terms"],
}

_PROBLEM: Final = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}


def _json(description: str, schema: dict[str, Any], headers: dict[str, str] | None = None) -> dict[str, Any]:
    documented = {name: {"description": text, "schema": {"type": "string"}} for name, text in (headers or {}).items()}
    return {"description": description, "content": {"application/json": {"schema": schema}}, "headers": documented}


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/problem+json": {"schema": _PROBLEM}}}


def body(schema: dict[str, Any]) -> dict[str, Any]:
    """A required JSON body."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


AUTHORIZED: Final[Responses] = {
    401: _problem("no valid token"),
    403: _problem("token without the scope"),
    405: _problem("another method"),
}

_ELSEWHERE: Final = {
    "description": "the buyer's home is another region, where callers are redirected to it: make the same call there",
    "headers": {"Location": {"description": "the same call there", "schema": {"type": "string"}}},
}

PURCHASE: Final[Responses] = {
    **AUTHORIZED,
    200: _json("the outcome, for good", _PURCHASE, {"Preference-Applied": "the wait that was granted"}),
    202: _json("on disk, not decided yet", _PURCHASE, {"Location": "where to ask", "Retry-After": "seconds"}),
    400: _problem("not HTTP as it should be, or pipelined"),
    307: _ELSEWHERE,
    404: _problem("no such sale, or not in this region"),
    408: _problem("the request did not come whole in time"),
    409: _problem(
        "certainly too early (with Retry-After), sold_out (with the decision), share_sold_out, cancelled, halted"
    ),
    410: _problem("certainly too late, or closed"),
    411: _problem("chunked"),
    413: _problem("the body is too large"),
    421: _problem("routed here, but not the buyer's home (not_home)"),
    422: _problem("the body breaks a rule; errors name the field"),
    431: _problem("the headers are too large"),
    503: _problem(
        "clock_unsafe, overloaded, outcome_unknown, region_cut_off, region_isolated, restocking, not_ready, "
        "stock_lost, home_unavailable or central_unreachable: try again"
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
                    "purchase": _PURCHASE,
                    "problem": _PROBLEM,
                },
                "required": ["index", "status"],
            },
        }
    },
    "required": ["purchases"],
}

BATCH: Final[Responses] = {
    **AUTHORIZED,
    200: _json("every entry's own outcome, in the order of the batch", _BATCH, {"Retry-After": "seconds"}),
    400: _problem("not JSON, not HTTP as it should be, or pipelined"),
    307: _ELSEWHERE,
    404: _problem("no such sale, or not in this region"),
    408: _problem("the request did not come whole in time"),
    411: _problem("chunked"),
    413: _problem("more than 1 000 purchases, or the body is too large"),
    421: _problem("of a central sale: routed here, which is not the central region (not_home)"),
    422: _problem("no list of purchases; errors name the field"),
    431: _problem("the headers are too large"),
    503: _problem("overloaded, the store is not known yet, or a central sale's region is unreachable: try again"),
}

STATUS: Final[Responses] = {
    **AUTHORIZED,
    200: _json("the purchase as it stands", _PURCHASE),
    307: _ELSEWHERE,
    404: _problem("no such sale or purchase in this region"),
    422: _problem("a parameter breaks a rule"),
    503: _problem("the store does not answer, or the region that it was made in (home_unavailable)"),
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
        "why": {"type": ["object", "null"], "description": "once the sale is over: how it was drawn"},
    },
    "required": [
        *("format", "sale", "terms", "region", "seq", "entry", "checkpoint", "path", "decision", "outcome", "why"),
    ],
}

RECEIPT: Final[Responses] = {
    **AUTHORIZED,
    200: _json("what is signed of the purchase so far", _RECEIPT),
    404: _problem("no such sale or purchase in this region, or the sale's terms name no keys"),
    409: _problem("not signed yet (with Retry-After)"),
    422: _problem("a parameter breaks a rule"),
    503: _problem("the store does not answer"),
}

LEDGER: Final[Responses] = {
    **AUTHORIZED,
    200: {
        "description": "the bundle",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    },
    404: _problem("no such sale in this region"),
    409: _problem("not over, or not sealed yet (with Retry-After)"),
    422: _problem("a parameter breaks a rule"),
    503: _problem("the arbiter's store does not answer, or may not be read from here"),
}

PUBLISH: Final[Responses] = {
    **AUTHORIZED,
    201: _json("published: every region has the terms", _SALE, {"Location": "where to find it"}),
    413: _problem("the body is too large"),
    422: _problem("terms that cannot be; errors name field and rule"),
    503: _problem("the arbiter cannot be reached, or does not answer"),
}

CANCEL: Final[Responses] = {
    **AUTHORIZED,
    200: _json("cancelled: nobody wins from here on", {"type": "object"}),
    404: _problem("no such sale"),
    409: _problem("it is decided already"),
    413: _problem("the body is too large"),
    422: _problem("the body breaks a rule"),
    503: _problem("the arbiter cannot be reached, or does not answer"),
}

FENCE: Final[Responses] = {
    **AUTHORIZED,
    200: _json("fenced out: what it has left is nobody's until it is given out again", {"type": "object"}),
    404: _problem("no such sale"),
    409: _problem("the sale is decided already"),
    413: _problem("the body is too large"),
    422: _problem("the body breaks a rule, or the sale has no such region, or is an ordered one"),
    503: _problem("the region's store cannot be reached, or the arbiter does not answer"),
}

BEACON: Final[Responses] = {
    **AUTHORIZED,
    200: _json("entered: the draw follows", {"type": "object"}),
    404: _problem("no such sale"),
    409: _problem("no value is awaited (yet, or any more)"),
    413: _problem("the body is too large"),
    422: _problem("the body breaks a rule, or the beacon has not signed this"),
    503: _problem("the arbiter cannot be reached, or does not answer"),
}

SALE: Final[Responses] = {
    **AUTHORIZED,
    200: _json("the sale", _SALE),
    404: _problem("no such sale"),
    422: _problem("no such zone"),
}

SALES: Final[Responses] = {
    **AUTHORIZED,
    200: _json(
        "all sales of this region", {"type": "object", "properties": {"sales": {"type": "array", "items": _SALE}}}
    ),
    422: _problem("no such zone"),
}

EVENTS: Final[Responses] = {
    **AUTHORIZED,
    200: {
        "description": "decisions as they are made; `id` is their index, resume with Last-Event-ID",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    404: _problem("no such sale"),
    422: _problem("Last-Event-ID is no number"),
}

CLOCK: Final[Responses] = {**AUTHORIZED, 200: _json("this host's clock", {"type": "object"})}

READY: Final[Responses] = {
    200: _json("clock, store and arbiter are there", {"type": "object"}),
    503: _json("one of them is not: a problem document that says of each whether it is", {"type": "object"}),
}
