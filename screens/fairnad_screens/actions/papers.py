"""Actions of the papers screen."""

from __future__ import annotations

from fairnad_screens.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action("papers.add", "a", "Add", "Add a file or a folder of papers, or the samples that ship.", footer=True),
    Action("papers.structure", "s", "Structure", "Let the model screen papers and extract their ideas.", footer=True),
    Action("papers.model", "M", "Model", "Choose the model that reads papers.", footer=True),
    Action("papers.lanes", "n", "At a time", "Say how many papers the model reads at a time."),
    Action("papers.probe", "t", "Try model", "Try what the model can do (context, schema, speed)."),
    Action("papers.calls", "c", "Calls", "Show what all calls of models took, by purpose: tokens, seconds, speed."),
    Action("papers.override", "o", "Keep/leave", "Keep a paper that was left out, or leave it out.", footer=True),
    Action("papers.pause", "p", "Pause", "Pause the structuring after the papers in hand, or resume it."),
    Action("papers.stop", "x", "Stop", "Stop the structuring after the papers in hand; the second time at once."),
    Action(
        "papers.streams", "w", "Look on", "Show what the model writes about all papers in hand; again: the paper here."
    ),
    Action("papers.ideas", "i", "Its ideas", "Go to the ideas of this paper."),
    Action("papers.open", "enter", "Whole paper", "Show everything about the paper, its abstract included."),
    Action("papers.filter", "slash", "Filter", "Filter as you type: words of title, authors, year or status."),
    Action("papers.clear", "escape", "Clear", "Leave the filter as it was before typing; else clear it."),
    Action("papers.pane-down", "J,ctrl+d", "Detail down", "Scroll the detail pane down."),
    Action("papers.pane-up", "K,ctrl+u", "Detail up", "Scroll the detail pane up."),
    Action("papers.down", "j,down", "Down", "Go down.", hidden=True),
    Action("papers.up", "k,up", "Up", "Go up.", hidden=True),
    Action("papers.page-down", "pagedown,ctrl+f", "Page down", "Go down a page.", hidden=True),
    Action("papers.page-up", "pageup,ctrl+b", "Page up", "Go up a page.", hidden=True),
    Action("papers.first", "g,home", "First", "Go to the first paper.", hidden=True),
    Action("papers.last", "G,end", "Last", "Go to the last paper.", hidden=True),
)
