"""The runs screen."""

from __future__ import annotations

from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings


class RunsScreen(FairScreen[None]):
    """The runs screen."""

    SCOPE = "runs"
    BINDINGS = bindings("runs")
