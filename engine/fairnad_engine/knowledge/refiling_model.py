"""Filing ideas by a model, so that a preview and what is done afterwards agree: no question is asked twice.

Each reply is kept by the hash of all that decides it (weights, prompt, settings) before it is used. What is carried out
after a preview takes the preview's answers, unusable ones included, while neither template, ideas nor model change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.refiling import Filer
from fairnad_engine.knowledge.template import Sub
from fairnad_engine.llm.kept import KeptChat, KeptReply
from fairnad_engine.llm.protocol import ModelCall
from fairnad_engine.store import Store

STEP = "refile"
"""The step, and in place of a job, in whose accounts the calls stand."""


class RefilingKeeper:
    """Replies about where ideas go, kept on the thread that asks, which owns the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, request: str) -> KeptReply | None:
        """See :class:`fairnad_engine.llm.kept.Keeper`."""
        return self._store.calls.kept(request, STEP)

    def keep(self, calls: tuple[ModelCall, ...]) -> None:
        """See :class:`fairnad_engine.llm.kept.Keeper`."""
        self._store.calls.record(f"{STEP}/{calls[-1].request[:24]}", calls, job_id=STEP, run_id=None)


def model_filer(store: Store, llm: str, told: Callable[[str], None] = lambda _: None) -> Filer:
    """A model that files ideas.

    Args:
        store: The workspace, in which its calls are accounted and its replies kept.
        llm: The model as the user names it.
        told: Told in words what is asked and what is left unanswered.

    Raises:
        InputError: ``llm`` is of no known form, or ``rules``, which is no model.
        ModelUnavailableError: The model or its server is missing.
    """
    from fairnad_engine.llm.kept import not_kept
    from fairnad_engine.llm.models import make_author, parse_llm

    if parse_llm(llm).kind == "rules":
        raise InputError("rules is no model; name one that files ideas, such as ollama:qwen3:8b")
    author = make_author(llm, around=lambda model, digest: KeptChat(model, digest, RefilingKeeper(store)))

    def file(ideas: Mapping[str, str], subs: Sequence[Sub]) -> Mapping[str, str]:
        told(f"{author.name} files {len(ideas):,} ideas under {len(subs)} sub-categories")
        places, calls = author.file(ideas, subs)
        if left := not_kept(calls):  # what was refused before it could be kept
            store.calls.record(f"{STEP}/{left[0].prompt_hash[:24]}", left, job_id=STEP, run_id=None)
        if len(places) < len(ideas):
            told(f"it gave no usable answer about {len(ideas) - len(places):,} of them; those stay where they are")
        return places

    return file
