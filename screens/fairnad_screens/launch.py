"""Launch: the form that starts a search, what is missing for it, and the settings as TOML."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events, on

from fairnad_screens.actions import Action, key_of
from fairnad_screens.bindings import bindings
from fairnad_screens.data.launch import (
    OWN_IMAGES,
    create,
    dataset_states,
    ideas_problem,
    read_toml,
    save_toml,
    served_models,
    start,
    there,
)
from fairnad_screens.dialogs import Choice, ChoiceDialog, ConfirmDialog, LineDialog
from fairnad_screens.launch_ahead import LaunchAhead
from fairnad_screens.launch_sheet import MISSING, TOML
from fairnad_screens.text import GLYPHS
from fairnad_screens.widgets.launch_field import LaunchButton, LaunchChoice, LaunchField
from fairnad_screens.widgets.path_suggester import PathSuggester

if TYPE_CHECKING:
    from fairnad_engine.search.config import RunConfig


class LaunchScreen(LaunchAhead):
    """What the keys of the form do."""

    BINDINGS = bindings("launch")
    CSS_PATH = "launch.tcss"

    def why_not(self, one: Action) -> str | None:
        """See :class:`FairScreen`."""
        row = self._rows[self._row]
        if one.name == "options" and not (isinstance(row, LaunchField) and self._options(row)):
            return f"There is no list for this one; {key_of('launch.edit')} edits it."
        if one.name in ("start", "save") and self._problems:
            return f"{len(self._problems)} of the settings cannot be used; mend what is marked."
        if one.name == "start":
            if self._starting:
                return "The search is being started."
            problem = ideas_problem(self._snapshot, self._stage_one()) if self._snapshot else ""
            return f"Ideas: {problem}." if problem else None
        return None

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
            self.set_focus(row.control)

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
            self.say(f"There is no list for this one; {key_of('launch.edit')} edits it.")

    def do_options(self) -> None:
        """Choose from what there is."""
        row = self._rows[self._row]
        if isinstance(row, LaunchField) and row.field.place == "model.llm":
            self.do_model()
        elif isinstance(row, LaunchField) and row.field.place == "data.dataset":
            self.background(self._choose_dataset(row))
        elif isinstance(row, LaunchField):
            self.background(self._choose(row, row.field.options()))

    async def _choose(self, row: LaunchField, options: tuple[str, ...], about: str = "") -> None:
        title = f"{row.field.label}\n{about}" if about else row.field.label
        answer = await self.shell.push_screen_wait(ChoiceDialog(title, [Choice(one, one) for one in options]))
        if answer is not None:
            self._set(row, answer)

    async def _choose_dataset(self, row: LaunchField) -> None:
        states = await asyncio.to_thread(dataset_states, self._config())
        told = {
            name: f"{GLYPHS.done} {state.detail}" if state.found else f"{GLYPHS.failed} missing: {state.why}"
            for name, state in states.items()
        }
        choices = [Choice(name, text) for name, text in told.items()]
        choices.append(Choice(OWN_IMAGES, f"{GLYPHS.dot} own images: a folder with one folder for each class"))
        answer = await self.shell.push_screen_wait(ChoiceDialog(row.field.label, choices))
        if answer == OWN_IMAGES:
            line = LineDialog("Train on the images of which folder?", suggester=PathSuggester((), named=""))
            folder = await self.shell.push_screen_wait(line)
            answer = f"{OWN_IMAGES}{folder.strip()}" if folder and folder.strip() else None
        if answer is not None:
            self._set(row, answer)

    # -- actions ----------------------------------------------------------------------------------------------

    def do_model(self) -> None:
        """Choose the language model."""
        self.background(self._choose_model())

    async def _choose_model(self) -> None:
        row = next(one for one in self._fields if one.field.place == "model.llm")
        served, problem = await asyncio.to_thread(served_models)
        about = f"{problem}\nAnother model can be typed into the field." if problem else ""
        await self._choose(row, tuple(dict.fromkeys(("rules", *served, row.value))), about)

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
        question = LineDialog("Take the settings of which TOML file?", suggester=PathSuggester((".toml",), named=""))
        answer = await self.shell.push_screen_wait(question)
        if answer:
            config = await asyncio.to_thread(read_toml, answer)
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
        target = Path(answer)
        if await asyncio.to_thread(there, target) and not await self.shell.push_screen_wait(
            ConfirmDialog(f"{answer} exists. Write over it?")
        ):
            return
        self.say(f"Saved as {await asyncio.to_thread(save_toml, target, config)}")

    def do_toml(self) -> None:
        """Show the settings as TOML, or what is missing."""
        self.view_side(MISSING if self._view == TOML else TOML)

    def do_scroll_down(self) -> None:
        """Scroll the side."""
        self.query_one("#side").scroll_page_down(animate=False)

    def do_scroll_up(self) -> None:
        """Scroll the side back."""
        self.query_one("#side").scroll_page_up(animate=False)

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
