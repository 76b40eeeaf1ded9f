"""What the body of a purchase call says in an auction: who bids how much; or the problem with it.

A price is a whole number of minor units, never a fraction: `1250` is 12.50 EUR and 1 250 JPY. So that nobody bids in
another money than they think, a body may name the currency, and then it must be the auction's.

A price that no retry of a logged bid can have is refused at once, without a look into the store: one below the reserve.
"""

from typing import Annotated, Final, NamedTuple

import msgspec

from model import guards
from model.stated import LARGEST_PRICE
from model.terms import Terms
from model.vocabulary import BuyerId, RegionName, is_id
from service.gateway import problems
from service.gateway.answers import Answer
from service.gateway.bodies import NOT_AN_ID, field_and_rule, unread_batch


class Bid(NamedTuple):
    """Who bids, and how much, in minor units of the auction's currency."""

    buyer: BuyerId
    price: int


class _Bid(msgspec.Struct, forbid_unknown_fields=True):
    buyer: str
    price: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_PRICE)]
    currency: str | None = None


class _ClaimingBid(msgspec.Struct, forbid_unknown_fields=True):
    """The same, with the region that the caller takes as the buyer's home."""

    buyer: str
    price: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_PRICE)]
    currency: str | None = None
    home: str | None = None


_decode: Final = msgspec.json.Decoder(_Bid).decode
_decode_claiming: Final = msgspec.json.Decoder(_ClaimingBid).decode


def read_bid(body: bytes, terms: Terms) -> Bid | Answer:
    """One bid, or the problem."""
    try:
        stated = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return problems.invalid([field_and_rule(str(error))])
    return _bid(stated, terms)


def read_claimed_bid(body: bytes, terms: Terms) -> tuple[Bid | Answer, RegionName | None]:
    """The same, where a body may say which region is the buyer's home; whether it can be is for others to say."""
    try:
        stated = _decode_claiming(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return problems.invalid([field_and_rule(str(error))]), None
    return _bid(stated, terms), stated.home


def read_bids(body: bytes, terms: Terms) -> list[Bid | Answer] | Answer:
    """The bids of a batch in its order, where one is bad its problem; or the problem with the batch as a whole."""
    unread = unread_batch(body)
    return unread if isinstance(unread, Answer) else [read_bid(bytes(entry), terms) for entry in unread]


def _bid(stated: _Bid | _ClaimingBid, terms: Terms) -> Bid | Answer:
    if not is_id(stated.buyer):
        return NOT_AN_ID
    if stated.currency not in (None, terms.currency):
        return problems.wrong_currency(terms.currency)
    if not guards.reaches_reserve(stated.price, terms.reserve_price):
        return problems.below_reserve(terms.reserve_price, terms.currency)
    return Bid(stated.buyer, stated.price)
