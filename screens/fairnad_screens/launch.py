"""Launch: the form that starts a search, what is missing for it, and the settings as TOML."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events, on
from textual.containers import Container, VerticalScroll
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, Static

from fairnad_engine.store import Store
from fairnad_screens.actions import Action
from fairnad_screens.base import FairScreen
from fairnad_screens.bindings import bindings
from fairnad_screens.data.launch import LaunchSnapshot, create, read_launch, save_toml, served_models, start
from fairnad_screens.data.launch_form import SECTIONS, document_of, problems_of, reading_of, values_of
from fairnad_screens.dialogs import Choice, ChoiceDialog, ConfirmDialog, LineDialog
from fairnad_screens.text import plain
from fairnad_screens.widgets.launch_field import LaunchButton, LaunchChoice, LaunchField
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


class LaunchScreen(FairScreen[LaunchSnapshot]):
    """The form. One row is selected; keys act on it until Enter or Tab puts the cursor into its field."""

    SCOPE = "launch"
    BINDINGS = bindings("launch")
    CSS_PATH = "launch.tcss"
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]] | None] = [(0, "-narrow"), (112, "-wide")]

    def __init__(self) -> None:
        super().__init__()
        self._fields = [LaunchField(field) for _, fields in SECTIONS for field in fields]
        self._button = LaunchButton()
        self._rows: list[LaunchField | LaunchButton] = [*self._fields, self._button]
        self._row = 0
        self._base: dict[str, Any] = {}
        self._origin = ""
        self._touched = False
        self._problems: dict[str, str] = {}
        self._checks: tuple[Check, ...] | None = None
        self._gpus: tuple[str, ...] | None = None
        self._snapshot: LaunchSnapshot | None = None
        self._timer: Timer | None = None
        self._shows_toml = False
        self._starting = False
        self._ready = False  # whether the fields can be filled

    def body(self) -> Iterable[Widget]:
        """See :class:`FairScreen`."""
        with Container(id="launch"):
            with VerticalScroll(id="form", can_focus=False):
                yield Static(id="origin")
                place = 0
                for title, fields in SECTIONS:
                    yield Static(title, classes="section")
                    yield from self._fields[place : place + len(fields)]
                    place += len(fields)
                yield self._button
            with VerticalScroll(id="side", can_focus=False):
                yield Static(id="side-text")

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
            "row": self._row,
            "toml": self._shows_toml,
        }

    def restore(self, place: dict[str, Any]) -> None:
        """See :class:`FairScreen`."""
        from fairnad_engine.search.presets import proposal

        self._ready = True
        row = place.get("row")
        self._row = row if isinstance(row, int) and 0 <= row < len(self._rows) else 0
        self._shows_toml = place.get("toml") is True
        draft = place.get("draft")
        if self._touched:
            self.take(self._base, self._origin)  # handed over before this screen was shown first
        elif not (isinstance(draft, dict) and self._take_draft(draft, str(place.get("origin", "")))):
            self._take_config(proposal(gpus=False).config, "proposed for a machine without a GPU")
        self._select(self._row, edit=False)
        self.run_worker(self._look_for_gpus(), group="gpus")

    # -- settings ---------------------------------------------------------------------------------------------

    def take(self, document: Mapping[str, Any], origin: str) -> None:
        """Fill the form with settings, for example those of an earlier run."""
        self._base, self._origin, self._touched = dict(document), origin, True
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
        if self._gpus and not self._touched:
            self._take_config(proposal(gpus=True).config, f"proposed for {self._gpus[0]}")
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
            self.run_worker(self._run_checks(config), group="checks", exclusive=True)

    async def _run_checks(self, config: RunConfig) -> tuple[Check, ...]:
        from fairnad_engine.preflight import checks

        found = await asyncio.to_thread(checks, config)
        self._checks = found
        self._show_notes()
        self._show_side()
        self.refresh_keys()
        return found

    def _show_notes(self) -> None:
        missing = {_FIELD_OF_CHECK[one.name]: one.problem for one in self._checks or () if one.name in _FIELD_OF_CHECK}
        for row in self._fields:
            problem = self._problems.get(row.field.place) or missing.get(row.field.place, "")
            row.note(problem, reading_of(row.field, row.value))
        changed = ", changed" if self._touched else ""
        self.query_one("#origin", Static).update(plain(f"Settings: {self._origin}{changed}"))

    def _show_side(self) -> None:
        if self._shows_toml:
            config = self._config()
            text = plain(
                config.to_toml().rstrip() if config else "The settings are not complete yet; mend what is marked."
            )
        else:
            text = missing_text(self._snapshot, self._stage_one(), self._problems, self._checks, self._gpus)
        self.query_one("#side-text", Static).update(text)

    def _stage_one(self) -> int:
        first = self._values()["search.stages"].split(" ")[0]
        return int(first) if first.isdigit() else 1

    def why_not(self, one: Action) -> str | None:
        """See :class:`FairScreen`."""
        row = self._rows[self._row]
        if one.name == "options" and not (isinstance(row, LaunchField) and self._options(row)):
            return "There is no list for this one; Enter edits it."
        if one.name in ("start", "save") and self._problems:
            return f"{len(self._problems)} of the settings cannot be used; mend what is marked."
        if one.name == "start":
            from fairnad_screens.data.launch import ideas_problem

            if self._starting:
                return "The search is being started."
            problem = ideas_problem(self._snapshot, self._stage_one()) if self._snapshot else ""
            return f"Ideas: {problem}." if problem else None
        return None

    # -- rows -------------------------------------------------------------------------------------------------

    def _select(self, row: int, *, edit: bool) -> None:
        self._row = row % len(self._rows)
        for place, one in enumerate(self._rows):
            one.mark(place == self._row)
        here = self._rows[self._row]
        if edit:
            (here.control if isinstance(here, LaunchField) else here).focus()
        if self._row == 0:
            self.query_one("#form").scroll_home(animate=False)
        else:
            here.scroll_visible(animate=False)
        self.refresh_keys()

    def _options(self, row: LaunchField) -> tuple[str, ...]:
        return ("models",) if row.field.place == "model.llm" else row.field.options()

    def _set(self, row: LaunchField, value: str) -> None:
        row.set_value(value)
        self._touched = True
        self._changed()

    @on(events.DescendantFocus)
    def _focused(self, event: events.DescendantFocus) -> None:
        for place, row in enumerate(self._rows):
            if event.widget is row or (isinstance(row, LaunchField) and event.widget is row.control):
                self._select(place, edit=False)

    @on(Input.Changed)
    def _typed(self) -> None:
        self._touched = True
        self._changed()

    @on(Input.Submitted)
    def _taken(self) -> None:
        self._select(self._row + 1, edit=True)

    @on(events.Click)
    def _clicked(self, event: events.Click) -> None:
        if isinstance(event.widget, LaunchButton):
            self.action_do("launch.start")
        elif isinstance(event.widget, LaunchChoice):
            self.action_do("launch.options")

    def do_edit(self) -> None:
        """Put the cursor into the selected field."""
        row = self._rows[self._row]
        if isinstance(row, LaunchButton):
            self.action_do("launch.start")
        elif isinstance(row.control, LaunchChoice):
            self.do_options()
        else:
            row.control.focus()

    def do_leave(self) -> None:
        """Leave the field."""
        self.set_focus(None)

    def do_down(self) -> None:
        """Go to the next setting."""
        self._select(self._row + 1, edit=self.focused is not None)

    def do_up(self) -> None:
        """Go to the previous setting."""
        self._select(self._row - 1, edit=self.focused is not None)

    def do_top(self) -> None:
        """Go to the first setting."""
        self._select(0, edit=False)

    def do_bottom(self) -> None:
        """Go to the button."""
        self._select(len(self._rows) - 1, edit=False)

    def do_next(self) -> None:
        """Edit the next setting, or the selected one where none is edited yet."""
        self._select(self._row + (self.focused is not None), edit=True)

    def do_previous(self) -> None:
        """Edit the previous setting."""
        self._select(self._row - (self.focused is not None), edit=True)

    def do_right(self) -> None:
        """Take the next value."""
        self._turn(1)

    def do_left(self) -> None:
        """Take the previous value."""
        self._turn(-1)

    def _turn(self, by: int) -> None:
        row = self._rows[self._row]
        options = row.field.options() if isinstance(row, LaunchField) else ()
        if isinstance(row, LaunchField) and options:
            place = options.index(row.value) + by if row.value in options else 0
            self._set(row, options[place % len(options)])
        else:
            self.say("There is no list for this one; Enter edits it.")

    def do_options(self) -> None:
        """Choose from what there is."""
        row = self._rows[self._row]
        if isinstance(row, LaunchField) and row.field.place == "model.llm":
            self.do_model()
        elif isinstance(row, LaunchField):
            self.background(self._choose(row, row.field.options()))

    async def _choose(self, row: LaunchField, options: tuple[str, ...]) -> None:
        answer = await self.shell.push_screen_wait(ChoiceDialog(row.field.label, [Choice(one, one) for one in options]))
        if answer is not None:
            self._set(row, answer)

    # -- actions ----------------------------------------------------------------------------------------------

    def do_model(self) -> None:
        """Choose the language model."""
        self.background(self._choose_model())

    async def _choose_model(self) -> None:
        row = next(one for one in self._fields if one.field.place == "model.llm")
        served = await self.tell(asyncio.to_thread(served_models)) or ()
        await self._choose(row, tuple(dict.fromkeys(("rules", *served, row.value))))

    def do_preset(self) -> None:
        """Begin from a preset."""
        self.background(self._choose_preset())

    async def _choose_preset(self) -> None:
        from fairnad_engine.search.presets import preset, presets

        found = await asyncio.to_thread(presets)
        answer = await self.shell.push_screen_wait(
            ChoiceDialog("Begin from which settings?", [Choice(p.name, f"{p.name:<10} {p.about}") for p in found])
        )
        if answer is not None:
            self._take_config(preset(answer).config, f"preset {answer}")
            self._touched = True
            self._changed()

    def do_open(self) -> None:
        """Take the settings of a file."""
        self.background(self._open())

    async def _open(self) -> None:
        from fairnad_engine.search.config import load_config

        answer = await self.shell.push_screen_wait(LineDialog("Take the settings of which TOML file?"))
        if answer:
            config = await asyncio.to_thread(load_config, Path(answer).expanduser())
            self.take(config.model_dump(mode="json"), answer)

    def do_save(self) -> None:
        """Save the settings."""
        self.background(self._save())

    async def _save(self) -> None:
        config = self._config()
        if config is None:
            return
        hint = "Later: fairnad-tui --no-ui --config FILE, or fairnad-tui run --config FILE"
        answer = await self.shell.push_screen_wait(LineDialog("Save the settings as", f"{config.name}.toml", hint=hint))
        if not answer:
            return
        path = Path(answer).expanduser()
        if await asyncio.to_thread(path.exists) and not await self.shell.push_screen_wait(
            ConfirmDialog(f"{path} exists. Write over it?")
        ):
            return
        self.say(f"Saved as {await asyncio.to_thread(save_toml, path, config)}")

    def do_toml(self) -> None:
        """Show the settings as TOML, or what is missing."""
        self._shows_toml = not self._shows_toml
        self._show_side()
        self.query_one("#side").scroll_home(animate=False)

    def do_scroll_down(self) -> None:
        """Scroll the side."""
        self.query_one("#side").scroll_page_down(animate=False)

    def do_scroll_up(self) -> None:
        """Scroll the side back."""
        self.query_one("#side").scroll_page_up(animate=False)

    def do_check(self) -> None:
        """Look again at what is missing."""
        self._changed()

    def do_start(self) -> None:
        """Start the search."""
        config = self._config()
        if config is not None:
            self._starting = True
            self.background(self._start(config))

    async def _start(self, config: RunConfig) -> None:
        try:
            self.say("Looking whether everything is there …")
            missing = [one for one in await self._run_checks(config) if not one.ready]
            if missing:
                self.say(f"{missing[0].name}: {missing[0].problem}", failed=True)
                return
            run_id, job_id = await self.desk.apart(lambda store: create(store, config))
            self.shell.selected_run = run_id
            self._touched = False
            if self.shell.screen is self:
                self.shell.goto("search")
            self.say(f"{run_id} begins; it goes on when this program ends.")
            await self.desk.apart(lambda store: start(store, job_id))
        finally:
            self._starting = False
