"""What can go wrong with a call, as one tree of exceptions.

    FirstcomeError
    ├── UnreachableError            no gateway answered in time; what was asked may have been done
    ├── BadAnswerError              something answered that is no gateway of Firstcome, or of another version
    ├── ReceiptError                a receipt does not prove what it says; `findings` say why
    ├── WebhookError                a message by webhook that is not signed with a secret of yours, or is no message
    ├── UndecidedError              a wait ended before the decision; `purchase` is how it stands (a TimeoutError too)
    └── ProblemError                a gateway said no, with a problem document (RFC 9457)
        ├── RequestError            400, 405, 408, 411, 413, 431: no request as it should be
        ├── UnauthorizedError       401: no valid token
        ├── ForbiddenError          403: a token without the scope
        │   └── NotYoursError           the purchase is another buyer's
        ├── NotFoundError           404
        │   ├── UnknownSaleError
        │   ├── NotSoldHereError        the sale is not in this region
        │   ├── UnknownPurchaseError    not logged in this region
        │   └── NotSignedError          the sale's terms name no keys, so there are no receipts
        ├── ConflictError           409: not as things stand
        │   ├── TooEarlyError           entries are taken from `entries_from`
        │   ├── SoldOutError
        │   │   └── ShareSoldOutError   this region's share is; others may have some left
        │   ├── ListFullError           the waiting list of a reservation is full
        │   ├── NotHeldError            there is nothing held to confirm, or to give back
        │   ├── HoldExpiredError        it was held, for too short a time
        │   ├── SaleCancelledError
        │   ├── SaleHaltedError
        │   ├── AlreadyDecidedError     too late to stop the sale
        │   ├── SaleNotOverError        no ledger before the last decision
        │   ├── SaleNotSealedError      nor before it is sealed, moments later
        │   └── NotSignedYetError       no receipt before a region has signed its log, moments later
        ├── TooLateError            410: the sale is closed
        ├── MisroutedError          421: regions route buyers each in its own way; for the operator to mend
        ├── InvalidError            422: `errors` name fields and rules
        │   ├── BelowReserveError
        │   ├── WrongCurrencyError
        │   └── IdempotencyKeyReusedError
        ├── InternalError           500: a fault of the gateway's
        └── UnavailableError        429, 502, 503, 504: it was asked again for as long as patience lasts
            ├── OutcomeUnknownError     it may have been logged; asking again later tells
            ├── OverloadedError
            ├── ClockUnsafeError        no safe clock, so no stamp
            ├── RegionIsolatedError     the region has not heard from the arbiter
            ├── RegionCutOffError       the region is out of the sale; another may take entries
            ├── RestockingError         no unit is free here just now
            ├── StockLostError
            ├── NotReadyError
            ├── HomeUnavailableError    the buyer's home region cannot be reached
            ├── CentralUnreachableError
            ├── ArbiterUnreachableError
            └── LedgerElsewhereError    the operator exports the bundle

A problem of a type that is not listed is an error of its status's class, so new ones break nobody: catch the class
whose meaning you act on. `type` is the stable name, `detail` says what to do.
"""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

if TYPE_CHECKING:
    from firstcome.exchange import Reply
    from firstcome.records import Purchase

TYPE_PREFIX: Final = "urn:firstcome:problem:"
PROBLEM: Final = "application/problem+json"


class FirstcomeError(Exception):
    """Whatever a call of the client raises."""


class UnreachableError(FirstcomeError):
    """No gateway answered in time. What was asked may have been done; repeating it is safe."""


class BadAnswerError(FirstcomeError):
    """What answered is no gateway of Firstcome, or one whose answers this version does not read."""


class ReceiptError(FirstcomeError):
    """A receipt does not prove what it says, or is another purchase's."""

    def __init__(self, findings: Iterable[str]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(self.findings))


class WebhookError(FirstcomeError):
    """A message by webhook that is not signed with a secret of yours, or is no message."""


class UndecidedError(FirstcomeError, TimeoutError):
    """A wait ended before the decision."""

    def __init__(self, purchase: "Purchase") -> None:
        self.purchase = purchase
        super().__init__(f"purchase {purchase.id} is still {purchase.state}")


