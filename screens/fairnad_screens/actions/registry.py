"""The registry: every action of every screen."""

from __future__ import annotations

from fairnad_screens.actions import candidate, everywhere, home, ideas, launch, papers, runs, search, study, template
from fairnad_screens.actions.action import Action

SCOPES: dict[str, tuple[Action, ...]] = {
    "app": everywhere.ACTIONS,
    "home": home.ACTIONS,
    "papers": papers.ACTIONS,
    "template": template.ACTIONS,
    "ideas": ideas.ACTIONS,
    "launch": launch.ACTIONS,
    "search": search.ACTIONS,
    "candidate": candidate.ACTIONS,
    "runs": runs.ACTIONS,
    "study": study.ACTIONS,
}
_BY_ID = {one.id: one for group in SCOPES.values() for one in group}


def actions_of(scope: str) -> tuple[Action, ...]:
    """The actions of a screen, without those of every screen."""
    return SCOPES[scope]


def action(action_id: str) -> Action:
    """One action by id."""
    return _BY_ID[action_id]
