"""What an audit found: the file, the line, the condition that was false, what was expected and what was there.

A finding is what makes an audit fail. The whole report, with what is measured and what cannot be seen, is
`audit/report.py`'s.
"""

from dataclasses import dataclass
from typing import Final

LONGEST_DETAIL: Final = 400


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


def shortened(text: str) -> str:
    """Text that somebody else wrote, printable and not longer than a few lines."""
    printable = "".join(letter if letter.isprintable() else "�" for letter in text[: LONGEST_DETAIL + 1])
    return printable if len(printable) <= LONGEST_DETAIL else printable[:LONGEST_DETAIL] + "…"
