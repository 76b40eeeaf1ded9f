"""What the body of a purchase call says, of one buyer or of many; or the problem with it. Of bids: `bids.py`.

In a batch a bad entry spoils nothing but itself: it gets a problem of its own, in its place. Bodies that are good
throughout, nearly all, are decoded in one go; only where that fails is every entry looked at alone.
"""

from typing import Final, TypeAlias

import msgspec

from model.vocabulary import BuyerId, RegionName, is_id
from service.gateway import problems
from service.gateway.answers import Answer

MOST_IN_A_BATCH: Final = 1_000


class _Purchase(msgspec.Struct, forbid_unknown_fields=True):
    """Who buys, by a pseudonym of the merchant's."""

    buyer: str


class _ClaimingPurchase(msgspec.Struct, forbid_unknown_fields=True):
    """The same, with the region that the caller takes as the buyer's home."""

    buyer: str
    home: str | None = None


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    purchases: list[_Purchase]


class _UnreadBatch(msgspec.Struct, forbid_unknown_fields=True):
    purchases: list[msgspec.Raw]


_decode: Final = msgspec.json.Decoder(_Purchase).decode
_decode_claiming: Final = msgspec.json.Decoder(_ClaimingPurchase).decode
_decode_batch: Final = msgspec.json.Decoder(_Batch).decode
_decode_unread: Final = msgspec.json.Decoder(_UnreadBatch).decode
NOT_AN_ID: Final = problems.invalid([("buyer", "is 1 to 128 of A-Z a-z 0-9 . _ ~ -")])

Buyers: TypeAlias = list[BuyerId | Answer]
"""The buyers of a batch in its order; where an entry is bad, its problem."""


def read_purchase(body: bytes) -> BuyerId | Answer:
    """The buyer of a purchase, or the problem."""
    try:
        buyer = _decode(body).buyer
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return problems.invalid([field_and_rule(str(error))])
    return buyer if is_id(buyer) else NOT_AN_ID


def read_claim(body: bytes) -> tuple[BuyerId, RegionName | None] | Answer:
    """The same, where a body may say which region is the buyer's home; whether it can be is for others to say."""
    try:
        claimed = _decode_claiming(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return problems.invalid([field_and_rule(str(error))])
    return (claimed.buyer, claimed.home) if is_id(claimed.buyer) else NOT_AN_ID


def read_batch(body: bytes) -> Buyers | Answer:
    """The buyers of a batch, or the problem with the batch as a whole."""
    try:
        buyers = [purchase.buyer for purchase in _decode_batch(body).purchases]
    except msgspec.ValidationError:
        unread = unread_batch(body)
        return unread if isinstance(unread, Answer) else [read_purchase(bytes(entry)) for entry in unread]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return problems.invalid([field_and_rule(str(error))])
    except RecursionError:
        return problems.invalid([("", "is nested too deeply")])
    return _wrong_number(len(buyers)) or [buyer if is_id(buyer) else NOT_AN_ID for buyer in buyers]


def unread_batch(body: bytes) -> list[msgspec.Raw] | Answer:
    """The entries of a batch, each as it was written, or the problem with the batch as a whole."""
    try:
        unread = _decode_unread(body).purchases
    except msgspec.ValidationError as error:
        return problems.invalid([field_and_rule(str(error))])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return problems.invalid([field_and_rule(str(error))])
    except RecursionError:
        return problems.invalid([("", "is nested too deeply")])
    return _wrong_number(len(unread)) or unread


def _wrong_number(entries: int) -> Answer | None:
    if entries > MOST_IN_A_BATCH:
        return problems.too_many(MOST_IN_A_BATCH)
    return None if entries else problems.invalid([("purchases", "holds at least one")])


def field_and_rule(message: str) -> tuple[str, str]:
    """Which field a decoding error is about, and what it says."""
    rule, found, path = message.partition(" - at `$.")
    if found:
        return path.rstrip("`"), rule
    for marker in ("required field `", "unknown field `"):
        _, found, rest = rule.partition(marker)
        if found:
            return rest.partition("`")[0], rule
    return "", rule
