"""The ``rules`` designer: ideas become transformations of the parent's blueprint, drawn at random and rendered.

It is a baseline that needs no model, and the ablation against which a language model's designs are measured. It
reads no error messages: what the verifier sends back it draws anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from ..derived import derived_idea
from ..protocol import Design, DesignRefusedError, DesignTask, EditType, IdeaBrief, Purpose
from . import rewrites
from .blueprint import Blueprint
from .catalogue import HYPERPARAMETERS, INVERSES, TRANSFORMATIONS, Transformation
from .catalogue.draw import Change, Draw
from .cost import count
from .geometry import InvalidBlueprintError
from .opposites import ANTONYMS, CONTRASTS
from .render import parse, render, render_code
from .scaling import Budget, grow, refit, shrink

_TRIES = 64
_NARROWEST = 0.3  # a child too dear even at this width is not worth the verifier's time
_INEXPRESSIBLE = "inexpressible"
# What a design that is made smaller still is to its parent.
_SHRUNK = {
    Purpose.IDEA: EditType.STRUCTURAL,
    Purpose.SIMILAR: EditType.STRUCTURAL,
    Purpose.OPPOSITE: EditType.STRUCTURAL,
    Purpose.HYPERPARAMETER: EditType.HYPERPARAMETER,
}


class RulesDesigner:
    """Designs by rule; see :class:`fairnad_engine.llm.protocol.Designer`."""

    name = "rules"

    def design(self, task: DesignTask) -> Design:
        """Return a child of the task's parent.

        Raises:
            DesignRefusedError: ``inexpressible``: no rule expresses the task on this parent.
        """
        words = [*task.entropy, task.attempt]
        rng = np.random.default_rng(np.random.SeedSequence([int(word) for word in words]))
        if task.purpose is Purpose.DOWNSCALE:
            edit = _SHRUNK.get(task.original, EditType.CAPACITY) if task.original else EditType.CAPACITY
            return replace(_downscale(task), edit_type=edit, derived=task.derived)
        purpose = _purpose(task)
        parent = parse(task.parent_source)
        if parent is None:
            return _rewrite(task, purpose, rng)
        if purpose is Purpose.SCALE_UP:
            return _scale_up(task, parent, rng)
        if purpose is Purpose.SCALE_DOWN:
            return _scale_down(task, parent, rng)
        if purpose is Purpose.HYPERPARAMETER:
            options = _shuffled(HYPERPARAMETERS.values(), rng)
            _, change = _first_change(task, parent, options, rng)
            return Design(render(change.blueprint), change.text, EditType.HYPERPARAMETER)
        return _apply_idea(task, parent, purpose, rng)


def _purpose(task: DesignTask) -> Purpose:
    """Return what is asked for; to debug is to draw the original design anew."""
    if task.purpose is not Purpose.DEBUG:
        return task.purpose
    return task.original or (Purpose.IDEA if task.idea else Purpose.HYPERPARAMETER)


def idea_sub(idea: IdeaBrief) -> str:
    """Return the full id of an idea's sub-category, for example ``conv.depthwise``."""
    return idea.sub if "." in idea.sub else f"{idea.main}.{idea.sub}"


def expressing(table: dict[str, Transformation], subs: Iterable[str]) -> list[Transformation]:
    """Return the transformations of a table that stand for one of the sub-categories."""
    wanted = set(subs)
    return [t for t in table.values() if wanted & set(t.subs)]


def _shuffled(items: Iterable[Transformation], rng: np.random.Generator) -> list[Transformation]:
    found = list(items)
    return [found[int(n)] for n in rng.permutation(len(found))]


