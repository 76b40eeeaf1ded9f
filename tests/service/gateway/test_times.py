"""Stated times against the zone database: what is refused and what is said, and that instants stay what they are.

The database of these tests is the one of this machine, but for tests that make another one: what a parliament decides
next year.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import whenever
from hypothesis import given, settings
from hypothesis import strategies as st
from whenever import Instant, OffsetDateTime, ZonedDateTime

from model.stated import instant_ns
from service.gateway import times
from service.gateway.times import ZoneError, in_zone, told_in_zone, utc, why_not, zone_name
from service.world.ports import free_port
from service.world.world import World
from tests.patience import until
from tests.search import many
from tests.service.caller import Gateway
from tests.service.processes import Program
from tests.service.sales import Sales, fresh, publish, terms

ZONES = sorted(whenever.available_timezones() - {"Factory"})

GOOD = {
    "an offset": "2027-11-27T20:00:00+08:00",
    "an offset and its zone": "2027-11-27T20:00:00+08:00[Asia/Shanghai]",
    "UTC": "2027-11-27T12:00:00Z",
    "UTC, and a zone": "2027-11-27T12:00:00Z[Asia/Shanghai]",
    "UTC in an hour that the zone has twice": "2027-10-31T00:30:00Z[Europe/Berlin]",
    "an offset that is not told": "2027-11-27T12:00:00-00:00[Asia/Shanghai]",
    "a zone in lower case": "2027-11-27T20:00:00+08:00[asia/shanghai]",
    "nanoseconds": "2027-11-27T20:00:00.123456789+08:00[Asia/Shanghai]",
    "a zone of half hours": "2027-11-27T20:00:00+05:30[Asia/Kolkata]",
    "a zone of quarters": "2027-11-27T20:00:00+05:45[Asia/Kathmandu]",
    "quarters and daylight saving": "2027-11-27T20:00:00+13:45[Pacific/Chatham]",
    "the first clocks of the day": "2027-11-28T00:00:00+14:00[Pacific/Kiritimati]",
    "the last clocks of the day": "2027-11-27T23:59:59-11:00[Pacific/Niue]",
    "before daylight saving": "2027-03-28T01:59:59+01:00[Europe/Berlin]",
    "the moment that it begins": "2027-03-28T03:00:00+02:00[Europe/Berlin]",
    "before an hour that comes again": "2027-10-31T01:59:59+02:00[Europe/Berlin]",
    "after it": "2027-10-31T03:00:00+01:00[Europe/Berlin]",
    "a distant summer": "2254-07-01T12:00:00+02:00[Europe/Berlin]",
    "a leap day": "2028-02-29T12:00:00+01:00[Europe/Berlin]",
}

BAD = {
    "a skipped hour": (
        "2027-03-28T02:30:00+01:00[Europe/Berlin]",
        "skipped: clocks in Europe/Berlin go from 2027-03-28T02:00:00 straight to 2027-03-28T03:00:00",
        "2027-03-28T03:00:00+02:00[Europe/Berlin]",
    ),
    "half an hour that is skipped": (
        "2027-10-03T02:15:00+10:30[Australia/Lord_Howe]",
        "go from 2027-10-03T02:00:00 straight to 2027-10-03T02:30:00",
        "2027-10-03T02:30:00+11:00[Australia/Lord_Howe]",
    ),
    "a day that the date line took": (
        "2011-12-30T12:00:00+14:00[Pacific/Apia]",
        "go from 2011-12-30T00:00:00 straight to 2011-12-31T00:00:00",
        "2011-12-31T00:00:00+14:00[Pacific/Apia]",
    ),
    "a repeated hour": (
        "2027-10-31T02:30:00+02:00[Europe/Berlin]",
        "repeated: clocks in Europe/Berlin show 2027-10-31T02:30:00 twice, at +02:00 and again at +01:00",
        "2027-10-31T00:30:00Z[Europe/Berlin] or 2027-10-31T01:30:00Z[Europe/Berlin]",
    ),
    "a repeated hour, nothing said of which": ("2027-10-31T02:30:00[Europe/Berlin]", "twice", "T01:30:00Z"),
    "half an hour that is repeated": (
        "2027-04-04T01:45:00+11:00[Australia/Lord_Howe]",
        "+11:00 and again at +10:30",
        "",
    ),
    "a skipped hour in a distant year": ("2254-03-26T02:30:00+01:00[Europe/Berlin]", "skipped", "T03:00:00+02:00"),
    "winter's offset in summer": (
        "2027-07-01T20:00:00+01:00[Europe/Berlin]",
        "the offset of Europe/Berlin is +02:00 then, not +01:00",
        "2027-07-01T20:00:00+02:00[Europe/Berlin], or 2027-07-01T21:00:00+02:00[Europe/Berlin]",
    ),
    "quarters forgotten": ("2027-11-27T20:00:00+05:30[Asia/Kathmandu]", "is +05:45 then, not +05:30", "+05:45"),
    "the other side of the date line": ("2027-11-27T20:00:00-10:00[Pacific/Kiritimati]", "is +14:00 then", "+14:00"),
    "UTC as an offset": ("2027-11-27T20:00:00+00:00[Asia/Shanghai]", "is +08:00 then", "2027-11-28T04:00:00+08:00"),
    "a zone and no offset": (
        "2027-11-27T20:00:00[Asia/Shanghai]",
        "no offset",
        "2027-11-27T20:00:00+08:00[Asia/Shanghai]",
    ),
    "no offset": ("2027-11-27T20:00:00", "no offset", "+08:00[Asia/Shanghai]"),
    "no such zone": ("2027-11-27T20:00:00+08:00[Asia/Shangai]", "'Asia/Shangai' is no zone", "is it Asia/Shanghai?"),
    "no such place": ("2027-11-27T20:00:00+08:00[Mars/Olympus]", "'Mars/Olympus' is no zone", "Asia/Shanghai"),
    "no zone": ("2027-11-27T20:00:00+08:00[]", "'' is no zone", "Asia/Shanghai"),
    "a file of the host": ("2027-11-27T20:00:00+08:00[../../etc/passwd]", "is no zone", "Asia/Shanghai"),
    "a clock that counts leap seconds": ("2027-11-27T20:00:00+08:00[right/Asia/Shanghai]", "no zone", "Asia/Shanghai?"),
    "an offset as a zone": ("2027-11-27T20:00:00+08:00[+08:00]", "is no zone", "Asia/Shanghai"),
    "a leap second": ("2027-12-31T23:59:60Z", "leap second", "write 2027-12-31T23:59:59"),
    "a leap second far from Greenwich": ("2028-01-01T07:59:60+08:00[Asia/Shanghai]", "leap second", "07:59:59"),
    "small letters": ("2027-11-27t12:00:00z", "capitals", "2027-11-27T12:00:00Z"),
    "small letters, and a zone": ("2027-11-27t12:00:00z[Asia/Tokyo]", "capitals", "2027-11-27T12:00:00Z[Asia/Tokyo]"),
    "no leap year": ("2027-02-29T12:00:00Z", "no such day", ""),
    "midnight at the end of the day": ("2027-02-28T24:00:00Z", "no such day or hour", ""),
    "a calendar": ("2027-11-27T20:00:00+08:00[Asia/Shanghai][u-ca=chinese]", "write a time as", ""),
    "a space": ("2027-11-27 20:00:00+08:00", "write a time as", ""),
    "minutes only": ("2027-11-27T20:00+08:00", "write a time as", ""),
    "finer than nanoseconds": ("2027-11-27T20:00:00.1234567890Z", "write a time as", ""),
}


@pytest.mark.parametrize("case", GOOD)
def test_a_time_that_can_be(case: str) -> None:
    assert why_not(GOOD[case]) is None
    assert instant_ns(GOOD[case])


@pytest.mark.parametrize("case", BAD)
def test_a_time_that_cannot_be_says_why_and_what_to_write(case: str) -> None:
    stated, why, instead = BAD[case]
    said = why_not(stated)
    assert said is not None
    assert why in said
    assert instead in said


@pytest.mark.parametrize("case", BAD)
def test_what_is_said_to_be_written_instead_can_be(case: str) -> None:
    for suggested in re.findall(r"\d{4}-\S+?(?:Z|[+-]\d\d:\d\d)(?:\[\S+?\])?(?=[, ]|$)", why_not(BAD[case][0]) or ""):
        assert why_not(suggested) is None


@given(st.data())
@settings(max_examples=many(400))
def test_an_instant_survives_the_clocks_of_every_zone(data: st.DataObject) -> None:
    """Of every zone there is, near its changes too; and what `?tz=` gives can be stated, but for what comes twice."""
    zone = data.draw(st.sampled_from(ZONES))
    instant = data.draw(st.integers(10**18, 9 * 10**18))
    after = Instant.from_timestamp(instant, unit="nanosecond").to_tz(zone).next_transition()
    if after is not None and data.draw(st.booleans()):
        near = after.to_instant().timestamp(unit="nanosecond") + data.draw(st.integers(-(10**13), 10**13))
        instant = min(near, 9 * 10**18)
    shown = in_zone(instant, zone)
    assert shown.endswith(f"[{zone}]")
    assert instant_ns(shown) == instant
    said = why_not(shown)
    assert said is None or "repeated" in said
    assert why_not(f"{utc(instant)}[{zone}]") is None


@given(
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.sampled_from(["", "Z", "-00:00", "+00:00", "+01:00", "-05:30", "+14:00", "+05:45"]),
    st.sampled_from(["", *ZONES]) | st.text(max_size=20),
)
@settings(max_examples=many(400))
def test_whatever_is_stated_is_answered(local: str, offset: str, zone: str) -> None:
    """Never an error of another kind; and what passes is the instant that the zone's own clocks mean."""
    stated = local + offset + (f"[{zone}]" if zone else "")
    if why_not(stated) is None and 2001 < int(local[:4]) < 2255:
        whole = ZonedDateTime.parse_iso(stated.replace("-00:00", "Z")) if zone else OffsetDateTime.parse_iso(stated)
        assert whole.to_instant().timestamp(unit="nanosecond") == instant_ns(stated)


