"""Actions of the ideas screen."""

from __future__ import annotations

from fairnad_screens.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("ideas.approve", "a", "Approve", "Approve the idea or the marked ones, and go on to the next.", footer=True),
    Action("ideas.reject", "r", "Reject", "Reject the idea, or the marked ones, and go on to the next.", footer=True),
    Action("ideas.undo", "u", "Undo", "Undo what was done last, bulk work as one; also after a restart.", footer=True),
    Action(
        "ideas.filter",
        "slash",
        "Filter",
        "Filter as you type: words, status:proposed, cat:conv or cat:conv.depthwise, paper:title, grounded:no, "
        "origin:own; Enter takes it, Esc restores.",
        footer=True,
    ),
    Action("ideas.status", "tab", "Status", "Filter by the next status, then by none."),
    Action("ideas.status-back", "shift+tab", "Status back", "Filter by the status before."),
    Action("ideas.edit", "e", "Edit", "Edit the idea's text here."),
    Action("ideas.editor", "E", "Editor", "Edit the idea's text in $EDITOR."),
    Action("ideas.move", "m", "Move", "File the idea, or the marked ones, under another sub-category."),
    Action("ideas.merge", "M", "Merge", "Merge the marked ideas into the one under the cursor; it keeps their papers."),
    Action(
        "ideas.duplicates",
        "d",
        "Duplicates",
        "Show the ideas that say the same as this one, beside each other; Enter merges them into the one chosen.",
    ),
    Action(
        "ideas.groups",
        "D",
        "All duplicates",
        "Go through all groups of ideas that say the same, from the one under the cursor; Enter merges a group.",
    ),
    Action("ideas.new", "n", "New idea", "Add an idea of your own; it counts as approved."),
    Action("ideas.mark", "space", "Mark", "Mark the idea, or take its mark away, and go down."),
    Action("ideas.range", "v", "Range", "Begin a range at the cursor; the second time mark it."),
    Action("ideas.mark-all", "asterisk", "Mark all", "Mark everything that matches the filter."),
    Action("ideas.clear", "escape", "Clear", "Leave the range, else clear the marks, else clear the filter."),
    Action("ideas.next", "right_square_bracket", "Next undecided", "Go to the next undecided idea."),
    Action("ideas.previous", "left_square_bracket", "Previous undecided", "Go to the undecided idea before."),
    Action(
        "ideas.order",
        "o",
        "Order",
        "Sort by what ideas brought in searches: gain over the parent, best accuracy, trained, tried; then by place.",
    ),
    Action("ideas.copy", "y", "Copy", "Copy the idea, or the marked ones, to the clipboard and to a file."),
    Action("ideas.pane", "enter", "Detail", "Show or hide the detail pane."),
    Action("ideas.pane-down", "J,ctrl+d", "Detail down", "Scroll the detail pane down."),
    Action("ideas.pane-up", "K,ctrl+u", "Detail up", "Scroll the detail pane up."),
    Action("ideas.down", "j,down", "Down", "Go down.", hidden=True),
    Action("ideas.up", "k,up", "Up", "Go up.", hidden=True),
    Action("ideas.page-down", "pagedown,ctrl+f", "Page down", "Go down a page.", hidden=True),
    Action("ideas.page-up", "pageup,ctrl+b", "Page up", "Go up a page.", hidden=True),
    Action("ideas.first", "g,home", "First", "Go to the first idea.", hidden=True),
    Action("ideas.last", "G,end", "Last", "Go to the last idea.", hidden=True),
)
