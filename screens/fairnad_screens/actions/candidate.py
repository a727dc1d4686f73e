"""Actions of the candidate screen."""

from __future__ import annotations

from fairnad_screens.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("candidate.source", "1", "Source", "Show its source."),
    Action("candidate.changes", "2", "Changes", "Show what changed against its parent: graph and source."),
    Action("candidate.lineage", "3", "Lineage", "Show where it comes from, with ideas and papers."),
    Action("candidate.training", "4", "Training", "Show its training, epoch by epoch."),
    Action("candidate.attempts", "5", "Attempts", "Show how it was proposed and what the verifier said."),
    Action("candidate.open", "enter", "Open", "Open the selected ancestor, or show the selected attempt at length."),
    Action("candidate.export", "x", "Export", "Write it as a folder: source, graph, weights, lineage.", footer=True),
    Action("candidate.copy", "y", "Copy", "Copy its source to the clipboard and to a file.", footer=True),
    Action("candidate.parent", "u", "Parent", "Go up to the model it was made from.", footer=True),
    Action("candidate.following", "right_square_bracket", "Next", "Go to the next candidate of the run.", footer=True),
    Action("candidate.previous", "left_square_bracket", "Previous", "Go to the previous candidate of the run."),
    Action("candidate.down", "j,down", "Down", "Go down.", hidden=True),
    Action("candidate.up", "k,up", "Up", "Go up.", hidden=True),
    Action("candidate.page_down", "pagedown,space", "Page down", "Go down a page.", hidden=True),
    Action("candidate.page_up", "pageup", "Page up", "Go up a page.", hidden=True),
    Action("candidate.top", "g,home", "Top", "Go to the first line.", hidden=True),
    Action("candidate.bottom", "G,end", "Bottom", "Go to the last line.", hidden=True),
)
