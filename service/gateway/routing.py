"""Where a purchase belongs: in this region, or at its buyer's home, to which it is redirected or forwarded. Pure.

A buyer's home is a function of the buyer's id and the sale's regions that every gateway computes alike
(`model/routing.py`), or, where the operator allows it, what the body claims; of a sale by the `central` method it is
the central region for everybody. What was routed once is never routed again: it says so, and is served where it
arrives, or refused there, so two gateways that think of each other as home make no loop.

When home cannot be reached, an `ordered` sale takes the purchase here, since the arbiter lets each buyer win once.
Where units are sold at the door every region knows its own buyers only: it is refused, unless the operator says
`--take-over` and thereby that a buyer may get two. A batch is served where it arrives; only of a central sale it is
routed, whole. A purchase is stamped in the region that serves it, which costs its buyer the way there.

Next: `peers.py`, which asks other regions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from model.routing import home_region
from model.terms import Terms
from model.vocabulary import BuyerId, RegionName
from service.gateway import problems
from service.gateway.answers import Answer
from service.gateway.book import Sale

Policy: TypeAlias = Literal["serve", "redirect", "forward"]
"""What is done with a purchase whose home is elsewhere."""


@dataclass(frozen=True, slots=True)
class RoutingSettings:
    """What the operator of a gateway has said about other regions."""

    policy: Policy = "serve"
    peers: Mapping[RegionName, str] = field(default_factory=dict)
    """By region, the URL of its public port, without a path."""
    home_claim: bool = False
    """Whether a purchase's body may name the buyer's home."""
    take_over: bool = False
    """Whether a sale by shares is sold here to buyers whose home is down."""


class Elsewhere(NamedTuple):
    """Another region, where a call is to go."""

    region: RegionName
    redirects: bool
    """Whether the caller is sent there; else we ask for them."""


def is_routed(settings: RoutingSettings, region: RegionName, terms: Terms) -> bool:
    """Whether purchases of a sale can belong elsewhere at all."""
    if terms.method == "central":
        return terms.central_region != region
    return settings.policy != "serve" and len(terms.regions) > 1


def home_of(terms: Terms, buyer: BuyerId, claim: RegionName | None) -> RegionName | Answer:
    """A buyer's home in a sale, or the problem with what is claimed."""
    if claim is not None and claim not in terms.regions:
        return problems.invalid([("home", f"is one of the sale's regions: {', '.join(terms.regions)}")])
    return terms.central_region or claim or home_region(buyer, terms.regions)


def route(
    settings: RoutingSettings,
    region: RegionName,
    sale: Sale,
    home: RegionName,
    was_routed: bool,
    is_up: Callable[[RegionName], bool],
) -> Elsewhere | Answer | None:
    """Where a purchase is served: elsewhere, or nowhere now, or (None) here."""
    method = sale.terms.method
    if home == region:
        return None
    if was_routed:
        return None if method == "ordered" else problems.not_home(region, home)
    has_peer = home in settings.peers
    if method == "central" and not has_peer:
        return problems.central_unreachable(region, home)
    if has_peer and is_up(home) and home not in sale.standing.cut_offs:
        return Elsewhere(home, settings.policy == "redirect")
    if method == "ordered" or (method == "sharded" and settings.take_over):
        return None
    return problems.home_unavailable(home, has_peer)


def route_lookup(
    settings: RoutingSettings, region: RegionName, sale: Sale, purchase: str, was_routed: bool
) -> Elsewhere | None:
    """Where a purchase is looked up that was made elsewhere, as its id says; None: here."""
    made_in = purchase.rpartition(".")[0]
    if was_routed or made_in == region or made_in not in sale.terms.regions or made_in not in settings.peers:
        return None
    if not (settings.policy != "serve" or sale.terms.method == "central"):
        return None
    return Elsewhere(made_in, settings.policy == "redirect")
