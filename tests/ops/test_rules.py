"""Alert rules: what they name is exported, each has a page and its three tests, and the tests hold."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.metrics_page import exported_names, page

OPS = Path(__file__).parents[2] / "ops"
RUNBOOKS = Path(__file__).parents[2] / "docs" / "ops" / "runbooks"
FILES = sorted((OPS / "rules").glob("*.yml"))
SECTIONS = ("What it means", "What buyers notice", "What to check", "What to do", "How to know that it is over")
_NOT_METRICS = re.compile(r'"[^"]*"|\[[^\]]*\]|\b(?:by|on|ignoring|group_left|group_right|without)\s*\([^)]*\)')
_NAME = re.compile(r"\b[a-z_][a-z0-9_]*\b(?!\s*\()")
_WORDS = {"and", "or", "unless", "bool", "offset", "by", "on", "group_left", "le", "vector", "e"}


def tool(name: str) -> str:
    """A program of Debian's packages; skips where there is none, except in CI."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path) -> str:
    """A program that must succeed; its output."""
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def metrics_in(expression: str) -> set[str]:
    """The names of metrics in a PromQL expression."""
    bare = re.sub(r"\{[^}]*\}", "", _NOT_METRICS.sub(" ", expression))
    return set(_NAME.findall(bare)) - _WORDS


def rules() -> list[dict[str, Any]]:
    """Every rule of every file."""
    return [rule for path in FILES for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def test_what_rules_name_is_exported() -> None:
    for rule in rules():
        named = metrics_in(rule["expr"])
        assert named, rule["alert"]
        assert named <= exported_names(), (rule["alert"], named - exported_names())


def test_an_unknown_metric_would_be_found() -> None:
    expression = 'sum by (region) (rate(firstcome_purchases_total{outcome="x"}[1m])) > 0.5 * firstcome_nonsense'
    assert metrics_in(expression) - exported_names() == {"firstcome_nonsense"}


def test_the_page_of_metrics_is_what_the_code_exports() -> None:
    assert (RUNBOOKS.parent / "metrics.md").read_text() == page(), "run make docs"


def test_every_rule_says_what_ops_need() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"warning", "page"}, rule["alert"]
        assert rule["labels"]["fault"], rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}, rule["alert"]
        assert rule["annotations"]["runbook"] == f"docs/ops/runbooks/{rule['alert']}.md"


def test_every_rule_has_its_page_and_no_page_is_left_over() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {rule["alert"] for rule in rules()} | {"README"}
    for path in RUNBOOKS.glob("[A-Z][a-z]*.md"):
        text = path.read_text()
        headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert tuple(headings) == SECTIONS, path.name
        assert text.startswith(f"# {path.stem}\n"), path.name
        sections = re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]
        assert all(len(section.split()) >= 3 for section in sections), path.name


def test_what_pages_name_is_there() -> None:
    """Metrics, and links to other pages."""
    for path in [*RUNBOOKS.glob("*.md"), *RUNBOOKS.parent.glob("*.md")]:
        text = path.read_text()
        for name in re.findall(r"`((?:firstcome|clockd)_[a-z_]+)(?:\{[^`]*)?`", text):
            assert {name, f"{name}_bucket"} & exported_names(), f"{path.name} names {name}"
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_rule_is_tested_quiet_firing_and_over() -> None:
    looked_at: dict[str, list[int]] = {}
    for path in (OPS / "rules" / "tests").glob("*.yml"):
        for case in yaml.safe_load(path.read_text())["tests"]:
            for look in case["promql_expr_test"]:
                alert = re.search(r'alertname="(\w+)"', look["expr"])
                assert alert is not None
                assert case["name"].startswith(alert[1] + ":")
                looked_at.setdefault(alert[1], []).append(look["exp_samples"][0]["value"])
    assert looked_at == {rule["alert"]: [0, 1, 0] for rule in rules()}


def test_the_rules_pass_their_tests() -> None:
    promtool = tool("promtool")
    run(promtool, "check", "rules", *FILES)
    run(promtool, "test", "rules", *sorted((OPS / "rules" / "tests").glob("*.yml")))


def test_the_examples_of_configuration_are_well_formed() -> None:
    run(tool("promtool"), "check", "config", "--syntax-only", OPS / "prometheus.yml")
    run(tool("amtool"), "check-config", OPS / "alertmanager.yml")


def test_inhibition_names_alerts_that_exist() -> None:
    known = {rule["alert"] for rule in rules()}
    for inhibition in yaml.safe_load((OPS / "alertmanager.yml").read_text())["inhibit_rules"]:
        for matcher in (*inhibition["source_matchers"], *inhibition["target_matchers"]):
            name, operator, value = re.fullmatch(r'(\w+)(=~|=)"([^"]+)"', matcher).groups()
            if name != "alertname":
                continue
            patterns = value.split("|") if operator == "=~" else [value]
            for pattern in patterns:
                assert any(re.fullmatch(pattern, alert) for alert in known), pattern
