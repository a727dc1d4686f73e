"""A run's recorded replies, as the designer of another run takes them (``run --replay RUN``)."""

from __future__ import annotations

from collections import defaultdict

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.protocol import ModelCall
from fairnad_engine.llm.replay import RecordedStep, ReplayDesigner
from fairnad_engine.search.config import RunConfig
from fairnad_engine.search.seeds import entropy
from fairnad_engine.store import Store

_RULES = "rules"


def replay_designer(store: Store, run_id: str, template: Template) -> ReplayDesigner:
    """Return the designer that answers as the model of a recorded run did.

    Args:
        store: The workspace that holds the run.
        run_id: The recorded run.
        template: The attribute template of that run.

    Raises:
        InputError: There is no such run, or no model's reply was recorded in it.
    """
    run = store.runs.get(run_id)
    if run.model == _RULES:
        raise InputError(f"{run_id} was designed by rules, which need no replay; start a run with its settings again")
    calls: dict[str, list[ModelCall]] = defaultdict(list)
    for row in store.calls.of_step(run_id):
        step, _, _ = row.key.rpartition("/")
        calls[step].append(
            ModelCall(
                purpose=row.purpose,
                model=row.model,
                prompt_hash=row.prompt_hash,
                prompt_tokens=row.prompt_tokens,
                completion_tokens=row.completion_tokens,
                seconds=row.seconds,
                reply=row.reply,
                digest=row.digest,
            )
        )
    if not calls:
        raise InputError(f"{run_id} has no recorded replies; start a run of its own, without --replay")
    stages = {(slot.generation, slot.slot): slot.stage for slot in store.runs.slots(run_id)}
    steps: dict[tuple[int, ...], RecordedStep] = {}
    for attempt in store.runs.attempts(run_id):
        place = (attempt.generation, attempt.slot, attempt.step, attempt.attempt)
        words = entropy(run.seed, place[0], stages[place[:2]], *place[1:], "design")  # as SlotRun seeds its tasks
        refused = attempt.design is None and attempt.failure == "truncated-reply"
        steps[words] = RecordedStep(
            "generation {}, slot {}, step {}, attempt {}".format(*place),
            tuple(calls["/".join(map(str, (run_id, *place)))]),
            attempt.message if refused else "",
        )
    return ReplayDesigner(run_id, run.model, steps, template, RunConfig.model_validate(run.config).model.edits)
