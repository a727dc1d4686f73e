"""The template screen."""

from __future__ import annotations

from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings


class TemplateScreen(FairScreen[None]):
    """The template screen."""

    SCOPE = "template"
    BINDINGS = bindings("template")
