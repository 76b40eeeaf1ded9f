"""Draws the dashboards from a real Prometheus over a local world in which something breaks: to be looked at.

Grafana is in no package here, so this draws what it would: each panel where its JSON puts it, with its title, its
expressions asked of Prometheus, its unit. What it cannot show is Grafana's own taste. It also says which panels have
nothing to show, and why they may.

Run: python -m tests.ops.preview FOLDER
"""

import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl

from service.world.world import RegionPlan, World, WorldPlan
from tests.ops.faults import WIDE
from tests.ops.monitoring import Buyers, Monitoring, publish
from tests.ops.test_dashboards import BOARDS
from tests.patience import until

mpl.use("Agg")
from matplotlib import pyplot as plt

WATCHED_SECONDS = 40.0
BREAKS_AFTER_SECONDS = 20.0
UNITS = {"s": "s", "percentunit": "share", "reqps": "/s", "ops": "/s", "short": ""}
MAY_BE_EMPTY = {
    "Packets that were not taken",
    "Refusals",
    "Clocks that contradict each other",
    "Contradictions of clocks",
}


def legend(template: str, labels: dict[str, str]) -> str:
    """A series' name as Grafana makes it."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), template)


def draw(board: dict[str, Any], monitoring: Monitoring, since: float, path: Path) -> list[str]:
    """One dashboard; returns the titles of panels without data."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    figure = plt.figure(figsize=(20, rows * 0.42), facecolor="#181b1f")
    figure.suptitle(board["title"], color="white", fontsize=16, y=0.995)
    empty = []
    for panel in board["panels"]:
        at, unit = panel["gridPos"], UNITS[panel["fieldConfig"]["defaults"]["unit"]]
        room = [
            at["x"] / 24 + 0.03,
            1 - (at["y"] + at["h"]) / rows + 0.8 / rows,
            at["w"] / 24 - 0.04,
            (at["h"] - 2.6) / rows,
        ]
        axes = figure.add_axes((room[0], room[1], room[2], room[3]), facecolor="#111217")
        axes.set_title(panel["title"], color="white", fontsize=10, loc="left")
        axes.tick_params(colors="#9a9a9a", labelsize=7)
        series = [
            (legend(target["legendFormat"], labels), values)
            for target in panel["targets"]
            for labels, values in monitoring.range(
                target["expr"].replace("$region", ".*").replace("$instance", ".*"), since
            )
        ]
        if not series:
            empty.append(panel["title"])
        if panel["type"] == "stat":
            axes.axis("off")
            for number, (name, values) in enumerate(series):
                text = f"{name}\n{values[-1][1]:g} {unit}"
                axes.text((number + 0.5) / len(series), 0.4, text, color="#73bf69", fontsize=12, ha="center")
            continue
        for name, values in series:
            axes.plot([when - since for when, _ in values], [value for _, value in values], linewidth=1, label=name)
        axes.set_ylabel(unit, color="#9a9a9a", fontsize=7)
        axes.grid(color="#2c3235", linewidth=0.5)
        if series:
            axes.legend(fontsize=6, loc="upper left", ncols=3, facecolor="#181b1f", labelcolor="white", framealpha=0.6)
    figure.savefig(path, dpi=70)
    plt.close(figure)
    return empty


def main(folder: Path) -> int:
    """Three pictures. Exit status 1 where a panel that should have something to show has nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    status = 0
    plan = WorldPlan((RegionPlan("east"), RegionPlan("west", 0.004)), references=3, has_fates=True, **WIDE)
    with tempfile.TemporaryDirectory() as scratch, World(plan) as world, Monitoring(world, Path(scratch)) as monitoring:
        sale = publish(world, 20.0)
        with Buyers(world, "east", sale), Buyers(world, "west", sale):
            since = time.time()
            until(lambda: time.time() > since + BREAKS_AFTER_SECONDS)
            for number in range(3):
                world.kill(f"reference-{number}")
            until(lambda: time.time() > since + WATCHED_SECONDS)
            for path in BOARDS:
                empty = draw(json.loads(path.read_text()), monitoring, since, folder / f"{path.stem}.png")
                wrong = [title for title in empty if title not in MAY_BE_EMPTY]
                print(f"{path.stem}: {folder / path.stem}.png; nothing to show: {', '.join(empty) or 'nowhere'}")
                status |= bool(wrong)
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
