"""The command palette: every action that can be done here, by name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from fairnad_screens.actions import Action, actions_of
from fairnad_screens.base import FairScreen

if TYPE_CHECKING:
    from fairnad_screens.shell import Shell


class ActionProvider(Provider):
    """Offers the actions of the screen below and those of every screen."""

    @property
    def _actions(self) -> list[Action]:
        own = actions_of(self.screen.SCOPE) if isinstance(self.screen, FairScreen) else ()
        return [one for one in (*own, *actions_of("app")) if not one.hidden and one.id != "app.palette"]

    def _run(self, one: Action) -> None:
        target = self.screen if one.scope != "app" else self.app
        cast("FairScreen[object] | Shell", target).action_do(one.id)

    async def discover(self) -> Hits:
        """Show everything before a word is typed."""
        for one in self._actions:
            yield DiscoveryHit(one.label, partial(self._run, one), help=one.help)

    async def search(self, query: str) -> Hits:
        """Match names and explanations."""
        matcher = self.matcher(query)
        for one in self._actions:
            score = matcher.match(f"{one.label} {one.help}")
            if score > 0:
                yield Hit(score, matcher.highlight(one.label), partial(self._run, one), help=one.help)
