"""The launch form itself: its rows, the settings they hold, and what is wrong with them or missing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static

from fairnad_engine.store import Store
from fairnad_screens.background import begin
from fairnad_screens.base import FairScreen
from fairnad_screens.data.launch import LaunchSnapshot, device_problem, read_launch
from fairnad_screens.data.launch_form import (
    SECTIONS,
    document_of,
    method_values,
    problems_of,
    reading_of,
    values_of,
)
from fairnad_screens.text import plain
from fairnad_screens.widgets.launch_field import LaunchButton, LaunchField
from fairnad_screens.widgets.launch_missing import missing_text

if TYPE_CHECKING:
    from fairnad_engine.preflight import Check
    from fairnad_engine.search.config import RunConfig

_FIELD_OF_CHECK = {
    "model": "model.llm",
    "data set": "data.dataset",
    "protocol": "data.protocol",
    "seed backbone": "search.seed_backbone",
}
CHECK_DELAY = 0.5
INCOMPLETE = "The settings are not complete yet; mend what is marked."
MISSING, TOML, FORECAST = VIEWS = ("missing", "toml", "forecast")


class _Form(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Scrolls, but leaves the arrow keys to the form."""


class LaunchSheet(FairScreen[LaunchSnapshot]):
    """The form. One row is selected; keys act on it until Enter or Tab puts the cursor into its field."""

    SCOPE = "launch"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (112, "-wide")]

    def __init__(self) -> None:
        super().__init__()
        self._fields = [LaunchField(field) for _, fields in SECTIONS for field in fields]
        self._button = LaunchButton()
        self._rows: list[LaunchField | LaunchButton] = [*self._fields, self._button]
        self._head = Static(id="origin")
        self._side = Static(id="side-text")
        self._row = 0
        self._base: dict[str, Any] = {}
        self._origin = ""
        self._touched = False  # whether anything but the proposal was taken up
        self._edited = False  # whether a setting was changed since the form was filled
        self._problems: dict[str, str] = {}
        self._checks: tuple[Check, ...] | None = None
        self._gpus: tuple[str, ...] | None = None
        self._snapshot: LaunchSnapshot | None = None
        self._timer: Timer | None = None
        self._view = MISSING
        self._starting = False
        self._ready = False  # whether the fields can be filled

    def body(self) -> Iterable[Widget]:
        """See :class:`FairScreen`."""
        with Container(id="launch"):
            with _Form(id="form"):
                yield self._head
                place = 0
                for title, fields in SECTIONS:
                    yield Static(title, classes="section")
                    yield from self._fields[place : place + len(fields)]
                    place += len(fields)
                yield self._button
            with _Form(id="side"):
                yield self._side

    def loader(self) -> Callable[[Store], LaunchSnapshot]:
        """See :class:`FairScreen`."""
        return read_launch

    def show(self, snapshot: LaunchSnapshot) -> None:
        """See :class:`FairScreen`."""
        self._snapshot = snapshot
        self._show_side()

    def remember(self) -> dict[str, Any]:
        """See :class:`FairScreen`."""
        return {
            "draft": document_of(self._base, self._values()) if self._touched else None,
            "origin": self._origin,
            "edited": self._edited,
            "row": self._row,
            "view": self._view,
        }

    def restore(self, place: dict[str, Any]) -> None:
        """See :class:`FairScreen`."""
        from fairnad_engine.search.presets import proposal

        self._ready = True
        row = place.get("row")
        self._row = row if isinstance(row, int) and 0 <= row < len(self._rows) else 0
        self._view = place["view"] if place.get("view") in VIEWS else MISSING
        draft = place.get("draft")
        if self._touched:
            self.take(self._base, self._origin)  # handed over before this screen was shown first
        elif isinstance(draft, dict) and self._take_draft(draft, str(place.get("origin", ""))):
            self._edited = place.get("edited") is True
            self._show_notes()
        else:
            self._take_config(proposal(gpus=False).config, "proposed for a machine without a GPU")
        self._select(self._row, edit=False)
        begin(self, self._look_for_gpus, group="gpus")

    # -- settings ---------------------------------------------------------------------------------------------

    def take(self, document: Mapping[str, Any], origin: str) -> None:
        """Fill the form with settings, for example those of an earlier run."""
        self._base, self._origin, self._touched, self._edited = dict(document), origin, True, False
        if self._ready:
            self._fill(values_of(document))

    def _take_draft(self, draft: dict[str, Any], origin: str) -> bool:
        try:
            self.take(draft, origin)
        except (KeyError, TypeError, AttributeError):  # of another version, or edited by hand
            self._touched = False
            return False
        return True

    def _take_config(self, config: RunConfig, origin: str) -> None:
        document = config.model_dump(mode="json")
        if self.shell.llm:
            document["model"]["llm"] = self.shell.llm
        self.take(document, origin)
        self._touched = False

    def _fill(self, values: Mapping[str, str]) -> None:
        for row in self._fields:
            row.set_value(values[row.field.place])
        self._changed()

    def _values(self) -> dict[str, str]:
        return {row.field.place: row.value for row in self._fields}

    def _config(self) -> RunConfig | None:
        """The settings, where nothing is wrong with them."""
        from fairnad_engine.search.config import RunConfig

        document = document_of(self._base, self._values())
        return None if problems_of(document) else RunConfig.model_validate(document)

    async def _look_for_gpus(self) -> None:
        from fairnad_engine.machine import accelerators
        from fairnad_engine.search.presets import proposal

        self._gpus = tuple(await asyncio.to_thread(accelerators))
        if not self.there:
            return
        if self._gpus and not self._touched:
            self._take_config(proposal(gpus=True).config, f"proposed for {self._gpus[0]}")
        self._show_notes()
        self._show_side()

    # -- what is wrong or missing -----------------------------------------------------------------------------

    def _changed(self) -> None:
        """Look at the settings as they now are: at once what they say, soon what they name."""
        self._problems = problems_of(document_of(self._base, self._values()))
        self._checks = None
        self._show_notes()
        self._show_side()
        self.refresh_keys()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(CHECK_DELAY, self._check)

    def _check(self) -> None:
        config = self._config()
        if config is not None:
            begin(self, partial(self._run_checks, config), group="checks", exclusive=True)

    async def _run_checks(self, config: RunConfig) -> tuple[Check, ...]:
        from fairnad_engine.preflight import checks

        found = await asyncio.to_thread(checks, config)
        if self.there:
            self._checks = found
            self._show_notes()
            self._show_side()
            self.refresh_keys()
        return found

    def _show_notes(self) -> None:
        missing = {_FIELD_OF_CHECK[one.name]: one.problem for one in self._checks or () if one.name in _FIELD_OF_CHECK}
        missing["machine.devices"] = device_problem(self._values()["machine.devices"], self._gpus)
        for row in self._fields:
            problem = self._problems.get(row.field.place) or missing.get(row.field.place, "")
            row.note(problem, reading_of(row.field, row.value))
        changed = ", changed" if self._edited else ""
        self._head.update(plain(f"Settings: {self._origin}{changed}"))

    def _show_side(self) -> None:
        self._side.update(self._side_text())

    def _side_text(self) -> Content:
        """What stands beside the form."""
        if self._view == TOML:
            config = self._config()
            return plain(config.to_toml().rstrip() if config else INCOMPLETE)
        return missing_text(
            self._snapshot,
            self._stage_one(),
            self._problems,
            self._checks,
            self._gpus,
            self._values()["machine.devices"],
        )

    def _stage_one(self) -> int:
        """Slots that need ideas."""
        from fairnad_engine.search.config_search import BASELINES

        if self._values()["search.method"] in BASELINES:
            return 0
        first = self._values()["search.stages"].split(" ")[0]
        return int(first) if first.isdigit() else 1

    # -- rows -------------------------------------------------------------------------------------------------

    def _select(self, row: int, *, edit: bool) -> None:
        self._row = row % len(self._rows)
        for place, one in enumerate(self._rows):
            one.mark(place == self._row)
        here = self._rows[self._row]
        if edit:
            # At once: a key that follows soon must not reach the field that was left.
            self.set_focus(here.control if isinstance(here, LaunchField) else here)
        if self._row == 0:
            self.query_one("#form").scroll_home(animate=False)
        else:
            here.scroll_visible(animate=False)
        self.refresh_keys()

    def _options(self, row: LaunchField) -> tuple[str, ...]:
        return ("models",) if row.field.place == "model.llm" else row.field.options()

    def _set(self, row: LaunchField, value: str) -> None:
        row.set_value(value)
        if row.field.place == "search.method":
            meant = method_values(value)
            for one in self._fields:
                one.set_value(meant.get(one.field.place, one.value))
        self._touched = self._edited = True
        self._changed()

    @on(events.DescendantFocus)
    def _focused(self, event: events.DescendantFocus) -> None:
        if event.widget is not self.focused:
            return  # the focus has gone on meanwhile
        for place, row in enumerate(self._rows):
            if event.widget is row or (isinstance(row, LaunchField) and event.widget is row.control):
                self._select(place, edit=False)

    @on(Input.Changed)
    def _typed(self) -> None:
        self._touched = self._edited = True
        self._changed()

    @on(Input.Submitted)
    def _taken(self, event: Input.Submitted) -> None:
        place = next(i for i, row in enumerate(self._fields) if row.control is event.input)
        self._select(place + 1, edit=True)
