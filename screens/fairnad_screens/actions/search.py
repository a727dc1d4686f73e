"""Actions of the live search desk."""

from __future__ import annotations

from fairnad_screens.actions.action import Action

_PANES = ("progress", "idea sampling", "the Pareto front", "hypervolume", "candidates", "failures", "the log",
          "edits and ledger")  # fmt: skip

ACTIONS: tuple[Action, ...] = (
    Action("search.open", "enter", "Open", "Open the candidate under the cursor, or a category.", footer=True),
    Action("search.pause", "full_stop", "Pause", "Pause the search, or let a paused one go on.", footer=True),
    Action("search.control", "c", "Control", "Choose: pause, go on, stop, stop at once, resume.", footer=True),
    Action("search.zoom", "z", "Zoom", "Give the focused pane the whole desk, or give it back.", footer=True),
    Action("search.stop", "s", "Stop", "Stop the search; trainings in flight go on from checkpoints."),
    Action("search.resume", "r", "Resume", "Start a new worker for a stopped, failed or dead run."),
    *(
        Action(
            f"search.pane-{number}",
            str(number),
            f"Pane {number}",
            f"Show or hide {name}; while a pane is zoomed, zoom this one.",
        )
        for number, name in enumerate(_PANES, 1)
    ),
    Action("search.next-pane", "tab", "Next pane", "Move the focus to the next pane."),
    Action("search.previous-pane", "shift+tab", "Last pane", "Move the focus to the pane before."),
    Action("search.axis", "x", "Axis", "Plot accuracy against parameters or against MACs."),
    Action("search.order", "o", "Order", "Sort the candidates by the next column."),
    Action("search.back-generation", "left_square_bracket", "Back", "Show the run as it stood a generation before."),
    Action("search.forward-generation", "right_square_bracket", "Forward", "Show the run a generation later."),
    Action("search.follow", "f", "Follow", "Follow the run live again."),
    Action("search.previous-run", "less_than_sign", "Older run", "Show the run before this one."),
    Action("search.next-run", "greater_than_sign", "Newer run", "Show the run after this one."),
    Action("search.choose-run", "w", "Which run", "Choose the run to show from a list."),
    Action("search.freeze", "p", "Freeze", "Hold the picture still, or let it move again; the search goes on."),
    Action("search.down", "j,down", "Down", "Go down in the focused pane; through all points of the front."),
    Action("search.up", "k,up", "Up", "Go up in the focused pane."),
    Action("search.left", "h,left", "Left", "Go along the front to the left; close a category."),
    Action("search.right", "l,right", "Right", "Go along the front to the right; open a category."),
    Action("search.top", "g,home", "Top", "Go to the first line of the focused pane."),
    Action("search.bottom", "G,end", "Bottom", "Go to the last line of the focused pane."),
    Action("search.page-down", "pagedown", "Page down", "Go a page down in the focused pane.", hidden=True),
    Action("search.page-up", "pageup", "Page up", "Go a page up in the focused pane.", hidden=True),
)
