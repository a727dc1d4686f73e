"""Where the data that ships with the program lies: beside the sources in a checkout, inside the wheel otherwise."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_folder(name: str) -> Path:
    """Return the folder ``templates`` or ``sample_papers``.

    Raises:
        FileNotFoundError: The installation lacks the folder.
    """
    for folder in (_PACKAGE / "_data" / name, _PACKAGE.parent.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"{name}: not part of this installation; install fairnad-tui again")


def template_file(*parts: str) -> Path:
    """Return the path of one file below ``templates/``."""
    return data_folder("templates").joinpath(*parts)
