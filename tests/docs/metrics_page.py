"""Makes `docs/ops/metrics.md` from the code: every metric that is exported, with kind, labels and meaning.

Run: python -m tests.docs.metrics_page docs/ops/metrics.md
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import clockd.metrics
import service.arbiter.metrics
import service.gateway.metrics
import service.notify.metrics

SECTIONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "clockd": ("`clockd run --metrics HOST:PORT`, one on each host.", clockd.metrics.families()),
    "Gateways": (
        "`GET /metrics` on the public port: one answer for all processes that share it.",
        service.gateway.metrics.families(),
    ),
    "Arbiter": ("`firstcome arbiter --metrics HOST:PORT`.", service.arbiter.metrics.families()),
    "Notifier": ("`firstcome notifier --metrics HOST:PORT`.", service.notify.metrics.families()),
}
_HEAD = """# Every metric

Made from the code by `make docs`; a test compares. Names and units follow Prometheus' conventions: seconds, ratios,
`_total` for what only grows. Times by a host's own clock are true to that host's bound.
"""


def exported_names() -> set[str]:
    """Every series name that rules and dashboards may use."""
    names = {"up"}
    for _, families in SECTIONS.values():
        for name, family in families.items():
            names |= set(_series(name, family))
    return names


def _series(name: str, family: Any) -> Iterable[str]:
    match family.type:
        case "counter":
            return [f"{name}_total"]
        case "histogram":
            return [f"{name}_bucket", f"{name}_sum", f"{name}_count"]
        case _:
            return [name]


def page() -> str:
    """The page."""
    lines = [_HEAD]
    for title, (where, families) in SECTIONS.items():
        lines += [f"\n## {title}\n\n{where}\n", "| metric | kind | labels | meaning |", "|---|---|---|---|"]
        for name, family in families.items():
            shown = name if family.type in {"histogram"} else next(iter(_series(name, family)))
            labels = ", ".join(family._labelnames)  # the library keeps them to itself
            lines.append(f"| `{shown}` | {family.type} | {labels} | {family.documentation} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page())
