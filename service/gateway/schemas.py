"""What calls take and give, as JSON schemas: bodies, and the objects of answers. Which call has which: `openapi.py`.

The gateway reads bodies by hand, so nothing is checked by these; the tests hold both against each other.
"""

from typing import Any, Final, get_args

from model.stated import LARGEST_PRICE, LARGEST_STOCK, LONGEST_TEXT, MOST_REGIONS
from model.terms import Kind, Method
from model.vocabulary import ID_FORM, LostReason
from service.gateway.answers import TYPE_PREFIX
from service.gateway.bodies import MOST_IN_A_BATCH

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


def ref(name: str) -> dict[str, Any]:
    """One of `SCHEMAS`, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


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

PURCHASE: Final = {
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

SALE: Final = {
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

PROBLEM_DOCUMENT: Final = {
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

BATCH: Final = {
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

RECEIPT: Final = {
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

CANCELLED: Final = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "state": {"const": "cancelled"}, "reason": {"type": "string"}},
    "required": ["id", "state", "reason"],
}

FENCED: Final = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "region": _ID,
        "state": {"const": "fenced"},
        "reason": {"type": "string"},
    },
    "required": ["id", "region", "state", "reason"],
}

ENTERED: Final = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "signature": {"type": "string"}},
    "required": ["id", "signature"],
}

EVENT: Final = {
    "type": "object",
    "description": "one event",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$", "description": "the decision's index"},
        "event": {"type": "string", "description": "the decision's type"},
        "data": {"type": "string", "contentMediaType": "application/json", "description": "the decision, as recorded"},
    },
    "required": ["id", "event", "data"],
}

CLOCK: Final = {
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

SCHEMAS: Final = {"Sale": SALE, "Purchase": PURCHASE, "Batch": BATCH, "Receipt": RECEIPT, "Problem": PROBLEM_DOCUMENT}
