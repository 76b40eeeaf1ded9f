"""Numbers that travel as text, as bytes or as doubles mean what they say: facts about writing integers down.

The store's scripts compare moments as decimals without leading zeros: the longer text is the greater number, and of
two equally long ones the later in the alphabet of digits. (Lua holds no integers, only doubles.) Tickets are 32 bytes
read as one integer. Sequence numbers are counted by Lua, in doubles.

Texts of any length are reached by induction: one digit is the base, and the step puts a digit in front of a rest, where
`unit` is what a one in front counts (10 or 256 to the power of the length of the rest), and the rest is less than that.
What is assumed of Lua and Redis is that digits of equally long texts are compared from the front by their value.
Next: `clocks.py` and `polygons.py`, whose functions round; `service/store/admit.lua` and `raise_mark.lua`.
"""

from z3 import RNE, RTZ, And, BitVec, Float64, Ints, Not, Or, fpSignedToFP, fpToSBV

from proofs.obligations import Argument, Case, Term, obligation

front, other_front, rest, other_rest, unit, other_unit = Ints("front other_front rest other_rest unit other_unit")
base, later = Ints("base later")
EXACT_DOUBLES = 2**53


def written(digit: Term, remaining: Term, one: Term) -> Term:
    """The number with this digit in front of the rest."""
    return digit * one + remaining


@obligation
def equally_long_numbers_are_ordered_by_their_first_digit_and_then_by_the_rest() -> Argument:
    """Of two equally long numbers the first digit that differs decides: texts of digits, and bytes, are in order."""
    rests = (rest >= 0, rest < unit, other_rest >= 0, other_rest < unit)
    number, other = written(front, rest, unit), written(other_front, other_rest, unit)
    before = Or(front < other_front, And(front == other_front, rest < other_rest))
    apart = (front < other_front, unit > 0)
    product = (other_front - front - 1) * unit >= 0
    return Argument(
        (
            Case("one digit", (unit == 1, *rests), before == (number < other)),
            Case("a product of what is not negative", apart, product),
            Case("the lesser digit in front", (*apart, product, *rests), number < other),
            Case("the same digit in front", (front == other_front, *rests), (number < other) == (rest < other_rest)),
            Case("the same number", (front == other_front, rest == other_rest), number == other),
        ),
        witness=(*rests, unit == 1000, front == 7, other_front == 8, rest > other_rest, number < other),
        beyond=(unit == 10, rest >= 0, rest == unit, other_rest == 0, front + 1 == other_front, Not(number < other)),
    )


@obligation
def a_longer_decimal_is_a_greater_number() -> Argument:
    """Without leading zeros the longer of two decimals is the greater number; with one it need not be."""
    longer = (unit <= other_unit, other_front >= 1, other_rest >= 0, other_unit > 0, rest < unit)
    other = written(other_front, other_rest, other_unit)
    product = (other_front - 1) * other_unit >= 0
    shorter = (unit == 10, other_unit == 100, rest == 9, other_rest == 5)
    return Argument(
        (
            Case("a product of what is not negative", (other_front >= 1, other_unit > 0), product),
            Case("a digit in front, and as long a rest", (*longer, product), rest < other),
        ),
        witness=(*longer, product, unit == 100, other_unit == 100, rest == 99, other_front == 1),
        beyond=(*shorter, other_front == 0, Not(rest < other)),
    )


@obligation
def a_number_of_so_many_bytes_is_below_one_more() -> Argument:
    """What so many digits or bytes hold is not negative and less than one with as many zeros: 32 bytes, below 2^256."""
    digit = (front >= 0, front < base, rest >= 0, rest < unit)
    number = written(front, rest, unit)
    products = (front * unit >= 0, (base - 1 - front) * unit >= 0)
    return Argument(
        (
            Case("a product of what is not negative", (*digit, unit > 0), And(*products)),
            Case("one more in front", (*digit, *products), And(number >= 0, number < base * unit)),
            Case("32 bytes", (later == 256**32,), later == 2**256),
        ),
        witness=(*digit, *products, base == 256, unit == 65536, number == 256 * 65536 - 1),
        beyond=(base == 256, unit == 65536, front == 256, rest == 0, Not(number < base * unit)),
    )


@obligation
def a_double_holds_every_integer_up_to_two_to_the_fifty_third() -> Argument:
    """A double, as Lua counts in, holds every integer from 0 to 2^53 exactly, and not the next one."""
    number = BitVec("number", 64)
    back = fpToSBV(RTZ(), fpSignedToFP(RNE(), number, Float64()), number.sort())
    counted = And(number >= 0, number <= EXACT_DOUBLES)
    return Argument(
        (Case("always", (counted,), back == number),),
        witness=(counted, number == EXACT_DOUBLES - 1),
        beyond=(number == EXACT_DOUBLES + 1, back != number),
    )
