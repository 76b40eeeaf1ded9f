"""The report as a page: well formed, self-contained, safe with names that somebody else chose."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from proofs.audit import audit
from proofs.audit.page import page
from service.command.main import app
from tests.proofs.sales import a_sale
from tests.stories import a_full_sale, seal, write_bundle

ALONE = {"meta", "link", "br", "hr", "img"}


class Balanced(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_sale(120, 15).write(tmp_path_factory.mktemp("page") / "bundle")


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(bundle: Path) -> None:
    told = page(audit(bundle))
    read = Balanced()
    read.feed(told)
    assert read.open == []
    assert "<script" not in told
    assert not {name for name, _ in read.attributes} & {"href", "src", "xlink:href", "onload"}
    assert "url(" not in told
    assert "default-src 'none'" in told
    plots = re.findall(r'<svg viewBox.*?role="img".*?</svg>', told)
    assert len(plots) == 6
    for plot in plots:
        ElementTree.fromstring(plot)
        assert "aria-label=" in plot
    for words in ("Every check holds", "Size of the pot", "Clock bounds", "could have back-dated", "Never occurred"):
        assert words in told


def test_what_somebody_else_wrote_is_escaped(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", a_full_sale())
    content = (folder / "outcomes.jsonl").read_bytes()
    (folder / "outcomes.jsonl").write_bytes(content.replace(b"sold_out", b"<script>alert(1)</script>"))
    told = page(audit(seal(folder)))
    assert "<script" not in told
    assert "&lt;script&gt;" in told


def test_a_page_can_be_made_of_whatever_was_reached(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle", a_full_sale())
    for name in ("outcomes.jsonl", "decisions.jsonl", "terms.json"):
        (folder / name).write_bytes(b"\n")
        read = Balanced()
        read.feed(page(audit(seal(folder) if name != "terms.json" else folder)))
        assert read.open == []


def test_the_command_writes_page_and_report_and_ends_as_it_should(bundle: Path, tmp_path: Path) -> None:
    run = CliRunner()
    out = tmp_path / "page.html"
    good = run.invoke(app, ["audit", str(bundle), "--html", str(out), "--json"])
    assert good.exit_code == 0
    assert "</html>" in out.read_text()
    fields = json.loads(good.stdout)
    assert fields["ok"]
    assert fields["signed"]
    assert {share["region"] for share in fields["fairness"]["shares"]} == {"north", "south", "west"}
    assert len(fields["back_dating"]["regions"]) == 3
    strict = run.invoke(app, ["audit", str(bundle), "--travel-ns", "0"])
    assert strict.exit_code == 0
    assert "could have back-dated by" in strict.stdout
    witnessed = run.invoke(app, ["audit", str(bundle), "--witness", "w+00000000+AAAA"])
    assert witnessed.exit_code != 0
    assert run.invoke(app, ["audit"]).exit_code != 0
