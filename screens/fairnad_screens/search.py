"""The search screen."""

from __future__ import annotations

from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings


class SearchScreen(FairScreen[None]):
    """The search screen."""

    SCOPE = "search"
    BINDINGS = bindings("search")
