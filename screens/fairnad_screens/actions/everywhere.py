"""Actions of every screen."""

from __future__ import annotations

from fairnad_screens.actions.action import Action

ACTIONS = (
    Action("app.help", "question_mark", "Help", "Show what every key here does.", footer=True),
    Action("app.palette", "ctrl+p", "Palette", "Find any action by name."),
    Action(
        "app.back", "q", "Back", "Go back; on the home screen, leave. Searches go on in the background.", footer=True
    ),
    Action("app.quit", "ctrl+q", "Leave", "Leave from anywhere; searches go on in the background."),
    Action("app.home", "H", "Home", "Go to the workspace at a glance."),
    Action("app.papers", "P", "Papers", "Go to the papers."),
    Action("app.template", "T", "Template", "Go to the attribute template."),
    Action("app.ideas", "I", "Ideas", "Go to the curation desk."),
    Action("app.launch", "L", "Launch", "Go to the form that starts a search."),
    Action("app.search", "S", "Search", "Go to the live search desk."),
    Action("app.runs", "R", "Runs", "Go to runs and reports."),
    Action("app.theme", "ctrl+t", "Theme", "Change to the next theme."),
)