@given(st.text() | st.text("0123456789-:TZtz+.[]/", max_size=40))
@settings(max_examples=many(200))
def test_any_text_is_answered(text: str) -> None:
    assert why_not(text) is None or why_not(text)


@pytest.mark.parametrize("name", ["localtime", "posixrules", "Factory", "posix/UTC", "", "\0", "a" * 9_999, "İstanbul"])
def test_names_that_are_no_place(name: str) -> None:
    with pytest.raises(ZoneError, match="is no zone of the IANA database"):
        zone_name(name)


def test_numbers_of_an_answer_are_readable_in_a_zone() -> None:
    told = told_in_zone(
        {"seq": 1, "stamp_ns": "1795780800123456789", "until_ns": "1795780801000000000", "known_by": utc(10**18)},
        "Asia/Kathmandu",
    )
    assert told == {
        "seq": 1,
        "stamp_ns": "1795780800123456789",
        "until_ns": "1795780801000000000",
        "stamp": "2026-11-27T17:45:00.123456789+05:45[Asia/Kathmandu]",
        "until": "2026-11-27T17:45:01+05:45[Asia/Kathmandu]",
        "known_by": "2001-09-09T07:31:40+05:45[Asia/Kathmandu]",
    }


@pytest.fixture
def new_rules(tmp_path: Path) -> str:
    """A search path of zones in which Shanghai's clocks are Tokyo's, and Berlin's are put forward no more."""
    for name, now in (("Asia/Shanghai", "Asia/Tokyo"), ("Europe/Berlin", "Africa/Lagos")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        old = next(place for path in whenever.get_tzpath() if (place := Path(path) / now).exists())
        shutil.copy(old, tmp_path / name)
    return os.pathsep.join([str(tmp_path), *whenever.get_tzpath()])


@pytest.fixture
def ruled_anew(new_rules: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process has read them."""

    def read() -> None:
        whenever.reset_tzpath()
        whenever.clear_tzcache()
        times._zones.cache_clear()

    with monkeypatch.context() as patched:
        patched.setenv("PYTHONTZPATH", new_rules)
        read()
        yield
    read()


@pytest.mark.usefixtures("ruled_anew")
def test_an_instant_stays_when_a_zones_rule_changes() -> None:
    stated = "2027-11-27T20:00:00+08:00[Asia/Shanghai]"
    assert in_zone(instant_ns(stated), "Asia/Shanghai") == "2027-11-27T21:00:00+09:00[Asia/Shanghai]"
    assert in_zone(instant_ns(stated), "Asia/Tokyo") == "2027-11-27T21:00:00+09:00[Asia/Tokyo]"
    assert "is +09:00 then, not +08:00" in (why_not(stated) or "")
    assert why_not("2027-03-28T02:30:00+01:00[Europe/Berlin]") is None
    assert "is +01:00 then" in (why_not("2027-07-01T20:00:00+02:00[Europe/Berlin]") or "")


def test_a_published_sale_stays_where_it_is_when_a_zones_rule_changes(
    here: Gateway, small_world: World, new_rules: str, tmp_path: Path
) -> None:
    """A gateway that starts later, with the database of that day, opens it at the same instant, and says so."""
    opens, closes = "2097-11-27T20:00:00+08:00[Asia/Shanghai]", "2097-11-27T21:00:00+08:00[Asia/Shanghai]"
    sale = publish(here, terms(3600, opens=opens, closes=closes))
    before = here.call("GET", f"/v1/sales/{sale}").json
    with a_gateway(small_world, tmp_path, PYTHONTZPATH=new_rules) as later:
        after = until(lambda: (shown := later.call("GET", f"/v1/sales/{sale}")).status == 200 and shown.json)
        assert after == before
        assert after["opens"] == opens
        for zone, shown in (
            ("Asia/Shanghai", "2097-11-27T21:00:00+09:00[Asia/Shanghai]"),
            ("UTC", "2097-11-27T12:00:00+00:00[UTC]"),
        ):
            assert later.call("GET", f"/v1/sales/{sale}?tz={zone}").json["opens"] == shown
        again = later.call("POST", "/v1/sales", terms(3600, opens=opens, closes=closes))
        assert (again.status, again.problem) == (422, "invalid")
        assert {error["field"] for error in again.json["errors"]} == {"opens", "closes"}


@contextmanager
def a_gateway(world: World, folder: Path, **environment: str) -> Iterator[Gateway]:
    """One more gateway of the region `here`, on a port of its own."""
    port = free_port()
    words = [
        *("gateway", "--region", "here", "--listen", f"127.0.0.1:{port}", "--page", str(world.page("here"))),
        *("--store", world.stores["here"], "--arbiter-store", world.stores["arbiter"]),
        *("--tokens", str(world.folder / "tokens.toml")),
    ]
    with Program(folder, *words, environment=environment) as program:
        program.line_with("gateway listens")
        yield Gateway(port, world.token)


def test_daylight_saving_that_begins_between_publishing_and_opening(here: Gateway) -> None:
    """Published in winter or in summer, opened in the other: what counts is the offset at the opening."""
    for opens, closes, opens_utc in (
        ("2097-07-01T20:00:00+02:00[Europe/Berlin]", "2097-12-01T20:00:00+01:00[Europe/Berlin]", "18:00:00+00:00"),
        ("2097-12-01T20:00:00+01:00[Europe/Berlin]", "2098-07-01T20:00:00+02:00[Europe/Berlin]", "19:00:00+00:00"),
        ("2097-03-31T01:30:00+01:00[Europe/Berlin]", "2097-03-31T03:30:00+02:00[Europe/Berlin]", "00:30:00+00:00"),
    ):
        sale = publish(here, terms(3600, opens=opens, closes=closes))
        shown = here.call("GET", f"/v1/sales/{sale}?tz=UTC").json
        assert shown["opens"].removesuffix("[UTC]").endswith(opens_utc)
        back = here.call("GET", f"/v1/sales/{sale}?tz=europe/berlin").json
        assert (back["opens"], back["closes"]) == (opens, closes)


@pytest.mark.parametrize("field", ["opens", "closes", "entries_from"])
def test_terms_with_an_hour_that_is_not_there_say_so(here: Gateway, field: str) -> None:
    answer = here.call("POST", "/v1/sales", terms(3600, **{field: "2097-03-31T02:30:00+01:00[Europe/Berlin]"}, stock=0))
    assert (answer.status, answer.problem) == (422, "invalid")
    errors = {error["field"]: error["rule"] for error in answer.json["errors"]}
    assert errors.keys() == {field, "stock"}
    assert "is skipped" in errors[field]


def test_a_purchase_and_the_clock_in_the_zone_of_the_reader(here: Gateway, sales: Sales) -> None:
    bought = here.buy(sales.open, fresh(), prefer="wait=10").json
    for state, path in (("won", f"/v1/sales/{sales.open}/purchases/{bought['id']}"), ("synchronized", "/v1/clock")):
        plain = here.call("GET", path).json
        told = here.call("GET", f"{path}?tz=Asia/Kathmandu").json
        assert told["state"] == plain["state"] == state
        readable = told.get("stamp") or told["local"]
        assert readable.endswith("+05:45[Asia/Kathmandu]")
        assert told.keys() - plain.keys() <= {"stamp", "local"}
    assert instant_ns(here.call("GET", f"/v1/sales/{sales.open}/purchases/{bought['id']}?tz=UTC").json["stamp"]) == int(
        bought["stamp_ns"]
    )


@pytest.mark.parametrize("path", ["", "/v1/clock", "/{sale}", "/{sale}/purchases/x"])
def test_a_zone_that_does_not_exist(here: Gateway, sales: Sales, path: str) -> None:
    path = path if path.startswith("/v1") else "/v1/sales" + path.replace("{sale}", sales.open)
    answer = here.call("GET", f"{path}?tz=Mars/Olympus")
    assert (answer.status, answer.problem) == (422, "invalid")
    assert answer.json["errors"][0] == {
        "field": "tz",
        "rule": "'Mars/Olympus' is no zone of the IANA database: write one such as Asia/Shanghai or Europe/Berlin",
    }
