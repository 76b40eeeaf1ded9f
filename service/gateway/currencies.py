"""Which currencies there are: ISO 4217, asked when an auction is published. The model knows only how a code looks.

The list is the standard's own (`iso4217` carries it, with the date of its edition as the version), so it has the number
of decimals of each currency too, and no code that was withdrawn, as lists made for showing old amounts have. A bid is
in minor units, so what has none (gold, drawing rights, the code for testing) is no currency to bid in.

Reading the list takes a tenth of a second, so it is read when first asked for, and not in a loop.
"""

import functools
from collections.abc import Mapping


@functools.cache
def _decimals() -> Mapping[str, int]:
    """Of each currency that has minor units, by code: 2 where they are hundredths."""
    from iso4217 import Currency  # noqa: PLC0415  (see above)

    return {currency.code: currency.exponent for currency in Currency if currency.exponent is not None}


def why_no_currency(code: str) -> str | None:
    """Why nobody can bid in it; None where they can."""
    if code in _decimals():
        return None
    return f"is the ISO 4217 code of a currency in use that has minor units, and {code} is none"
