"""Every problem that a gateway answers with, in one place, each with what to do about it."""

from collections.abc import Iterable

from model.vocabulary import NANOSECONDS_IN_SECOND
from service.gateway.answers import Answer, problem


def _retry_after(seconds: int) -> tuple[tuple[str, str], ...]:
    return (("retry-after", str(seconds)),)


def bad_request(detail: str) -> Answer:
    """Not HTTP as it should be; the connection ends, since nobody knows where the next request would begin."""
    return problem("bad_request", 400, "Bad request", detail, close=True)


def pipelined() -> Answer:
    return problem(
        "pipelined",
        400,
        "Pipelined request",
        "Wait for each answer before the next request: only then is the time of its arrival known.",
        close=True,
    )


def length_required() -> Answer:
    return problem("length_required", 411, "Length required", "Send the body whole, with Content-Length.", close=True)


def request_timeout() -> Answer:
    return problem(
        "request_timeout", 408, "Request timeout", "The request did not come whole in time. Send it again.", close=True
    )


def too_large(limit_bytes: int) -> Answer:
    return problem("too_large", 413, "Body too large", f"Send a body of at most {limit_bytes} bytes.", close=True)


def too_many(most: int) -> Answer:
    return problem("too_many_purchases", 413, "Too many purchases", f"Send at most {most} purchases in a batch.")


def headers_too_large(limit_bytes: int) -> Answer:
    return problem(
        "headers_too_large", 431, "Headers too large", f"Send at most {limit_bytes} bytes of headers.", close=True
    )


def unauthorized() -> Answer:
    return problem(
        "unauthorized",
        401,
        "No valid token",
        "Send `Authorization: Bearer <token>` with a token that this region knows.",
        (("www-authenticate", "Bearer"),),
    )


def forbidden(scope: str) -> Answer:
    return problem("forbidden", 403, "Token without that scope", f"Use a token with the scope {scope}.")


def invalid(errors: Iterable[tuple[str, str]]) -> Answer:
    """A body or parameter that breaks a rule; each error names the field."""
    listed = [{"field": field, "rule": rule} for field, rule in errors]
    detail = "; ".join(f"{error['field']}: {error['rule']}" if error["field"] else error["rule"] for error in listed)
    return problem("invalid", 422, "Invalid request", detail, extra={"errors": listed})


def below_reserve(reserve_price: int, currency: str) -> Answer:
    return problem(
        "below_reserve",
        422,
        "Below the reserve",
        f"Bid at least {reserve_price}, in minor units of {currency}; nothing was logged.",
        extra={"reserve_price": reserve_price, "currency": currency},
    )


def wrong_currency(currency: str) -> Answer:
    return problem(
        "wrong_currency",
        422,
        "Another currency",
        f"This auction is in {currency}: bid in its minor units. Nothing was logged.",
        extra={"currency": currency},
    )


def unknown_path() -> Answer:
    return problem("unknown_path", 404, "No such resource", "See /docs for what there is.")


def method_not_allowed(allowed: str) -> Answer:
    return problem("method_not_allowed", 405, "Method not allowed", f"Use {allowed} here.", (("allow", allowed),))


def unknown_sale(sale: str) -> Answer:
    return problem(
        "unknown_sale", 404, "Unknown sale", f"No sale {sale} is known in this region. GET /v1/sales lists them."
    )


def not_sold_here(region: str, regions: Iterable[str]) -> Answer:
    return problem(
        "not_sold_here",
        404,
        "Not sold in this region",
        f"Region {region} is not in this sale; go to: {', '.join(regions)}.",
    )


def unknown_purchase(purchase: str, region: str) -> Answer:
    home = purchase.rpartition(".")[0]
    elsewhere = f" It was made in region {home}: ask there." if home not in ("", region) else ""
    return problem("unknown_purchase", 404, "Unknown purchase", f"No purchase {purchase} is logged here.{elsewhere}")


