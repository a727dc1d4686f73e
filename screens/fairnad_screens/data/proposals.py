"""Proposed categories as the template screen shows them, and what accepting one would move."""

from __future__ import annotations

from dataclasses import dataclass

from fairnad_engine.knowledge.refiling import Preview, preview, refiled
from fairnad_engine.knowledge.suggestions import Suggestion, accepted, suggestions
from fairnad_engine.knowledge.template import Template
from fairnad_engine.knowledge.template_edit import Edit
from fairnad_engine.knowledge.template_history import apply_edit
from fairnad_engine.store import Store


@dataclass(frozen=True)
class Proposals:
    """The open proposals, and the template that they would extend."""

    template: Template
    open: tuple[Suggestion, ...]


def read_proposals(store: Store) -> Proposals:
    """Read the open proposals."""
    from fairnad_engine.workspace import template_of

    template, _ = template_of(store)
    return Proposals(template, suggestions(store.proposals.with_status("open"), template))


def planned(store: Store, template: Template, one: Suggestion, name: str = "", llm: str = "") -> tuple[Edit, Preview]:
    """The change that accepts a proposal, and what it would move by rule, or as a model files the ideas.

    A model is not asked again what it answered before.

    Raises:
        InputError: The name is taken.
        ModelUnavailableError: The model or its server is missing.
    """
    from fairnad_engine.knowledge.refiling_model import model_filer

    change = accepted(template, [one], {one.head.id: name} if name else None)
    edit = refiled(store, change, template, model_filer(store, llm) if llm else None)
    return edit, preview(store, edit)


def accept(store: Store, edit: Edit, ids: tuple[int, ...]) -> int:
    """Carry a planned change out; return how many ideas it moved."""
    with store.transaction():
        moved = apply_edit(store, edit)
        store.proposals.decide(ids, "accepted")
    return moved


def refuse(store: Store, ids: tuple[int, ...]) -> None:
    """Refuse a proposal."""
    store.proposals.decide(ids, "refused")


def start_proposing(store: Store, llm: str) -> str:
    """Start the job that reads papers for proposals; return its id.

    Raises:
        InputError: The model cannot propose, or there are no papers.
        ModelUnavailableError: The model or its server is missing.
    """
    from fairnad_engine.reading_jobs import create_proposing_job
    from fairnad_engine.search.config import RunConfig
    from fairnad_engine.search.config_model import ModelSection
    from fairnad_engine.workspace import start_worker, template_of

    template_of(store)
    job = create_proposing_job(store, RunConfig(model=ModelSection(llm=llm)))
    start_worker(store, job)
    return job.id
