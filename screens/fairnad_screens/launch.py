"""The launch screen."""

from __future__ import annotations

from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings


class LaunchScreen(FairScreen[None]):
    """The launch screen."""

    SCOPE = "launch"
    BINDINGS = bindings("launch")
