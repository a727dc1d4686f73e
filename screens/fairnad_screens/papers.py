"""The papers screen."""

from __future__ import annotations

from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings


class PapersScreen(FairScreen[None]):
    """The papers screen."""

    SCOPE = "papers"
    BINDINGS = bindings("papers")
