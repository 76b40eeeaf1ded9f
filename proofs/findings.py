"""What an audit found, and how it is told: findings, the report, its forms for a terminal and for programs.

A finding names the file, the line, the condition that was false, and what was there instead. The report counts what
was read, says which kinds of record never occurred (so that "all good" is not said of what was never seen), what this
audit could not check, and what no audit can see.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

LONGEST_DETAIL: Final = 400
MOST_TOLD: Final = 20
"""As many findings are told on a terminal; a program gets all."""

WHAT_NO_AUDIT_CAN_SEE: Final = (
    "Requests that were dropped before they were logged: a region that refuses or delays somebody leaves no line.",
    "Time sources that lie alike: a stamp is as good as the clocks behind it, and a majority of them was believed.",
    "One operator who runs every region and the arbiter, with no outside witness, could have written all of this anew.",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be.

    `line` counts from 1; None where the finding is about the whole file. `file` is "" where it is about the sale as a
    whole. `rule` is the condition that was false, as a sentence; `expected` what should have been there, where that is
    one thing, and `found` what was there instead.
    """

    file: str
    line: int | None
    rule: str
    found: str = ""
    expected: str = ""

    def __str__(self) -> str:
        where = "the sale" if not self.file else self.file if self.line is None else f"{self.file}, line {self.line}"
        told = [f"expected {self.expected}"] if self.expected else []
        if self.found:
            told.append(f"found {self.found}" if self.expected else self.found)
        return f"{where}: not so: {self.rule}" + (f" ({', '.join(told)})" if told else "")


class FindingError(Exception):
    """A finding that stops whoever came upon it. `finding` is what goes into the report."""

    def __init__(self, file: str, line: int | None, rule: str, found: str = "", expected: str = "") -> None:
        self.finding = Finding(file, line, rule, shortened(found), shortened(expected))
        super().__init__(str(self.finding))


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit of one bundle came to."""

    bundle: str
    sale: str
    """"" where the bundle does not say."""
    findings: tuple[Finding, ...]
    requests: int
    winners: int
    decisions: int
    kinds: Mapping[str, int]
    """How often each kind of record and each outcome occurred; those with 0 were never put to the test."""
    not_checked: tuple[str, ...]
    alarms: tuple[str, ...] = ()
    """What somebody should look into: no lie is proved by it, and the exit status does not hang on it."""
    signed: bool = False
    """Whether the terms name keys, so that every log and the manifest are somebody's word."""
    what_no_audit_can_see: tuple[str, ...] = field(default=WHAT_NO_AUDIT_CAN_SEE)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def never_occurred(self) -> tuple[str, ...]:
        """Kinds of record and outcome that this sale never had."""
        return tuple(kind for kind, times in self.kinds.items() if times == 0)

    def fields(self) -> dict[str, Any]:
        """The report as plain values, for `--json`."""
        return {"ok": self.ok, **asdict(self), "never_occurred": list(self.never_occurred)}


def shortened(text: str) -> str:
    """Text that somebody else wrote, printable and not longer than a few lines."""
    printable = "".join(letter if letter.isprintable() else "�" for letter in text[: LONGEST_DETAIL + 1])
    return printable if len(printable) <= LONGEST_DETAIL else printable[:LONGEST_DETAIL] + "…"


def render(report: Report, console: Console) -> None:
    """Tell a person."""
    console.print(f"Audit of [bold]{escape(report.bundle)}[/]" + (f", sale {report.sale}" if report.sale else ""))
    counts = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    counts.add_row("requests", f"{report.requests:,}")
    counts.add_row("decision records", f"{report.decisions:,}")
    counts.add_row("winners", f"{report.winners:,}")
    counts.add_row("occurred", ", ".join(f"{kind} {times:,}" for kind, times in report.kinds.items() if times))
    if report.never_occurred:
        counts.add_row("never occurred", ", ".join(report.never_occurred))
    console.print(counts)
    if report.ok:
        console.print("[bold green]Every check holds.[/]")
    else:
        console.print(f"[bold red]{len(report.findings)} found; the first is where to look.[/]")
        for finding in report.findings[:MOST_TOLD]:
            console.print(f"  [red]✗[/] {escape(str(finding))}", highlight=False)
        if len(report.findings) > MOST_TOLD:
            console.print(f"  … and {len(report.findings) - MOST_TOLD} more (--json has all)")
    for title, sentences in (
        ("Not checked in this bundle", report.not_checked),
        ("What no audit can see", report.what_no_audit_can_see),
    ):
        if sentences:
            console.print(f"\n[bold]{title}[/]")
            for sentence in sentences:
                console.print(f"  · {escape(sentence)}", highlight=False)
