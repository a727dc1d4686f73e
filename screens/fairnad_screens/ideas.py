"""The ideas screen."""

from __future__ import annotations

from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings


class IdeasScreen(FairScreen[None]):
    """The ideas screen."""

    SCOPE = "ideas"
    BINDINGS = bindings("ideas")
