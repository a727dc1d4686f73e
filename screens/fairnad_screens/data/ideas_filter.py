"""The filter of the curation desk: words that match the text, and tokens such as ``status:proposed``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fairnad_engine.store.ideas import STATUSES

ORIGINS = ("extracted", "own", "imported", "derived")
KEYS = ("status", "cat", "paper", "grounded", "origin")
# key:value, key:"several words", or a word; a quote that is not closed yet reaches to the end.
_TOKEN = re.compile(r'(\w+):(?=\s|$)|(?:(\w+):)?(?:"([^"]*)(?:"|$)|(\S+))')


class Filtered(Protocol):
    """What a filter asks of an idea; ``search`` is its text, case-folded."""

    @property
    def status(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def sub(self) -> str: ...
    @property
    def paper_id(self) -> str | None: ...
    @property
    def origin(self) -> str: ...
    @property
    def grounded(self) -> bool: ...
    @property
    def search(self) -> str: ...


@dataclass(frozen=True)
class IdeaFilter:
    """What is asked for; all of it must hold. ``problem`` says what cannot hold for any idea."""

    words: tuple[str, ...] = ()
    tokens: tuple[tuple[str, str], ...] = ()
    problem: str = ""

    @classmethod
    def parse(cls, text: str) -> IdeaFilter:
        """Read what was typed; every text is a filter, so that it can be applied with each key."""
        words, tokens, problems = [], [], []
        for match in _TOKEN.finditer(text):
            key = match.group(1) or match.group(2)
            value = match.group(3) or match.group(4) or ""
            folded = value.casefold()
            if key is None or key.casefold() not in KEYS:
                words.append(match.group().replace('"', "").casefold())
            elif folded:
                tokens.append((key.casefold(), folded))
                problems.append(_problem(key.casefold(), folded))
        return cls(tuple(filter(None, words)), tuple(tokens), next(filter(None, problems), ""))

    def matches(self, lines: Sequence[Filtered], papers: Mapping[str, str]) -> list[int]:
        """Positions of the lines that match.

        Args:
            lines: The ideas.
            papers: Case-folded titles by id.
        """
        if self.problem:
            return []
        found: Sequence[int] = range(len(lines))
        for key, value in self.tokens:
            test = _test(key, value, papers)
            found = [i for i in found if test(lines[i])]
        for word in self.words:
            found = [i for i in found if word in lines[i].search]
        return list(found)

    def accepts(self, line: Filtered, papers: Mapping[str, str]) -> bool:
        """Whether one line matches."""
        return bool(self.matches((line,), papers))


def with_status(text: str, status: str | None) -> str:
    """A filter's text with another status, or with none."""
    rest = " ".join(re.sub(r"(?i)(?<!\S)status:\S*", " ", text).split())
    return rest if status is None else f"status:{status} {rest}".strip()


def status_in(text: str) -> str | None:
    """The status that a filter asks for, where it is written out."""
    return next((v for k, v in IdeaFilter.parse(text).tokens if k == "status" and v in STATUSES), None)


def _problem(key: str, value: str) -> str:
    known = {"status": STATUSES, "grounded": ("yes", "no"), "origin": ORIGINS}.get(key)
    if known is None or any(one.startswith(value) for one in known):
        return ""
    return f"{key}: is one of {', '.join(known)}"


def _test(key: str, value: str, papers: Mapping[str, str]) -> Callable[[Filtered], bool]:
    if key == "status":
        return lambda line: line.status.startswith(value)
    if key == "origin":
        return lambda line: line.origin.startswith(value)
    if key == "grounded":
        wanted = "yes".startswith(value)
        return lambda line: line.origin != "derived" and line.grounded == wanted  # there is nothing to ground those in
    if key == "cat":
        return lambda line: line.sub.startswith(value) or line.level == value
    words = value.split()
    chosen = {
        paper for paper, title in papers.items() if paper.startswith(value) or all(word in title for word in words)
    }
    return lambda line: line.paper_id in chosen
