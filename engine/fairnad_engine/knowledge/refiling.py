"""Where the ideas of a library go when its template becomes another one: by rule, or as a model files them.

Ideas stay where they are wherever that can be: only those whose sub-category is gone have to move, and of the others
only those that a new sub-category fits best. What a person wrote or filed is never moved to a new sub-category.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.cues import compile_cues, find_cues, fold
from fairnad_engine.knowledge.filing import LEAST, scores, weighed
from fairnad_engine.knowledge.likeness import likeness, vocabulary
from fairnad_engine.knowledge.template import Sub, Template
from fairnad_engine.knowledge.template_edit import Edit
from fairnad_engine.knowledge.template_history import affected
from fairnad_engine.knowledge.template_tree import render
from fairnad_engine.store import Store

Filer = Callable[[Mapping[str, str], Sequence[Sub]], Mapping[str, str]]
"""Files ideas, given as words by id, under one of some sub-categories; what it cannot file is missing."""


@dataclass(frozen=True)
class Preview:
    """What a change of the template would move.

    Attributes:
        moves: Number of ideas by former and new sub-category, most first.
        homeless: Number of ideas by sub-category that would be left without one.
    """

    moves: tuple[tuple[str, str, int], ...]
    homeless: tuple[tuple[str, int], ...]

    @property
    def moved(self) -> int:
        """Ideas that would move."""
        return sum(count for _, _, count in self.moves)

    @property
    def sources(self) -> dict[str, int]:
        """Number of ideas that would leave each sub-category."""
        found: Counter[str] = Counter()
        for source, _, count in self.moves:
            found[source] += count
        return dict(found)


def replaced(old: Template, new: Template, moved: Mapping[str, str], note: str) -> Edit:
    """A change that puts a whole template in the place of another.

    Args:
        old: The template as it is.
        new: What takes its place.
        moved: Where the ideas of former sub-categories go.
        note: What was done, in one line.

    Raises:
        InputError: ``moved`` names a sub-category that is not there.
    """
    before, after = {sub.id for sub in old.subs}, {sub.id for sub in new.subs}
    for source, target in moved.items():
        if source not in before:
            raise InputError(f"--move {source}={target}: today's template has no sub-category {source!r}")
        if target not in after:
            raise InputError(f"--move {source}={target}: the new template has no sub-category {target!r}")
    gone = tuple(sub.id for sub in old.subs if sub.id not in after)
    selected = next((sub.id for sub in new.subs if sub.id not in before), new.levels[0].id if new.levels else "")
    return Edit(old.digest, new, render(new), note, selected, gone, dict(moved))


def refiled(store: Store, edit: Edit, old: Template, filer: Filer | None = None) -> Edit:
    """A change with the places of the ideas that it makes homeless, or that a new sub-category fits better.

    Args:
        store: The workspace.
        edit: The change; where it says already where ideas go, that stands.
        old: The template that it changes.
        filer: Files ideas; the built-in rules where it is None.
    """
    new = edit.template
    added = {sub.id for sub in new.subs} - {sub.id for sub in old.subs}
    decided, kept = affected(store, edit), store.filing.by_people()
    gone = set(edit.gone)
    texts = [one for one in store.filing.all_texts() if one[0] not in decided]
    homeless = {id: _words(said) for id, sub, said in texts if sub in gone}
    places = dict(edit.places)
    if filer is None:
        places |= by_rule(homeless, new, must=True)
        others = {id: _words(said) for id, sub, said in texts if added and sub not in gone and id not in kept}
        places |= {id: sub for id, sub in by_rule(others, new).items() if sub in added}
    else:
        places |= filer(homeless, new.subs) if homeless else {}
        for main in sorted({sub.main for sub in new.subs if sub.id in added}):
            # Ideas that a new sub-category may fit better stand beside it.
            beside = {sub.id for sub in new.subs_of(main)} - added
            some = {id: _words(said) for id, sub, said in texts if sub in beside and id not in kept}
            found = filer(some, new.subs_of(main)) if some else {}
            places |= {id: sub for id, sub in found.items() if sub in added}
    return replace(edit, places=places)


def preview(store: Store, edit: Edit) -> Preview:
    """What a change would move, without doing it."""
    former = {id: sub for id, sub, _ in store.filing.all_texts()}
    places = affected(store, edit)
    moves = Counter((former[id], sub) for id, sub in places.items() if id in former and former[id] != sub)
    homeless = Counter(sub for id, sub in former.items() if sub in edit.gone and id not in places)
    ranked = sorted(moves.items(), key=lambda one: (-one[1], one[0]))
    return Preview(
        tuple((source, target, count) for (source, target), count in ranked), tuple(sorted(homeless.items()))
    )


def by_rule(ideas: Mapping[str, str], template: Template, *, must: bool = False) -> dict[str, str]:
    """File ideas by the cues in their words and by likeness to a sub-category's own.

    Args:
        ideas: Each idea's words, by its id.
        template: Under what they are filed.
        must: Whether weak evidence will do; an idea without any is missing all the same.
    """
    cues, known = compile_cues(template), vocabulary(template)
    places = {}
    for id, words in ideas.items():
        folded = fold(words)
        found = scores(folded, 0, find_cues(folded, cues))
        evidence = weighed(found, likeness(words, known))
        best = min(evidence.items(), key=lambda one: (-one[1], one[0]), default=None)
        if best is not None and (must or best[1] >= LEAST):
            places[id] = best[0]
    return places


def _words(texts: Iterable[str]) -> str:
    name, instruction, quote = texts
    return f"{name}. {instruction} ({quote})" if quote else f"{name}. {instruction}"


def summary(preview: Preview, known: Collection[str] = ()) -> list[str]:
    """A preview as lines; ``known`` are sub-categories to mark as new."""
    lines = [
        f"{count:>6,}  {source} -> {target}{' (new)' if target in known else ''}"
        for source, target, count in preview.moves
    ]
    return lines + [f"{count:>6,}  {sub} -> nowhere; say where with --move {sub}=ID" for sub, count in preview.homeless]
