"""Actions of the runs screen."""

from __future__ import annotations

from fairnad_screens.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action(
        "runs.open",
        "enter",
        "Open",
        "Open the selected run's search desk, or the selected model of its front.",
        footer=True,
    ),
    Action("runs.mark", "space", "Mark", "Mark the selected run, or take the mark back.", footer=True),
    Action("runs.compare", "c", "Compare", "Compare the marked runs: fronts and settings that differ.", footer=True),
    Action("runs.resume", "r", "Resume", "Start a new worker for a stopped, failed or dead run."),
    Action("runs.take_over", "t", "Take over", "End a worker that hangs, or is on a host that is gone, and go on."),
    Action("runs.backup", "b", "Backup", "Copy the whole workspace to another place while it is used."),
    Action("runs.again", "n", "Again", "Open the launch form with the selected run's settings, to change some."),
    Action("runs.export", "e", "Export", "Write the report as a folder: Markdown, JSON, CSV, SVG.", footer=True),
    Action("runs.view", "v", "View report", "Read the report of the selected run as it stands."),
    Action("runs.studies", "s", "Studies", "Compare methods over seeds: the studies of the workspace."),
    Action("runs.finish", "f", "Finish", "Retrain the front's best with fresh weights and test each once."),
    Action("runs.delete", "D", "Delete", "Delete the selected run, after saying what goes with it."),
    Action("runs.axis", "a", "Axis", "Compare over parameters or over MACs."),
    Action("runs.front", "tab", "Its front", "Go to the models of the selected run's front, or back to the runs."),
    Action("runs.unmark", "escape", "Unmark", "Leave the comparison or the front; in the list, take all marks back."),
    Action("runs.down", "j,down", "Down", "Go down.", hidden=True),
    Action("runs.up", "k,up", "Up", "Go up.", hidden=True),
    Action("runs.top", "g,home", "Top", "Go to the first.", hidden=True),
    Action("runs.bottom", "G,end", "Bottom", "Go to the last.", hidden=True),
    Action("runs.page_down", "J,pagedown,ctrl+d", "Details down", "Scroll the details down."),
    Action("runs.page_up", "K,pageup,ctrl+u", "Details up", "Scroll the details up."),
)
