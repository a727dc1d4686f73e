"""Designs by catalogue: a model picks a transformation and its parameters, the program applies it.

Coarse choices of what and where made from a list, and details by a model, do better than free code (method, section 7:
tree edits with a model's detail 40.78 against 28.62). What the model leaves open is drawn by the task's seed.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from fairnad_engine.llm.edits import EditMismatchError
from fairnad_engine.llm.protocol import DesignTask, IdeaBrief, Purpose
from fairnad_engine.llm.rules.blueprint import Blueprint
from fairnad_engine.llm.rules.catalogue import HYPERPARAMETERS, INVERSES, TRANSFORMATIONS, Transformation
from fairnad_engine.llm.rules.catalogue.draw import Change, Draw
from fairnad_engine.llm.rules.cost import count
from fairnad_engine.llm.rules.designer import expressing, idea_sub
from fairnad_engine.llm.rules.geometry import InvalidBlueprintError
from fairnad_engine.llm.rules.opposites import ANTONYMS, CONTRASTS
from fairnad_engine.llm.rules.render import render, render_code
from fairnad_engine.llm.rules.scaling import refit

T = TypeVar("T")
Value = float | str
Arguments = Mapping[str, Value]

ARGUMENTS = (
    "stage", "block", "kind", "kernel", "groups", "dilation", "expansion", "reduction", "heads", "window", "patch",
    "rate", "count",
)  # fmt: skip
"""Everything that a transformation may be told: where, which kind, and numbers."""

_PROBES = 12
_TRIES = 24
_NARROWEST = 0.3  # a child too dear even at this width is not worth the verifier's time


class _ImpossibleError(Exception):
    """What was asked for is not among what can be done here."""


@dataclass(frozen=True)
class Offer:
    """A transformation that changes this parent, and what it may be told.

    Attributes:
        transformation: The transformation.
        arguments: Possible values by argument, in words.
    """

    transformation: Transformation
    arguments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name in the catalogue."""
        return self.transformation.name

    @property
    def line(self) -> str:
        """One line for a prompt."""
        takes = "; ".join(f"{name}: {', '.join(values)}" for name, values in self.arguments.items())
        return f"{self.name}: {self.transformation.description}" + (f" Arguments: {takes}" if takes else "")


@dataclass(frozen=True)
class Picked:
    """A child made by the catalogue.

    Attributes:
        source: The rendered child.
        change: What was done, in one line.
        sub: The sub-category whose idea it applies; empty for a hyper-parameter.
        idea: The idea that was derived, where the task asked for one.
    """

    source: str
    change: str
    sub: str
    idea: IdeaBrief | None


def offers(task: DesignTask, goal: Purpose, parent: Blueprint) -> tuple[Offer, ...]:
    """What the model may pick from: of the idea's sub-category first, then of its main category.

    Only what really changes this parent is offered; whether it does is tried with fixed seeds.
    """
    found = []
    for one in _candidates(task, goal, parent):
        arguments = _probe(one, task, parent)
        if arguments is not None:
            found.append(Offer(one, arguments))
    return tuple(found)


def pick(
    task: DesignTask, goal: Purpose, parent: Blueprint, offered: Sequence[Offer], name: str, arguments: Arguments
) -> Picked:
    """Apply the transformation that was picked.

    Raises:
        EditMismatchError: It is not offered, or cannot be done as it was asked for; the message says what can.
    """
    offer = _offer(name, offered)
    wanted = {key: value for key, value in arguments.items() if value not in (0, "")}
    taken = {key: value for key, value in wanted.items() if key in offer.arguments}
    change = _apply(offer, task, parent, taken)
    ignored = sorted(set(wanted) - set(taken))
    text = f"{offer.name}: {change.text}" + (f" (it takes no {', '.join(ignored)})" if ignored else "")
    if goal is Purpose.HYPERPARAMETER:
        return Picked(render(change.blueprint), text, "", None)
    origin = idea_sub(task.idea) if task.idea else parent.last
    subs = offer.transformation.subs
    sub = origin if origin in subs else subs[0]
    idea = None
    if goal is not Purpose.IDEA:
        instruction = f"{offer.transformation.description} Here: {change.text}."
        idea = IdeaBrief("", sub.partition(".")[0], sub, offer.name.replace("-", " "), instruction)
    return Picked(render(replace(change.blueprint, last=sub)), text, sub, idea)


def _candidates(task: DesignTask, goal: Purpose, parent: Blueprint) -> Iterable[Transformation]:
    if goal is Purpose.HYPERPARAMETER:
        return HYPERPARAMETERS.values()
    sub = idea_sub(task.idea) if task.idea else parent.last
    if not sub:
        return TRANSFORMATIONS.values()
    if goal is Purpose.OPPOSITE:
        opposite = expressing(TRANSFORMATIONS, ANTONYMS.get(sub, ())) + expressing(INVERSES, (sub,))
        return opposite or expressing(TRANSFORMATIONS, CONTRASTS.get(sub, ()))
    main = sub.partition(".")[0]
    own = expressing(TRANSFORMATIONS, (sub,))
    siblings = [t for t in TRANSFORMATIONS.values() if any(one.partition(".")[0] == main for one in t.subs)]
    return [*own, *(one for one in siblings if one not in own)]


