"""The examples of the API's description: one sale, from its publication to a winner. Tests make the same calls and
compare, and what is computed from something is computed here too: the sale's id is the hash of its terms.
"""

from typing import Any, Final

from model.note import parse_verifier_key
from model.stated import Keys
from model.terms import read_terms

TERMS: Final[dict[str, Any]] = {
    "title": "Sneakers, limited edition",
    "stock": 100,
    "opens": "2099-11-27T20:00:00+08:00[Asia/Shanghai]",
    "closes": "2099-11-27T20:10:00+08:00[Asia/Shanghai]",
    "regions": ["shanghai", "frankfurt"],
    "skew_bound_ns": "50000000",
}

_KEYS: Final = Keys(
    arbiter=parse_verifier_key("firstcome.arbiter+82e84037+AS1cclgcEQtz2dXyLTvDn+Cmqyb0SA8hsBFi5SCaElKn"),
    regions={
        "shanghai": parse_verifier_key(
            "firstcome.region.shanghai+2958e185+AdcUqnzbVPO5VjnfTdGGjoY57GSv7kRzueZXiZZWlykQ"
        ),
        "frankfurt": parse_verifier_key(
            "firstcome.region.frankfurt+ee476b84+ARU+qKx7RvJRNpw2hpn280uzSTI4Wpenen64k1hrvTuV"
        ),
    },
)
_PUBLISHED: Final = read_terms(TERMS).committed(bytes(range(32)), _KEYS)
_ID: Final = _PUBLISHED.sale()
_REQUEST: Final = "shanghai.oXB8spMY69Y3m_z84cg0-1"
_STAMP_NS: Final = _PUBLISHED.opens_ns + 41_253_908

SALE: Final[dict[str, Any]] = {
    "id": _ID,
    "state": "scheduled",
    "winners": 0,
    "seed_commitment": _PUBLISHED.seed_commitment,
    "opens": TERMS["opens"],
    "closes": TERMS["closes"],
    "entries_from": TERMS["opens"],
    "terms": _PUBLISHED.stated,
}

PENDING: Final[dict[str, Any]] = {
    "id": _REQUEST,
    "sale": _ID,
    "buyer": "ada",
    "state": "pending",
    "region": "shanghai",
    "seq": 1,
    "stamp_ns": str(_STAMP_NS),
    "bound_ns": "310224",
}
WON: Final[dict[str, Any]] = {**PENDING, "state": "won", "rank": 0, "unit": 0}

_BAD_BUYER: Final[dict[str, Any]] = {
    "type": "urn:firstcome:problem:invalid",
    "title": "Invalid request",
    "status": 422,
    "detail": "buyer: is 1 to 128 of A-Z a-z 0-9 . _ ~ -",
    "errors": [{"field": "buyer", "rule": "is 1 to 128 of A-Z a-z 0-9 . _ ~ -"}],
}

_WEBHOOK: Final[dict[str, Any]] = {
    "id": "wh_33583a211e0d5a531429f05b",
    "merchant": "sneakers",
    "url": "https://shop.example/firstcome",
    "events": ["purchase.won", "purchase.lost", "sale.closed"],
    "created": "2099-11-20T09:00:00Z",
}
_SECRET: Final = "whsec_kuMIiquw1Lf1rPU2HHBp2lx68xtXEpWeg4z9Mdq97mw="

REQUESTS: Final[dict[str, Any]] = {
    "publish_a_sale": TERMS,
    "cancel_a_sale": {"reason": "the wrong price was announced"},
    "purchase": {"buyer": "ada"},
    "confirm_a_purchase": {"buyer": "ada"},
    "purchase_batch": {"purchases": [{"buyer": "bob"}, {"buyer": "b b"}]},
    "fence_a_region_out": {"region": "frankfurt", "reason": "the data centre is lost"},
    "make_a_webhook": {"url": _WEBHOOK["url"], "events": _WEBHOOK["events"]},
    "rotate_a_secret": {"overlap_seconds": 3_600},
    "replay_dead_letters": {"messages": [{"sale": _ID, "number": 3}]},
}
"""Bodies, by the name of the call."""

ANSWERS: Final[dict[tuple[str, int], Any]] = {
    ("publish_a_sale", 201): SALE,
    ("show_a_sale", 200): SALE,
    ("list_sales", 200): {"sales": [SALE]},
    ("cancel_a_sale", 200): {"id": _ID, "state": "cancelled", "reason": "the wrong price was announced"},
    ("purchase", 202): PENDING,
    ("purchase", 200): WON,
    ("show_a_purchase", 200): WON,
    ("purchase_batch", 200): {
        "purchases": [
            {
                "index": 0,
                "status": 202,
                "purchase": {**PENDING, "id": "shanghai.ThugkoaXH43wtgbdLvNt-2", "buyer": "bob", "seq": 2},
            },
            {"index": 1, "status": 422, "problem": _BAD_BUYER},
        ]
    },
    ("purchase", 422): _BAD_BUYER,
    ("purchase", 409): {
        "type": "urn:firstcome:problem:sold_out",
        "title": "Sold out",
        "status": 409,
        "detail": "The last unit is gone; nobody who comes now can win.",
        "decision": 207,
    },
    ("show_the_clock", 200): {
        "state": "synchronized",
        "host": "shanghai-1",
        "update": "5122",
        "sources": 4,
        "agreeing": 4,
        "local_reference": False,
        "earliest_ns": str(_STAMP_NS - 310_224),
        "latest_ns": str(_STAMP_NS + 310_224),
        "bound_ns": "310224",
        "utc": "2099-11-27T12:00:00.041253908Z",
    },
    ("make_a_webhook", 201): {**_WEBHOOK, "secret": _SECRET},
    ("list_webhooks", 200): {"webhooks": [_WEBHOOK]},
    ("show_a_webhook", 200): _WEBHOOK,
    ("delete_a_webhook", 200): {"id": _WEBHOOK["id"], "state": "deleted"},
    ("rotate_a_secret", 200): {"id": _WEBHOOK["id"], "secret": _SECRET, "overlap_seconds": 3_600},
    ("replay_dead_letters", 202): {"webhook": _WEBHOOK["id"], "replaying": 1},
    ("health", 200): {"status": "ok"},
    ("readiness", 200): {"clock": "ok", "store": "ok", "arbiter": "ok"},
}
"""Answers, by the name of the call and the status."""
