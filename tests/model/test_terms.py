"""Terms: every rule by the field that breaks it, hostile values, and the id that nothing can change under."""

import hashlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import wire
from model.note import VerifierKey
from model.stated import Keys, TermsError, instant_ns
from model.terms import commitment, published_in_time, read_terms

PROPOSED = {
    "title": "Ten pairs of shoes",
    "stock": 10,
    "opens": "2026-11-27T20:00:00+08:00[Asia/Shanghai]",
    "closes": "2026-11-27T20:05:00+08:00[Asia/Shanghai]",
    "regions": ["beijing", "shanghai", "singapore"],
    "skew_bound_ns": "50000000",
}
DAY_NS = 24 * 3600 * 10**9


def breaches(**changes) -> list[str]:
    """The fields that these changes break, [] where the terms are good."""
    stated = {field: value for field, value in {**PROPOSED, **changes}.items() if value is not ...}
    try:
        read_terms(stated)
    except TermsError as error:
        return [breach.field for breach in error.breaches]
    return []


def test_defaults_are_filled_in_and_published() -> None:
    terms = read_terms(PROPOSED)
    assert (terms.opens_ns, terms.entries_from_ns) == (1_795_780_800 * 10**9,) * 2
    assert terms.last_stamp_ns == terms.closes_ns + 50_000_000
    assert terms.stated["tie_window_ns"] == "100000000"
    assert terms.stated["intake_grace_ns"] == "200000000"
    assert (terms.stated["kind"], terms.stated["method"]) == ("flash", "ordered")
    assert terms.seed_commitment == ""
    assert read_terms(terms.stated) == terms


def test_the_id_is_the_hash_of_the_canonical_terms() -> None:
    terms = read_terms(PROPOSED).committed(b"s" * 32)
    assert terms.seed_commitment == hashlib.sha256(b"s" * 32).hexdigest() == commitment(b"s" * 32)
    assert terms.line() == wire.canonical(terms.stated)
    assert terms.sale() == hashlib.sha256(terms.line()).hexdigest()[:32]
    assert len({read_terms({**PROPOSED, "stock": stock}).sale() for stock in range(1, 50)}) == 49
    assert read_terms(dict(reversed(PROPOSED.items()))).sale() == read_terms(PROPOSED).sale()


def key(name: str, number: int = 1) -> str:
    return str(VerifierKey(name, bytes([number]) * 32))


SIGNERS = {
    "arbiter": key("firstcome.arbiter"),
    "regions": {name: key(f"firstcome.region.{name}") for name in PROPOSED["regions"]},
}


def test_who_signs_is_part_of_the_terms() -> None:
    signers = Keys(
        VerifierKey("firstcome.arbiter", bytes([1]) * 32),
        {name: VerifierKey(f"firstcome.region.{name}", bytes([1]) * 32) for name in PROPOSED["regions"]},
    )
    terms = read_terms(PROPOSED).committed(b"s" * 32, signers)
    assert terms.keys == signers
    assert terms.stated["keys"] == SIGNERS == signers.stated()
    assert read_terms(wire.parse_canonical(terms.line())) == terms
    assert terms.sale() != read_terms(PROPOSED).committed(b"s" * 32).sale()
    assert read_terms(PROPOSED).keys is None


