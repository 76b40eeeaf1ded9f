"""What is printed, written and drawn of what was found."""

import io
import json
import struct
from pathlib import Path

from rich.console import Console

from service.bench.catalogue import BENCHMARKS
from service.bench.frame import Benchmark, Effort, Found, Line, Plot, figure
from service.bench.machine import this_machine
from service.bench.plots import draw
from service.bench.report import as_json, print_found, print_machine

FOUND = Found(
    [figure("rate", [1234.5, 2000.0, 1500.0], "/s", "≥ 1,000"), figure("p99", [0.0123], "ms")],
    notes=["load by hand"],
    plots=[Plot("growth", "Growth", "requests", "µs", [Line("fold", [1e3, 1e6], [1.0, 1.1])], logarithmic_x=True)],
    wrong=["something was lost"],
)
BENCHMARK = Benchmark("example", "What does it cost?", lambda _: FOUND)


def said(width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_machine(this_machine(), console)
    print_found(BENCHMARK, BENCHMARK.measure(Effort(1, 1.0)), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_median_spread_goal_and_the_machine() -> None:
    text = said()
    for word in ("commit ", "Python 3.", "What does it cost?", "1,500", "1,234", "2,000", "≥ 1,000", "0.0123"):
        assert word in text
    assert "load by hand" in text
    assert "WRONG: something was lost" in text


def test_the_file_has_all_of_it() -> None:
    written = json.loads(json.dumps(as_json(this_machine(), {"example": FOUND})))
    assert written["format"] == "firstcome-bench/1"
    assert written["machine"]["cores"] >= 1
    example = written["benchmarks"]["example"]
    assert example["figures"][0]["median"] == 1500.0
    assert example["plots"][0]["lines"][0] == ["fold", [1e3, 1e6], [1.0, 1.1]]


def test_plots_are_pictures(tmp_path: Path) -> None:
    (picture,) = draw(FOUND.plots, tmp_path / "plots")
    data = picture.read_bytes()
    assert picture.name == "growth.png"
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    assert width > height > 100


def test_names_are_told_apart() -> None:
    names = [benchmark.name for benchmark in BENCHMARKS]
    assert len(set(names)) == len(names)
    assert all(benchmark.asks.endswith("?") for benchmark in BENCHMARKS)