def too_early(entries_from: str, wait_ns: int) -> Answer:
    seconds = max(1, -(-wait_ns // NANOSECONDS_IN_SECOND))
    return problem(
        "too_early",
        409,
        "Too early",
        f"Entries are taken from {entries_from}.",
        _retry_after(seconds),
        {"entries_from": entries_from},
    )


def too_late(closes: str) -> Answer:
    return problem("too_late", 410, "Too late", f"The sale closed at {closes}.", extra={"closes": closes})


def sold_out(decision: int | None) -> Answer:
    extra = {} if decision is None else {"decision": decision}
    return problem("sold_out", 409, "Sold out", "The last unit is gone; nobody who comes now can win.", extra=extra)


def list_full() -> Answer:
    return problem(
        "list_full",
        409,
        "List full",
        "Every unit of this reservation is held or sold, and every place to wait for one is taken.",
    )


def not_held(state: str, reason: str | None = None) -> Answer:
    """There is nothing to confirm or to give back."""
    told = {"state": state, **({} if reason is None else {"reason": reason})}
    what = state if reason is None else f"{state} ({reason})"
    return problem(
        "not_held",
        409,
        "No unit is held",
        f"This purchase is {what}. Only a unit that is held, and of which nothing was said yet, can be confirmed "
        "or given back.",
        extra=told,
    )


def not_a_reservation() -> Answer:
    return problem(
        "not_held",
        409,
        "No unit is held",
        "This sale is no reservation: whoever wins has a unit at once, and nothing is to be confirmed.",
    )


def hold_expired(until: str) -> Answer:
    return problem(
        "hold_expired",
        409,
        "Hold expired",
        f"The unit was held until {until}, and this came too late, or too close to it to be sure. Nothing is sold: "
        "whoever has paid is to be refunded.",
        extra={"until": until},
    )


def not_yours() -> Answer:
    return problem("not_yours", 403, "Another buyer's", "This purchase is another buyer's. Nothing was done.")


def restocking() -> Answer:
    """Nothing was logged."""
    return problem(
        "restocking",
        503,
        "Restocking",
        "No unit is free in this region just now; more may come from where fewer are asked for. Try again.",
        _retry_after(1),
    )


def share_sold_out(region: str) -> Answer:
    return problem(
        "share_sold_out",
        409,
        "Share sold out",
        f"Region {region} has sold its share of a sale whose units stay where they are. Others may have some left.",
    )


def stock_lost() -> Answer:
    return problem(
        "stock_lost",
        503,
        "Stock lost",
        "This region's store has lost what it had to sell. Nothing is sold here, and nothing is set up anew: the "
        "operator is told. Who has bought already finds it by calling again.",
    )


def cancelled(reason: str) -> Answer:
    return problem(
        "sale_cancelled", 409, "Sale cancelled", f"The operator stopped this sale: {reason}", extra={"reason": reason}
    )


def halted() -> Answer:
    return problem(
        "sale_halted",
        409,
        "Sale halted",
        "The sale was stopped because its logs contradict themselves; the decision log says how. Nothing is guessed.",
    )


def already_decided(sale: str) -> Answer:
    return problem(
        "already_decided", 409, "Already decided", f"Sale {sale} has its result; nothing can be stopped in it."
    )


def region_unreachable(region: str, is_begun: bool) -> Answer:
    """A region cannot be fenced out while nobody knows what it sells."""
    done = (
        "Its stop was sent and may have reached it; it is out once its log was read to its end."
        if is_begun
        else "Nothing was done: the region keeps its share."
    )
    return problem(
        "region_unreachable",
        503,
        "Region cannot be reached",
        f"The store of region {region} cannot be reached, so it may still be selling. {done} Repeat the call.",
        extra={"region": region},
    )


def beacon_not_awaited(sale: str) -> Answer:
    return problem(
        "beacon_not_awaited",
        409,
        "No beacon is awaited",
        f"Sale {sale} waits for no beacon's value: its terms name none, entries may still come, or it is decided.",
    )


def beacon_forged() -> Answer:
    return problem(
        "beacon_forged",
        422,
        "Not the beacon's value",
        "The chain that the terms name has not signed this for the round that they name. Nothing was done.",
    )


def region_cut_off(region: str) -> Answer:
    return problem(
        "region_cut_off",
        503,
        "Region cut off",
        f"Region {region} was silent for too long, or was taken out by an operator, and is out of this sale. Another "
        "region may still take entries.",
    )


def region_isolated(region: str) -> Answer:
    return problem(
        "region_isolated",
        503,
        "Region isolated",
        f"Region {region} has not heard from the arbiter for so long that it may be cut off: what is logged now might "
        "not count, so nothing is. Try again, or another region.",
        _retry_after(1),
    )


def not_home(region: str, home: str) -> Answer:
    return problem(
        "not_home",
        421,
        "Not the buyer's home",
        f"This was sent to region {region} by another one, and the buyer's home is {home}. Routes are not set up "
        f"alike: tell the operator, and call {home} yourself.",
        extra={"home": home},
    )


def home_unavailable(home: str, has_peer: bool) -> Answer:
    why = f"cannot be reached from here{'' if has_peer else f' (no --peer {home}=URL is set)'}"
    return problem(
        "home_unavailable",
        503,
        "Home region unavailable",
        f"The buyer's home is region {home}, which {why}. Nobody else sells to its buyers, so that none gets two "
        "units. Try again.",
        _retry_after(1),
        {"home": home},
    )


def central_unreachable(region: str, central: str) -> Answer:
    return problem(
        "central_unreachable",
        503,
        "Central region unreachable",
        f"All units of this sale are in region {central}. The gateways of {region} were started without "
        f"--peer {central}=URL: call {central} itself, or tell the operator.",
        extra={"home": central},
    )


def redirected(location: str) -> Answer:
    """Not a problem: the caller is to make the same call elsewhere."""
    return Answer(307, b"", (("location", location),))


def clock_unsafe(why: str) -> Answer:
    return problem(
        "clock_unsafe",
        503,
        "No safe clock",
        f"This host cannot say when the request came ({why}), so it is not taken. Try again, or another region.",
        _retry_after(1),
    )


def overloaded() -> Answer:
    return problem(
        "overloaded",
        503,
        "Overloaded",
        "More comes than can be logged in the time that the sale allows, so this request is not taken. Try again.",
        _retry_after(1),
    )


def store_gone() -> Answer:
    return problem(
        "outcome_unknown",
        503,
        "Outcome unknown",
        "The store did not answer: the request may have been logged or not. Send it again; the answer will tell.",
        _retry_after(1),
    )


def arbiter_gone(detail: str) -> Answer:
    """What was asked of the arbiter is not known to be done; the detail says whether it still may be."""
    return problem("arbiter_unreachable", 503, "Arbiter unreachable", detail, _retry_after(5))


def repeated_with_another_body() -> Answer:
    return problem(
        "idempotency_key_reused",
        422,
        "Idempotency key reused",
        "This Idempotency-Key was used with another body. Use a new key for something else.",
    )


def not_signed(sale: str) -> Answer:
    return problem("not_signed", 404, "No receipts", f"The terms of sale {sale} name no keys: nobody signs its logs.")


def not_signed_yet() -> Answer:
    return problem(
        "not_signed_yet",
        409,
        "Not signed yet",
        "The purchase is logged, and the region has not signed that yet; it does within a second or two. Ask again.",
        _retry_after(1),
    )


def not_over(sale: str) -> Answer:
    return problem(
        "sale_not_over",
        409,
        "Sale not over",
        f"Sale {sale} has no bundle before its last decision: the seed is secret until then. Ask again.",
        _retry_after(1),
    )


def not_sealed(why: str) -> Answer:
    """The sale is over, and its bundle is not whole yet; the detail says what is missing. Ask again."""
    return problem("sale_not_sealed", 409, "Sale not sealed", why, _retry_after(5))


def ledger_elsewhere() -> Answer:
    return problem(
        "ledger_elsewhere",
        503,
        "Ledger elsewhere",
        "This region's gateways may not read the arbiter's store. Ask the operator for the bundle: `firstcome export`.",
    )


def not_ready(parts: dict[str, str]) -> Answer:
    """What a purchase needs, each by name: "ok", or what is wrong."""
    missing = "; ".join(f"{name}: {state}" for name, state in parts.items() if state != "ok")
    detail = f"Purchases are refused or not decided. {missing}."
    return problem("not_ready", 503, "Not ready", detail, _retry_after(1), parts)


def internal() -> Answer:
    return problem(
        "internal", 500, "Internal error", "Something is wrong with this gateway; its log says what.", close=True
    )


def unknown_webhook(webhook: str) -> Answer:
    return problem(
        "unknown_webhook", 404, "Unknown webhook", f"You have no webhook {webhook:.100}. GET /v1/webhooks lists yours."
    )


def too_many_webhooks(most: int) -> Answer:
    return problem(
        "too_many_webhooks", 409, "Too many webhooks", f"There may be {most} of one name. Delete one that nobody needs."
    )


def unknown_dead_letter(sale: str, number: int) -> Answer:
    return problem(
        "unknown_dead_letter",
        404,
        "Unknown dead letter",
        f"Message {number} of sale {sale:.100} is no dead letter of this webhook. Nothing is sent again.",
    )


def too_many_followers() -> Answer:
    return problem(
        "too_many_followers",
        503,
        "Too many followers",
        "This gateway has no room for another event stream. Try again, another gateway too, or ask for your purchase.",
        _retry_after(5),
    )
