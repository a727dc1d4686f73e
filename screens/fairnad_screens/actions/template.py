"""Actions of the template screen."""

from __future__ import annotations

from fairnad_screens.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("template.new", "n", "New", "Add a sub-category here, or a main category under a level.", footer=True),
    Action(
        "template.edit", "e", "Edit", "Change name, definition, cues, examples, signature or opposite.", footer=True
    ),
    Action("template.move", "m", "Move", "Put the sub-category under another main category.", footer=True),
    Action(
        "template.undo",
        "u",
        "Undo",
        "Go back to the template before the last change; its ideas go back too.",
        footer=True,
    ),
    Action("template.merge", "M", "Merge", "Make the sub-category part of another one, which takes its ideas."),
    Action("template.split", "X", "Split", "Make a new sub-category of the ideas that contain certain words."),
    Action("template.delete", "x", "Delete", "Delete the category; another one takes its ideas."),
    Action(
        "template.proposals",
        "p",
        "Proposals",
        "Go through the categories that a model proposes; accept or refuse each.",
    ),
    Action("template.propose", "o", "Propose", "Let a model read the papers for categories that the template lacks."),
    Action("template.ideas", "i", "Its ideas", "Go to the ideas of this category."),
    Action("template.open", "enter", "Open", "Fold or unfold the category; show all about a sub-category."),
    Action("template.fold", "h,left", "Fold", "Fold the category, or go up to the one it is in."),
    Action("template.unfold", "l,right", "Unfold", "Unfold the category, or go into it."),
    Action("template.fold-all", "z", "Fold all", "Fold all main categories, or unfold them."),
    Action("template.filter", "slash", "Filter", "Filter as you type: words of names, definitions and cues."),
    Action("template.clear", "escape", "Clear", "Leave the filter as it was before typing; else clear it."),
    Action("template.pane-down", "J,ctrl+d", "Detail down", "Scroll the detail pane down."),
    Action("template.pane-up", "K,ctrl+u", "Detail up", "Scroll the detail pane up."),
    Action("template.down", "j,down", "Down", "Go down.", hidden=True),
    Action("template.up", "k,up", "Up", "Go up.", hidden=True),
    Action("template.page-down", "pagedown,ctrl+f", "Page down", "Go down a page.", hidden=True),
    Action("template.page-up", "pageup,ctrl+b", "Page up", "Go up a page.", hidden=True),
    Action("template.first", "g,home", "First", "Go to the first category.", hidden=True),
    Action("template.last", "G,end", "Last", "Go to the last category.", hidden=True),
)
