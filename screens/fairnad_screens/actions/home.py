"""Actions of the home screen."""

from __future__ import annotations

from fairnad_screens.actions.action import Action

ACTIONS = (
    Action("home.next", "enter", "Next step", "Take the step that is named as next.", footer=True),
    Action(
        "home.demo",
        "d",
        "Demo",
        "Add the sample papers, structure them with the built-in rules, and look on.",
        footer=True,
    ),
    Action("home.add", "a", "Add papers", "Add papers of your own.", footer=True),
    Action("home.open", "o", "Open run", "Open the selected run's desk.", footer=True),
    Action("home.studies", "s", "Studies", "Compare methods over seeds: the studies of the workspace."),
    Action("home.down", "j,down", "Down", "Select the next run.", hidden=True),
    Action("home.up", "k,up", "Up", "Select the previous run.", hidden=True),
)
