"""Actions of the launch screen."""

from __future__ import annotations

from fairnad_screens.actions.action import Action

ACTIONS: tuple[Action, ...] = (
    Action(
        "launch.edit",
        "enter",
        "Edit",
        "Change the selected setting; Enter again takes it, Esc leaves the field.",
        footer=True,
    ),
    Action("launch.start", "ctrl+r,f5", "Launch", "Start the search with these settings.", footer=True),
    Action("launch.preset", "p", "Preset", "Begin from settings that ship with the program.", footer=True),
    Action("launch.options", "o", "Options", "Choose the selected setting from what there is."),
    Action("launch.save", "w,ctrl+s", "Save", "Save the settings as the TOML file that --no-ui takes.", footer=True),
    Action("launch.open", "e", "Open file", "Take the settings of a TOML file of your own."),
    Action("launch.model", "m", "Model", "Choose the language model."),
    Action("launch.toml", "t", "TOML", "Show the settings as TOML, or what is missing."),
    Action("launch.forecast", "f", "Forecast", "Show hours, disk and bottleneck of the search, timing the seed first."),
    Action("launch.check", "c", "Check", "Look again at what is missing."),
    Action("launch.leave", "escape", "Leave field", "Leave the field, so that single keys work again."),
    Action("launch.down", "j,down", "Down", "Go to the next setting.", hidden=True),
    Action("launch.up", "k,up", "Up", "Go to the previous setting.", hidden=True),
    Action("launch.top", "g,home", "Top", "Go to the first setting.", hidden=True),
    Action("launch.bottom", "G,end", "Bottom", "Go to the button that launches.", hidden=True),
    Action("launch.next", "tab", "Next field", "Edit the next setting."),
    Action("launch.previous", "shift+tab", "Previous field", "Edit the previous setting.", hidden=True),
    Action("launch.right", "right", "Next value", "Take the next of the selected setting's values."),
    Action("launch.left", "left", "Previous value", "Take the previous of the selected setting's values.", hidden=True),
    Action("launch.scroll_down", "pagedown", "Scroll", "Scroll the TOML or the list of what is missing."),
    Action("launch.scroll_up", "pageup", "Scroll up", "Scroll it back.", hidden=True),
)
