"""Where verbs print."""

from typing import Final

from rich.console import Console

CUT_SHORT: Final = 141
"""The exit status of a program whose reader is gone, as shells tell an end by SIGPIPE."""


class Terminal(Console):
    """Prints to standard output.

    Whoever stops reading (`| head`) has been told nothing bad, so the status is not 1, which is a verdict.
    """

    def on_broken_pipe(self) -> None:
        """Print nothing more, and end."""
        try:
            super().on_broken_pipe()
        except SystemExit as ended:
            raise SystemExit(CUT_SHORT) from ended
