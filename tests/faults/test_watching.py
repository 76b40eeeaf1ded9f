"""What ops are told when something breaks: in time, once, and nothing that is not so."""

import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from service.world.world import World
from tests.ops.faults import FAULTS, meet
from tests.patience import until
from tests.worlds import Outing, mend


def test_a_clock_that_drifts_is_told_of_before_anybody_is_refused(tmp_path: Path) -> None:
    """The real Prometheus and Alertmanager, the shipped rules, purchases all the while."""
    drift = next(fault for fault in FAULTS if fault.name == "drift")
    seen = meet(drift, tmp_path, afterwards_seconds=0)
    print(f"from the drift to the notification: {seen.notified_seconds:.1f} s; {seen.taken} purchases taken meanwhile")
    assert seen.refused_before == 0
    assert seen.first_refusal_seconds is None
    assert seen.taken > 10
    assert seen.warnings == ("ClockWanders",)
    assert seen.pages == ()


def logged(world: World, region: str) -> tuple[float, float, float]:
    """Purchases that all gateways of a region have logged, how many processes run, and how often any was started."""
    url, headers = f"http://127.0.0.1:{world.ports[region]}/metrics", {"authorization": f"Bearer {world.token}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
        found = {
            (sample.name, sample.labels.get("outcome", "")): sample.value
            for family in text_string_to_metric_families(answer.read().decode())
            for sample in family.samples
        }
    return (
        found["firstcome_purchases_total", "logged"],
        found["firstcome_gateway_processes", ""],
        found["firstcome_gateway_starts_total", ""],
    )


def test_counts_do_not_go_back_when_a_gateway_is_killed(world: World, publish: Callable[..., Outing]) -> None:
    """Whichever process answers tells what both have done, also the one that is dead, also after it came back."""
    sale = publish(skew_ms=100, grace_ms=300, stock=100)
    sale.press([(f"buyer-{number}", "north", 0.1) for number in range(40)])
    pressed = time.time()
    files = [world.folder / "counts-north" / str(number) for number in range(2)]
    # what was not written yet goes with its process
    until(lambda: min(path.stat().st_mtime for path in files) > pressed)
    before = logged(world, "north")
    assert before[0] >= 40
    assert before[1] == 2
    world.kill("gateway-north-0")
    assert [logged(world, "north")[:2] for _ in range(4)] == [(before[0], 1)] * 4
    mend(world)
    until(lambda: logged(world, "north")[1] == 2)
    assert logged(world, "north") == (before[0], 2, before[2] + 1)
    sale.call("POST", "/cancel", json={"reason": "seen enough"})
    sale.finish()