class ProblemError(FirstcomeError):
    """A problem document.

    Attributes:
        status: of HTTP.
        type: the problem's stable name, such as `sold_out`; "" where what answered said none (a proxy, say).
        title, detail: for people; `detail` says what to do.
        extra: whatever else the document states.
        retry_after_seconds: when to come again, where the gateway says so.
    """

    types: ClassVar[tuple[str, ...]] = ()
    """The names of the problems that are of this class and of no closer one."""
    statuses: ClassVar[tuple[int, ...]] = ()

    def __init__(
        self,
        status: int,
        type: str,  # noqa: A002  (RFC 9457 calls it that)
        title: str,
        detail: str,
        extra: Mapping[str, Any],
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(f"{title}: {detail}")
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.extra = extra
        self.retry_after_seconds = retry_after_seconds

    @property
    def errors(self) -> tuple[tuple[str, str], ...]:
        """Field and broken rule, for each rule that was broken."""
        listed = self.extra.get("errors", ())
        return tuple((str(error.get("field", "")), str(error.get("rule", ""))) for error in listed)

    @property
    def may_pass(self) -> bool:
        """Whether the same request, made again, may be answered otherwise soon."""
        return False


class RequestError(ProblemError):
    statuses = (400, 405, 408, 411, 413, 431)

    @property
    def may_pass(self) -> bool:
        return self.status == HTTPStatus.REQUEST_TIMEOUT


class UnauthorizedError(ProblemError):
    statuses = (401,)


class ForbiddenError(ProblemError):
    statuses = (403,)


class NotYoursError(ForbiddenError):
    types = ("not_yours",)


class NotFoundError(ProblemError):
    statuses = (404,)


class UnknownSaleError(NotFoundError):
    types = ("unknown_sale",)


class NotSoldHereError(NotFoundError):
    types = ("not_sold_here",)


class UnknownPurchaseError(NotFoundError):
    types = ("unknown_purchase",)


class NotSignedError(NotFoundError):
    types = ("not_signed",)


class ConflictError(ProblemError):
    statuses = (409,)


class TooEarlyError(ConflictError):
    types = ("too_early",)

    @property
    def entries_from(self) -> str:
        """From when entries are taken, in RFC 9557."""
        return str(self.extra.get("entries_from", ""))


class SoldOutError(ConflictError):
    types = ("sold_out",)

    @property
    def decision(self) -> int | None:
        """The index of the decision that said so, where there was one."""
        return self.extra.get("decision")


class ShareSoldOutError(SoldOutError):
    types = ("share_sold_out",)


class ListFullError(ConflictError):
    types = ("list_full",)


class NotHeldError(ConflictError):
    types = ("not_held",)


class HoldExpiredError(ConflictError):
    types = ("hold_expired",)


class SaleCancelledError(ConflictError):
    types = ("sale_cancelled",)


class SaleHaltedError(ConflictError):
    types = ("sale_halted",)


class AlreadyDecidedError(ConflictError):
    types = ("already_decided",)


class SaleNotOverError(ConflictError):
    types = ("sale_not_over",)


class _SoonError(ConflictError):
    """The answer is a matter of moments."""

    @property
    def may_pass(self) -> bool:
        return True


class SaleNotSealedError(_SoonError):
    types = ("sale_not_sealed",)


class NotSignedYetError(_SoonError):
    types = ("not_signed_yet",)


class TooLateError(ProblemError):
    statuses = (410,)
    types = ("too_late",)


class MisroutedError(ProblemError):
    statuses = (421,)


class InvalidError(ProblemError):
    statuses = (422,)
    types = ("invalid",)


class BelowReserveError(InvalidError):
    types = ("below_reserve",)


class WrongCurrencyError(InvalidError):
    types = ("wrong_currency",)


class IdempotencyKeyReusedError(InvalidError):
    types = ("idempotency_key_reused",)


class InternalError(ProblemError):
    statuses = (500,)


class UnavailableError(ProblemError):
    statuses = (429, 502, 503, 504)

    @property
    def may_pass(self) -> bool:
        """Gateways say when to come again where it helps; a proxy that has no gateway says nothing of the kind."""
        return self.retry_after_seconds is not None or self.type == ""


class OutcomeUnknownError(UnavailableError):
    types = ("outcome_unknown",)


class OverloadedError(UnavailableError):
    types = ("overloaded",)


class ClockUnsafeError(UnavailableError):
    types = ("clock_unsafe",)


class RegionIsolatedError(UnavailableError):
    types = ("region_isolated",)


class RegionCutOffError(UnavailableError):
    types = ("region_cut_off",)


class RestockingError(UnavailableError):
    types = ("restocking",)


class StockLostError(UnavailableError):
    types = ("stock_lost",)


class NotReadyError(UnavailableError):
    types = ("not_ready",)


class HomeUnavailableError(UnavailableError):
    types = ("home_unavailable",)


class CentralUnreachableError(UnavailableError):
    types = ("central_unreachable",)


class ArbiterUnreachableError(UnavailableError):
    types = ("arbiter_unreachable",)


class LedgerElsewhereError(UnavailableError):
    types = ("ledger_elsewhere",)


def _all(kind: type[ProblemError]) -> Iterable[type[ProblemError]]:
    yield kind
    for closer in kind.__subclasses__():
        yield from _all(closer)


BY_TYPE: Final = {name: kind for kind in _all(ProblemError) for name in kind.__dict__.get("types", ())}
BY_STATUS: Final = {status: kind for kind in _all(ProblemError) for status in kind.__dict__.get("statuses", ())}


def problem_of(reply: "Reply") -> ProblemError:
    """The problem that an answer states, or, where it is no problem document, what its status means."""
    retry_after = reply.headers.get("retry-after", "")
    seconds = int(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 10 else None
    if reply.headers.get("content-type", "").startswith(PROBLEM):
        try:
            return problem_from(msgspec.json.decode(reply.body, type=dict[str, Any]), reply.status, seconds)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    kind = BY_STATUS.get(reply.status, ProblemError)
    return kind(reply.status, "", f"HTTP {reply.status}", "This came without a problem document.", {}, seconds)


def problem_from(document: Mapping[str, Any], status: int, retry_after_seconds: int | None = None) -> ProblemError:
    """A problem document as the exception of its type, else of its status."""
    stated = dict(document)
    name, title, detail = (str(stated.pop(field, "")) for field in ("type", "title", "detail"))
    stated.pop("status", None)
    name = name.removeprefix(TYPE_PREFIX)
    kind = BY_TYPE.get(name) or BY_STATUS.get(status, ProblemError)
    return kind(status, name, title, detail, stated, retry_after_seconds)
