"""Dashboards: what they ask for is exported and well formed, and Grafana can lay them out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.docs.metrics_page import exported_names
from tests.ops.test_rules import OPS, metrics_in, run, tool

BOARDS = sorted((OPS / "dashboards").glob("*.json"))
WIDTH = 24
"""Grafana's columns."""


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def expressions(board: dict[str, Any]) -> list[str]:
    """Every expression of a dashboard, its variables filled in."""
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return [expression.replace("$region", ".*").replace("$instance", ".*") for expression in asked]


def test_there_is_one_for_clocks_sales_and_the_arbiter() -> None:
    assert [path.stem for path in BOARDS] == ["arbiter", "clocks", "sales"]
    assert len({read(path)["uid"] for path in BOARDS}) == 3


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_what_it_asks_for_is_exported(path: Path) -> None:
    board = read(path)
    for expression in expressions(board):
        named = metrics_in(expression)
        assert named, expression
        assert named <= exported_names(), (expression, named - exported_names())
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            assert metrics_in(variable["query"]["query"].partition("(")[2].partition(",")[0]) <= exported_names()


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_its_expressions_are_promql(path: Path, tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(expressions(read(path)))]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": path.stem, "rules": rules}]}))
    run(tool("promtool"), "check", "rules", tmp_path / "rules.yml")


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_its_panels_lie_beside_each_other_and_say_what_they_show(path: Path) -> None:
    panels = read(path)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDTH
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert all(target["legendFormat"] for target in panel["targets"])


def test_every_metric_is_shown_or_alerted_on_but_few() -> None:
    """What nobody looks at need not be exported; these are for looking closer."""
    from tests.ops.test_rules import rules  # noqa: PLC0415

    looked_at = {name for path in BOARDS for expression in expressions(read(path)) for name in metrics_in(expression)}
    looked_at |= {name for rule in rules() for name in metrics_in(rule["expr"])}
    families = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in exported_names()}
    seen = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in looked_at}
    assert len(families - seen) <= 20, sorted(families - seen)
