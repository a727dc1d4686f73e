"""A text in the user's own editor, while the application steps aside."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from fairnad_screens.actions import key_of

_NOTE = "# Lines that begin with # are left out. An empty text changes nothing."


class EditorProblem(Exception):
    """The editor could not be used; the message says what to do."""


def edit_text(app: App[Any], text: str) -> str | None:
    """Open a text in ``$VISUAL``, ``$EDITOR`` or ``vi`` and return what was saved; None where nothing was left.

    Raises:
        EditorProblem: There is no such editor, it failed, or the terminal cannot be handed over.
    """
    here = f"press {key_of('ideas.edit')} to edit here"
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="fairnad-tui-") as folder:
        file = Path(folder) / "idea.txt"
        file.write_text(f"{text}\n\n{_NOTE}\n", "utf-8")
        try:
            with app.suspend():
                done = subprocess.run([*shlex.split(command), str(file)], check=False)
        except SuspendNotSupported as error:
            raise EditorProblem(f"this terminal cannot be handed to an editor; {here}") from error
        except (OSError, ValueError) as error:
            raise EditorProblem(f"$EDITOR: {command!r} cannot be started ({error}); {here}") from error
        if done.returncode:
            raise EditorProblem(f"$EDITOR: {command!r} ended with {done.returncode}; nothing was changed")
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise EditorProblem(f"the edited text cannot be read ({error}); nothing was changed") from error
    kept = " ".join(line for line in lines if not line.startswith("#"))
    return " ".join(kept.split()) or None
