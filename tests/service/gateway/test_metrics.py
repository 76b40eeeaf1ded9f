"""What monitoring hears of a real gateway: every metric, and numbers that follow what was done."""

import subprocess

from prometheus_client.parser import text_string_to_metric_families

from service.arbiter.metrics import families as arbiter_families
from service.gateway.counts import COUNTED, REASONS, Counts
from service.gateway.metrics import families
from service.world.world import ARBITER, World
from tests.ops.test_rules import tool
from tests.patience import until
from tests.service.caller import Gateway
from tests.service.sales import Sales, fresh

Samples = dict[tuple[str, str], float]
ABSENT = {"firstcome_sale_halted", "firstcome_sale_cut_off"}
"""Told only where there is such a sale; other tests have some."""
ABSENT_AT_THE_ARBITER = {
    "firstcome_arbiter_clock_contradictions",
    "firstcome_arbiter_clock_contradiction_age_seconds",
}


def scrape(gateway: Gateway, path: str = "/metrics") -> str:
    answer = gateway.call("GET", path)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.body.decode()


def samples(text: str, label: str) -> Samples:
    """Series by name and one of their labels."""
    return {
        (sample.name, sample.labels.get(label, "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_metric_is_told(here: Gateway, sales: Sales) -> None:
    told = {family.name for family in text_string_to_metric_families(scrape(here)) if family.samples}
    assert set(families()) - ABSENT <= told <= set(families())


def test_the_arbiter_tells_every_metric(small_world: World, sales: Sales) -> None:
    arbiter = Gateway(small_world.watched[ARBITER], "")
    told = {family.name for family in text_string_to_metric_families(scrape(arbiter)) if family.samples}
    assert told == set(arbiter_families()) - ABSENT_AT_THE_ARBITER
    assert arbiter.call("GET", "/readyz").json == {
        "clock": "ok",
        "store": "ok",
        "region here": "ok",
        "region there": "ok",
    }


def test_names_and_units_follow_the_conventions(here: Gateway, small_world: World, sales: Sales) -> None:
    for text in (scrape(here), scrape(Gateway(small_world.watched[ARBITER], ""))):
        checked = subprocess.run(
            [tool("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stderr


def test_purchases_are_counted_once_each_by_what_became_of_them(here: Gateway, sales: Sales) -> None:
    def counted() -> tuple[Samples, Samples]:
        text = scrape(here)
        return samples(text, "outcome"), samples(text, "reason")

    outcomes, reasons = counted()
    buyer = fresh()
    for _ in range(3):
        assert here.buy(sales.open, buyer).status in {200, 202}
    batch = {"purchases": [{"buyer": fresh()}, {"buyer": buyer}, {"buyer": "not an id!"}]}
    assert here.call("POST", f"/v1/sales/{sales.open}/purchases:batch", batch).status == 200
    assert here.buy(sales.sharp, fresh()).problem == "clock_unsafe"
    assert here.buy(sales.sold_out, fresh()).problem == "sold_out"
    outcomes_after, reasons_after = counted()

    def rise(outcome: str) -> float:
        key = ("firstcome_purchases_total", outcome)
        return outcomes_after[key] - outcomes[key]

    assert (rise("logged"), rise("known"), rise("refused")) == (2, 3, 3)
    for reason in ("clock_unsafe", "sold_out", "invalid"):
        key = ("firstcome_refusals_total", reason)
        assert reasons_after[key] - reasons[key] == 1, reason
    stamped = ("firstcome_stamp_bound_seconds_count", "")
    assert outcomes_after[stamped] > outcomes[stamped]


def test_the_least_skew_bound_is_that_of_sales_to_come_or_open(here: Gateway, sales: Sales) -> None:
    told = samples(scrape(here), "sale")
    assert told["firstcome_skew_bound_seconds", ""] == 1e-6
    assert told["firstcome_sale_skew_bound_seconds", sales.sharp] == 1e-6
    assert told["firstcome_sale_skew_bound_seconds", sales.early] == 0.05
    assert ("firstcome_sale_skew_bound_seconds", sales.closed) not in told


def test_every_reason_a_purchase_can_be_refused_for_is_listed() -> None:
    counts = Counts()
    for number, reason in enumerate(REASONS):
        counts.refused[reason] = number
    counts.logged, counts.known = 5, 6
    counts.kernel_waits.add(1000)
    assert len(counts.values) == len(COUNTED)
    again = Counts()
    again.go_on_from(counts.values)
    assert again.values == counts.values


def test_who_is_not_ready_says_so_as_a_problem(small_world: World, here: Gateway, sales: Sales) -> None:
    """Each part by name, and what is wrong in words."""
    page = small_world.page("here")
    hidden = page.with_name("hidden")
    page.rename(hidden)
    try:
        answer = until(lambda: (found := here.call("GET", "/readyz")).status == 503 and found)
        assert answer.problem == "not_ready"
        assert (answer.json["clock"], answer.json["store"]) == ("no safe clock: missing", "ok")
        assert "missing" in answer.json["detail"]
    finally:
        hidden.rename(page)
    until(lambda: here.call("GET", "/readyz").status == 200)