def _apply_idea(task: DesignTask, parent: Blueprint, purpose: Purpose, rng: np.random.Generator) -> Design:
    sub = idea_sub(task.idea) if task.idea else parent.last
    if purpose is Purpose.IDEA and not sub:
        raise DesignRefusedError(_INEXPRESSIBLE, "no idea was given")
    options = _options(sub, purpose, rng)
    if not options:
        raise DesignRefusedError(_INEXPRESSIBLE, f"no rule expresses ideas of {sub}")
    chosen, change = _first_change(task, parent, options, rng)
    derived = None
    if purpose is not Purpose.IDEA:
        target = chosen.subs[0] if sub not in chosen.subs else sub
        told = f"{chosen.description} Here: {change.text}."
        derived = derived_idea(target, chosen.name.replace("-", " "), told)
        sub = target
    source = render(replace(change.blueprint, last=sub))
    return Design(source, change.text, EditType.STRUCTURAL, derived)


def _options(sub: str, purpose: Purpose, rng: np.random.Generator) -> list[Transformation]:
    """Return the transformations to try, best first."""
    if purpose is not Purpose.OPPOSITE:
        # Stage III may start from a parent whose idea is unknown: any idea is then as similar as another.
        same = _shuffled(expressing(TRANSFORMATIONS, (sub,)) if sub else TRANSFORMATIONS.values(), rng)
        if purpose is not Purpose.SIMILAR or not same:
            return same
        # A parent may hold all that its sub-category has to give: its siblings are the next most similar.
        main = f"{sub.split('.')[0]}."
        siblings = [t for t in TRANSFORMATIONS.values() if t not in same and any(s.startswith(main) for s in t.subs)]
        return same + _shuffled(siblings, rng)
    antonyms = _shuffled(expressing(TRANSFORMATIONS, ANTONYMS.get(sub, ())), rng)
    inverses = _shuffled(expressing(INVERSES, (sub,)) if sub else INVERSES.values(), rng)
    contrasts = _shuffled(expressing(TRANSFORMATIONS, CONTRASTS.get(sub, ())), rng)
    # An antonym leads on; taking the idea back alone often leads to the grandparent.
    first = antonyms + inverses if rng.random() < 0.75 else inverses + antonyms
    return first + contrasts


