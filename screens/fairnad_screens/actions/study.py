"""Actions of the study screen."""

from __future__ import annotations

from fairnad_screens.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action(
        "study.open", "enter", "Open", "Go to the cells of the method, or open the selected cell's run.", footer=True
    ),
    Action(
        "study.cells", "tab", "Cells", "Go to the cells of the selected method, or back to the methods.", footer=True
    ),
    Action("study.curve", "x", "Curve", "Draw hypervolume or best accuracy.", footer=True),
    Action(
        "study.refresh", "r", "Refresh", "Compare anew; a study under way is also compared now and then.", footer=True
    ),
    Action("study.next", "greater_than_sign", "Next study", "Show the next study."),
    Action("study.previous", "less_than_sign", "Study before", "Show the study before."),
    Action("study.down", "j,down", "Down", "Go down.", hidden=True),
    Action("study.up", "k,up", "Up", "Go up.", hidden=True),
    Action("study.top", "g,home", "Top", "Go to the first line.", hidden=True),
    Action("study.bottom", "G,end", "Bottom", "Go to the last line.", hidden=True),
)
