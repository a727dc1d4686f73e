"""Whether this terminal can show the screens, asked before anything heavy is imported."""

from __future__ import annotations

import os
import sys


def terminal_problem() -> str | None:
    """Why the screens cannot be shown on this terminal, with the remedy; None where they can."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "this is no terminal; run in the background with: fairnad-tui --no-ui --config FILE"
    if os.environ.get("TERM", "dumb") in ("dumb", "unknown", ""):
        return "TERM=dumb cannot show the screens; use another terminal, or: fairnad-tui --no-ui --config FILE"
    return None
