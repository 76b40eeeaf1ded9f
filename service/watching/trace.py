"""Where a call belongs, as its caller says: W3C Trace Context's `traceparent`, taken over into the log.

Who traces its calls (OpenTelemetry, or by hand) finds ours by the same trace id, under the names that OpenTelemetry
gives to fields of a log line. Only a call whose caller has chosen it to be sampled is logged at all: at purchase rates
a line for each would cost more than the purchase. Source: W3C Trace Context, sections 3.2 and 4.3.
"""

import re
from dataclasses import dataclass
from typing import Final

_FORM: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NOBODY: Final = frozenset({b"0" * 32, b"0" * 16})
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace that a call is part of. `span_id` is the caller's span."""

    trace_id: str
    span_id: str

    @property
    def fields(self) -> dict[str, str]:
        """For a log line."""
        return {"trace_id": self.trace_id, "span_id": self.span_id}


def read_traceparent(value: bytes) -> Trace | None:
    """The trace of a `traceparent` header; None where it is malformed, or not sampled."""
    found = _FORM.fullmatch(value.strip())
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    is_known = version == b"00" and rest is None
    if version == b"ff" or trace_id in _NOBODY or span_id in _NOBODY or not (is_known or version > b"00"):
        return None
    return Trace(trace_id.decode(), span_id.decode()) if int(flags, 16) & _SAMPLED else None