@pytest.mark.parametrize(
    "signers",
    [
        "key",
        {},
        {"arbiter": SIGNERS["arbiter"]},
        {**SIGNERS, "witness": SIGNERS["arbiter"]},
        {**SIGNERS, "arbiter": 7},
        {**SIGNERS, "arbiter": "firstcome.arbiter"},
        {**SIGNERS, "arbiter": key("firstcome.region.beijing")},
        {**SIGNERS, "regions": []},
        {**SIGNERS, "regions": {}},
        {**SIGNERS, "regions": {**SIGNERS["regions"], "mars": key("firstcome.region.mars")}},
        {**SIGNERS, "regions": {name: value for name, value in SIGNERS["regions"].items() if name != "beijing"}},
        {**SIGNERS, "regions": {**SIGNERS["regions"], "beijing": SIGNERS["regions"]["shanghai"]}},
        {**SIGNERS, "regions": {**SIGNERS["regions"], "beijing": None}},
        {**SIGNERS, "regions": {**SIGNERS["regions"], "beijing": SIGNERS["regions"]["beijing"][:-1]}},
    ],
)
def test_keys_that_are_not_those_of_the_sale(signers) -> None:
    assert breaches(keys=SIGNERS) == []
    assert breaches(keys=signers) == ["keys"]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("closes", {"closes": PROPOSED["opens"]}),
        ("closes", {"closes": "2026-11-27T19:59:59+08:00"}),
        ("entries_from", {"entries_from": "2026-11-27T20:00:00.000000001+08:00"}),
        ("tie_window_ns", {"tie_window_ns": "99999999"}),
        ("tie_window_ns", {"tie_window_ns": str(DAY_NS + 1)}),
        ("tie_window_ns", {"skew_bound_ns": str(DAY_NS), "intake_grace_ns": str(DAY_NS)}),
        ("intake_grace_ns", {"intake_grace_ns": "100000000"}),
        ("cut_off_after_ns", {"cut_off_after_ns": "200000000"}),
        ("cut_off_after_ns", {"cut_off_after_ns": "0"}),
        ("skew_bound_ns", {"skew_bound_ns": "-1"}),
        ("skew_bound_ns", {"skew_bound_ns": ...}),
        ("skew_bound_ns", {"skew_bound_ns": "5e7"}),
        ("skew_bound_ns", {"skew_bound_ns": " 50"}),
        ("skew_bound_ns", {"skew_bound_ns": "5_0"}),
        ("skew_bound_ns", {"skew_bound_ns": True}),
        ("skew_bound_ns", {"skew_bound_ns": 5e7}),
        ("title", {"title": ...}),
        ("title", {"title": ""}),
        ("title", {"title": "x" * 501}),
        ("title", {"title": "two\nlines"}),
        ("merchant", {"merchant": 7}),
        ("previous", {"previous": "AB" * 16}),
        ("previous", {"previous": "ab" * 15}),
        ("stock", {"stock": 0}),
        ("stock", {"stock": 10_000_001}),
        ("stock", {"stock": "10"}),
        ("stock", {"stock": True}),
        ("stock", {"stock": ...}),
        ("kind", {"kind": "raffle"}),
        ("kind", {"kind": ["flash"]}),
        ("method", {"method": "random"}),
        ("regions", {"regions": []}),
        ("regions", {"regions": "beijing"}),
        ("regions", {"regions": ["beijing", "beijing"]}),
        ("regions", {"regions": ["../etc"]}),
        ("regions", {"regions": [""]}),
        ("regions", {"regions": ["x" * 101]}),
        ("regions", {"regions": [f"r{number}" for number in range(65)]}),
        ("regions", {"regions": ["beijing", 3]}),
        ("opens", {"opens": "2026-11-27T20:00:00"}),
        ("opens", {"opens": "2026-11-27 20:00:00+08:00"}),
        ("opens", {"opens": "2026-11-31T20:00:00Z"}),
        ("opens", {"opens": "2026-11-27T20:00:60Z"}),
        ("opens", {"opens": "2026-11-27T20:00:00.1234567890Z"}),
        ("opens", {"opens": "1999-11-27T20:00:00Z"}),
        ("opens", {"opens": 1_795_780_800}),
        ("opens", {"opens": ...}),
        ("closes", {"closes": ...}),
        ("seed_commitment", {"seed_commitment": "ab" * 31}),
        ("quantity", {"quantity": 3}),
        ("7", {7: 3}),
    ],
)
def test_each_rule_names_its_field(field: str, changes) -> None:
    assert breaches() == []
    assert field in breaches(**{str(name): value for name, value in changes.items()})


def test_times_stay_where_stamps_have_nineteen_digits() -> None:
    assert breaches(closes="9999-12-31T23:59:59Z") == ["closes"]


def test_times_are_written_in_ascii() -> None:
    assert breaches(closes="2026-11-27T20:05:00.١+08:00") == ["closes"]


def test_every_breach_is_told_at_once() -> None:
    assert set(breaches(title=..., stock=0, regions=[], surprise=1)) == {"title", "stock", "regions", "surprise"}


def test_the_edges_of_the_rules_are_good() -> None:
    assert breaches(tie_window_ns="100000000", intake_grace_ns="100000001", cut_off_after_ns="100000002") == []
    assert breaches(skew_bound_ns="0", tie_window_ns="0", intake_grace_ns="1", cut_off_after_ns=2) == []
    assert breaches(entries_from="2026-11-27T19:58:00+08:00", closes="2026-11-27T20:00:00.000000001+08:00") == []
    assert breaches(stock=10_000_000, title="鞋" * 500, merchant="m", previous="ab" * 16) == []


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("2026-11-27T20:00:00+08:00[Asia/Shanghai]", 1_795_780_800_000_000_000),
        ("2026-11-27T12:00:00Z", 1_795_780_800_000_000_000),
        ("2026-11-27T12:00:00.000000001Z", 1_795_780_800_000_000_001),
        ("2026-11-27T07:00:00.5-05:00", 1_795_780_800_500_000_000),
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
    ],
)
def test_instants_are_exact(text: str, nanoseconds: int) -> None:
    assert instant_ns(text) == nanoseconds


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.binary(max_size=5)
    | st.text(st.characters(), max_size=30)
    | st.text(st.characters(categories=["Cs", "Nd"]), max_size=4)
    | st.text(string.digits + "-+:TZ.[]", max_size=30)
    | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", fullmatch=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(
    [*PROPOSED, "entries_from", "tie_window_ns", "kind", "method", "merchant", "seed_commitment", "keys", "x"]
)


@given(st.dictionaries(fields | st.text(max_size=5), anything, max_size=4))
def test_hostile_values_are_refused_or_have_a_canonical_form(changes) -> None:
    try:
        terms = read_terms({**PROPOSED, **changes})
    except TermsError:
        return
    assert read_terms(wire.parse_canonical(terms.line())) == terms
    assert terms.opens_ns < terms.closes_ns
    assert terms.entries_from_ns <= terms.opens_ns
    assert 2 * terms.skew_bound_ns <= terms.tie_window_ns
    assert 2 * terms.skew_bound_ns < terms.intake_grace_ns < terms.cut_off_after_ns


def test_terms_are_published_before_entries_are_taken() -> None:
    terms = read_terms({**PROPOSED, "entries_from": "2026-11-27T19:58:00+08:00"})
    published_in_time(terms, terms.entries_from_ns - 1)
    with pytest.raises(TermsError, match="entries_from"):
        published_in_time(terms, terms.entries_from_ns)
    with pytest.raises(TermsError, match="opens"):
        published_in_time(read_terms(PROPOSED), terms.opens_ns)
