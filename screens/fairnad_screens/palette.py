"""The command palette: every action that can be done here, by name."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, cast

from textual import work
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.css.query import NoMatches

from fairnad_screens.actions import Action, actions_of, key_of
from fairnad_screens.base import FairScreen
from fairnad_screens.dialogs import AnsweredOnce

if TYPE_CHECKING:
    from fairnad_screens.shell import Shell


class Palette(CommandPalette, AnsweredOnce[None]):
    """Textual's palette."""

    def _action_command_list(self, action: str) -> None:
        # Textual's list stumbles over a page key that comes before its lines are laid out.
        with suppress(KeyError):
            super()._action_command_list(action)

    @work(exclusive=True, group=CommandPalette._GATHER_COMMANDS_GROUP)
    async def _gather_commands(self, search_value: str) -> None:
        # A word that is typed as the palette closes starts a search when the list is gone already.
        try:
            await CommandPalette._gather_commands.__wrapped__(self, search_value)  # type: ignore[attr-defined]
        except NoMatches:
            if self.is_attached and self.app.screen is self:
                raise


class ActionProvider(Provider):
    """Offers the actions of the screen below and those of every screen."""

    _ran = False

    @property
    def _actions(self) -> list[Action]:
        own = actions_of(self.screen.SCOPE) if isinstance(self.screen, FairScreen) else ()
        return [one for one in (*own, *actions_of("app")) if not one.hidden and one.id != "app.palette"]

    def _run(self, one: Action) -> None:
        if self._ran:
            return  # Enter was pressed again before the palette was gone
        self._ran = True
        target = self.screen if one.scope != "app" else self.app
        cast("FairScreen[object] | Shell", target).action_do(one.id)

    async def discover(self) -> Hits:
        """Show everything before a word is typed."""
        for one in self._actions:
            yield DiscoveryHit(one.label, partial(self._run, one), help=_explained(one))

    async def search(self, query: str) -> Hits:
        """Match names and explanations."""
        matcher = self.matcher(query)
        for one in self._actions:
            score = matcher.match(f"{one.label} {one.help}")
            if score > 0:
                yield Hit(score, matcher.highlight(one.label), partial(self._run, one), help=_explained(one))


def _explained(one: Action) -> str:
    """What it does and its key, so that the palette teaches the keys."""
    return f"{key_of(one.id)}: {one.help}"