def _first_change(
    task: DesignTask, parent: Blueprint, options: Sequence[Transformation], rng: np.random.Generator
) -> tuple[Transformation, Change]:
    """Return the first transformation that really changes the parent, with its change.

    Raises:
        DesignRefusedError: None of many places and parameters changes anything.
    """
    before = render_code(parent)
    remembered = {outcome.change for outcome in task.memory}
    instruction = task.idea.instruction if task.idea and task.purpose in (Purpose.IDEA, Purpose.DEBUG) else ""
    fallback: tuple[Transformation, Change] | None = None
    reasons: list[str] = []
    for option in options:
        for attempt in range(_TRIES // min(len(options), 4)):
            change = _try(option.apply, parent, Draw(rng, task.input_shape, instruction, attempt), task, reasons)
            if change is None or render_code(change.blueprint) == before:
                continue
            if change.text not in remembered:
                return option, change
            fallback = fallback or (option, change)
    if fallback is not None:
        return fallback
    names = ", ".join(option.name for option in options[:3])
    why = reasons[-1] if reasons else "nothing in this backbone to change"
    raise DesignRefusedError(_INEXPRESSIBLE, f"{names}: {why}")


def _try(
    apply: Callable[[Blueprint, Draw], Change | None],
    parent: Blueprint,
    draw: Draw,
    task: DesignTask,
    reasons: list[str],
) -> Change | None:
    """Return a change that works on the task's images and can be made to fit, else None with the reason noted."""
    try:
        change = apply(parent, draw)
        if change is None:
            return None
        blueprint = refit(change.blueprint, task.input_shape)
        params, macs = count(blueprint, task.input_shape, task.num_classes, _NARROWEST)
    except InvalidBlueprintError as error:
        reasons.append(str(error))
        return None
    if params > task.max_params or macs > task.max_macs:
        reasons.append("too dear at any width")
        return None
    return Change(blueprint, change.text)


def _budget(task: DesignTask) -> Budget:
    return Budget(task.input_shape, task.num_classes, task.max_params, task.max_macs)


def _scale_up(task: DesignTask, parent: Blueprint, rng: np.random.Generator) -> Design:
    """Widen or deepen into the slack; a parent that was trained narrower than its blueprint starts from there."""
    budget, start = _budget(task), parent
    try:
        if not budget.holds(parent):
            trained = Budget(task.input_shape, task.num_classes, task.parent_params * 1.02, task.parent_macs * 1.02)
            start = shrink(parent, trained, least=0.0) or parent
        grown = grow(start, budget, rng)
    except InvalidBlueprintError as error:
        raise DesignRefusedError(_INEXPRESSIBLE, str(error)) from error
    if grown is None:
        raise DesignRefusedError(_INEXPRESSIBLE, "no slack under the budgets to scale into")
    return Design(render(refit(grown[0], task.input_shape)), grown[1], EditType.CAPACITY)


def _scale_down(task: DesignTask, parent: Blueprint, rng: np.random.Generator) -> Design:
    """Narrow (then shorten) to between a half and an eighth of what the parent costs, drawn evenly on a log scale.

    Against the blueprint's own cost: a width below 1 that the parent was trained with is the child's too.
    """
    share = 2.0 ** -rng.uniform(1.0, 3.0)
    try:
        old = _budget(task).cost(parent)
        smaller = shrink(parent, Budget(task.input_shape, task.num_classes, old[0] * share, old[1] * share))
    except InvalidBlueprintError as error:
        raise DesignRefusedError(_INEXPRESSIBLE, str(error)) from error
    if smaller is None:
        raise DesignRefusedError(_INEXPRESSIBLE, f"no width or depth brings it to {share:.2f} of its cost")
    new = _budget(task).cost(smaller)
    text = f"scaled down from {old[0]:,} to {new[0]:,} parameters, {old[1]:,} to {new[1]:,} MACs"
    return Design(render(smaller), text, EditType.CAPACITY)


def _downscale(task: DesignTask) -> Design:
    """Narrow (then shorten) the design that was over budget; the idea's change stays."""
    source = task.previous_source or task.parent_source
    previous = parse(source)
    fill = max(0.3, 0.97 - 0.12 * max(0, task.attempt - 1))
    if previous is None:
        return rewrites.narrowed(source, 0.85 * 0.8 ** max(0, task.attempt - 1))
    budget = _budget(task)
    try:
        start = previous if not budget.holds(previous, fill) else None
        smaller = shrink(start, budget, fill) if start is not None else _smaller(previous, budget)
    except InvalidBlueprintError as error:
        raise DesignRefusedError(_INEXPRESSIBLE, str(error)) from error
    if smaller is None:
        raise DesignRefusedError(_INEXPRESSIBLE, "the budgets are too small for this backbone at any width or depth")
    old, new = budget.cost(previous), budget.cost(smaller)
    text = f"scaled down from {old[0]:,} to {new[0]:,} parameters, {old[1]:,} to {new[1]:,} MACs"
    return Design(render(smaller), text, EditType.CAPACITY)


def _smaller(b: Blueprint, budget: Budget) -> Blueprint | None:
    """Shrink what fits by the estimate and yet was sent back."""
    params, macs = budget.cost(b)
    return shrink(b, replace(budget, params=0.8 * params, macs=0.8 * macs))


def _rewrite(task: DesignTask, purpose: Purpose, rng: np.random.Generator) -> Design:
    """Design for a parent that is not in blueprint form, by conservative rewrites of its source."""
    if purpose is Purpose.SCALE_UP:
        slack = min(task.max_params / max(1, task.parent_params), task.max_macs / max(1, task.parent_macs))
        return rewrites.widened(task.parent_source, slack, rng)
    if purpose is Purpose.SCALE_DOWN:
        return rewrites.narrowed(task.parent_source, 2.0 ** -rng.uniform(0.5, 1.5))  # costs go by the width's square
    sub = idea_sub(task.idea) if task.idea else ""
    subs: tuple[str, ...] = (sub,) if sub else ()
    if purpose is Purpose.OPPOSITE and sub:
        subs = ANTONYMS.get(sub, ()) + CONTRASTS.get(sub, ())
    return rewrites.rewrite(task, purpose, subs, rng)