def _probe(one: Transformation, task: DesignTask, parent: Blueprint) -> dict[str, tuple[str, ...]] | None:
    """What a transformation may be told on this parent, or None where it changes nothing."""
    seen: dict[str, dict[str, None]] = {}
    works = False
    for number in range(_PROBES):
        draw = _Directed(np.random.default_rng(number), task.input_shape, {}, seen)
        if not works:
            works = isinstance(_attempt(one, draw, task, parent), Change)
        else:  # only its questions are of interest any more, and rendering is what takes time
            with suppress(InvalidBlueprintError):
                one.apply(parent, draw)
    if not works:
        return None
    return {name: tuple(sorted(seen[name], key=_by_number)) for name in ARGUMENTS if len(seen.get(name, ())) > 1}


def _offer(name: str, offered: Sequence[Offer]) -> Offer:
    for one in offered:
        if one.name == name.strip():
            return one
    names = [one.name for one in offered]
    nearest = difflib.get_close_matches(name.strip().lower().replace(" ", "-").replace("_", "-"), names, 3, 0.3)
    raise EditMismatchError(f"no transformation {name[:60]!r} is offered; nearest: {', '.join(nearest or names[:3])}")


def _apply(offer: Offer, task: DesignTask, parent: Blueprint, arguments: Arguments) -> Change:
    words = [int(word) for word in (*task.entropy, task.attempt)]
    rng = np.random.default_rng(np.random.SeedSequence(words))
    reasons: dict[str, None] = {}
    for _ in range(_TRIES):
        draw = _Directed(rng, task.input_shape, arguments, {}, task.idea.instruction if task.idea else "")
        done = _attempt(offer.transformation, draw, task, parent)
        if isinstance(done, Change):
            return done
        reasons.setdefault(done)
    told = ", ".join(f"{key} {_shown(value)}" for key, value in arguments.items())
    raise EditMismatchError(f"{offer.name}{f' with {told}' if told else ''}: {'; '.join(list(reasons)[:3])}")


def _attempt(one: Transformation, draw: Draw, task: DesignTask, parent: Blueprint) -> Change | str:
    """A change that works on the task's images and can be made to fit, or why there is none."""
    try:
        change = one.apply(parent, draw)
        if change is None:
            return "nothing there to change"
        blueprint = refit(change.blueprint, task.input_shape)
        if render_code(blueprint) == render_code(parent):
            return "it changes nothing"
        params, macs = count(blueprint, task.input_shape, task.num_classes, _NARROWEST)
    except (InvalidBlueprintError, _ImpossibleError) as error:
        return str(error)
    if params > task.max_params or macs > task.max_macs:
        return "too dear at any width"
    return Change(blueprint, change.text)


class _Directed(Draw):
    """Choices as a model made them, where it did; notes what there was to choose from."""

    def __init__(
        self,
        rng: np.random.Generator,
        input_shape: tuple[int, int, int],
        arguments: Arguments,
        seen: dict[str, dict[str, None]],
        instruction: str = "",
    ) -> None:
        super().__init__(rng, input_shape, instruction)
        self._arguments = arguments
        self._seen = seen

    def number(self, kind: str, options: Sequence[T]) -> T:
        """Return the number that was picked."""
        return self._chosen(kind, options, lambda: super(_Directed, self).number(kind, options))

    def named(self, options: Mapping[T, str]) -> T:
        """Return the kind that was picked."""
        return self._chosen("kind", list(options), lambda: super(_Directed, self).named(options))

    def scope(self, places: Sequence[tuple[int, ...]]) -> list[tuple]:  # type: ignore[type-arg]
        """Return the places of the stage and block that were picked."""
        self._note("stage", {place[0] + 1 for place in places})
        self._note("block", {place[1] + 1 for place in places})
        stage, block = self._arguments.get("stage"), self._arguments.get("block")
        if not places or (stage is None and block is None):
            return super().scope(places)
        inside = [
            place for place in places if stage in (None, float(place[0] + 1)) and block in (None, float(place[1] + 1))
        ]
        if not inside:
            possible = ", ".join(f"{s + 1}.{i + 1}" for s, i in sorted({(p[0], p[1]) for p in places})[:20])
            raise _ImpossibleError(f"nothing to change there; possible places (stage.block): {possible}")
        return inside

    def _chosen(self, kind: str, options: Sequence[T], otherwise: Callable[[], T]) -> T:
        self._note(kind, options)
        value = self._arguments.get(kind)
        if value is None:
            return otherwise()
        for option in options:
            if _shown(option) == _shown(value):
                return option
        raise _ImpossibleError(f"{kind} is one of: {', '.join(map(_shown, options))}")

    def _note(self, kind: str, options: Iterable[object]) -> None:
        self._seen.setdefault(kind, {}).update(dict.fromkeys(map(_shown, options)))


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _by_number(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return 0.0, text
