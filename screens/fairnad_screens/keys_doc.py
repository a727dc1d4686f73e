"""``docs/keys.md`` from the registry: ``python -m fairnad_screens.keys_doc > docs/keys.md``."""

from __future__ import annotations

import sys

from fairnad_screens.actions import SCOPES, Action, key_text

_TITLES = {
    "app": "Everywhere",
    "home": "Home",
    "papers": "Papers",
    "template": "Template",
    "ideas": "Ideas",
    "launch": "Launch",
    "search": "Search",
    "candidate": "Candidate",
    "runs": "Runs",
    "study": "Study",
}
_INTRO = """# Keys

Made from the registry of actions; a test keeps it so. `?` shows the keys of a screen, `Ctrl+P` finds any action by
name. Every key can be changed in `~/.config/fairnad-tui/config.toml`, by the name in the last column:

```toml
theme = "fairnad-dark"        # or fairnad-light, ansi-dark, ansi-light
[keys]
"ideas.approve" = "o"         # or several: "o,f2"
```
"""


def render_keys() -> str:
    """Return the whole document."""
    parts = [_INTRO]
    for scope, actions in SCOPES.items():
        parts.append(f"\n## {_TITLES[scope]}\n\n| key | what it does | name |\n|---|---|---|\n")
        parts.extend(_row(one) for one in actions if not one.hidden)
        moving = [one for one in actions if one.hidden]
        if moving:
            parts.append(f"\nMoving: {', '.join(_moving(one) for one in moving)}.\n")
    return "".join(parts)


def _moving(one: Action) -> str:
    return f"{_keys(one)} {one.label.lower()} (`{one.id}`)"


def _keys(one: Action) -> str:
    return ", ".join(f"`{key_text(key)}`" for key in one.key.split(","))


def _row(one: Action) -> str:
    keys = _keys(one).replace("|", "\\|")
    return f"| {keys} | {one.help} | `{one.id}` |\n"


if __name__ == "__main__":
    sys.stdout.write(render_keys())
