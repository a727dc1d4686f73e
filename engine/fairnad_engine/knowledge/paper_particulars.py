"""A paper's particulars as people write them: front matter, lists of authors, nested metadata."""

from __future__ import annotations

import re

from fairnad_engine.knowledge.text_bytes import clean


class FrontMatterError(Exception):
    """Front matter that is not YAML; ``line`` is the place in the file."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def front_matter(text: str) -> tuple[dict[str, str], str, int]:
    """Return the particulars in a text's YAML front matter, the text after it, and how many lines it took.

    Raises:
        FrontMatterError: The front matter is not YAML.
    """
    match = re.match(r"\s*---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", text, re.DOTALL)
    if not match:
        return {}, text, 0
    import yaml

    before = text.count("\n", 0, match.start(1))
    try:
        # BaseLoader makes only strings, lists and mappings: safe, and arXiv ids keep their zeros.
        given = yaml.load(match[1], Loader=yaml.BaseLoader)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = before + 1 + (mark.line if mark else 0)
        raise FrontMatterError("the front matter is not valid YAML; mend it or take it out", line) from error
    if not isinstance(given, dict):
        return {}, text, 0
    lowered = {str(key).lower(): listed(value) for key, value in given.items()}
    keys = {"author": "authors", "arxiv_id": "arxiv"}
    return (
        {keys.get(key, key): value for key, value in lowered.items()},
        text[match.end() :],
        text.count("\n", 0, match.end()),
    )


def listed(value: object) -> str:
    """Return a value of JSON or YAML as one string, the members of a list divided by semicolons."""
    if isinstance(value, dict):
        return listed(value.get("name"))
    if isinstance(value, list):
        return "; ".join(filter(None, map(listed, value)))
    return "" if value is None else clean(str(value)).strip()


def split_authors(written: str) -> tuple[str, ...]:
    """Return the names in ``A, B and C`` or ``B, A; D, C``."""
    separator = ";" if ";" in written else ","
    names = re.split(rf"{separator}\s*(?:and\s+)?|\s+and\s+", written)
    return tuple(" ".join(name.split()) for name in names if name.strip())
