"""Rows of papers and ideas."""

from __future__ import annotations

from dataclasses import dataclass

INCOMPLETE = "+incomplete"
"""Follows a paper's ``structured_by`` where some part of it had no usable reply of the model."""


@dataclass(frozen=True)
class PaperRow:
    """A paper of the workspace; ``relevant`` is None before screening."""

    id: str
    title: str
    authors: tuple[str, ...]
    year: int | None
    venue: str
    arxiv: str
    abstract: str
    text: str
    sections: tuple[tuple[str, int, int], ...]
    source: str
    added_at: str
    relevant: bool | None
    reason: str
    screened_by: str
    structured_by: str


@dataclass(frozen=True)
class PaperLine:
    """A paper as a list shows it, without its text."""

    id: str
    title: str
    authors: tuple[str, ...]
    year: int | None
    relevant: bool | None
    reason: str
    screened_by: str
    structured_by: str


@dataclass(frozen=True)
class IdeaRow:
    """An idea of the library.

    Attributes:
        origin: ``extracted``, ``own``, ``imported`` or ``derived``.
        status: ``proposed``, ``approved``, ``rejected`` or ``imported``.
        span: Characters of the quote in the paper's text; None where it is not grounded.
        decided_by: ``person`` or ``policy:NAME``.
        grounded_by: ``exact``, ``tolerant`` or ``fuzzy``; empty where it is not grounded or an older version found it.
        grounding_score: How alike the quote and the paper's words are, from 0 to 1; None where that is not known.
        quote_given: The quote as the model wrote it, where the paper's own words are others; else empty.
    """

    id: str
    paper_id: str | None
    level: str
    main: str
    sub: str
    name: str
    instruction: str
    quote: str
    span: tuple[int, int] | None
    origin: str
    status: str
    decided_by: str
    decided_at: str
    created_at: str
    grounded_by: str = ""
    grounding_score: float | None = None
    quote_given: str = ""

    @property
    def grounded(self) -> bool:
        """Whether the quote was found in the paper."""
        return self.span is not None


@dataclass(frozen=True)
class Derivation:
    """Where a search derived an idea; one idea may be derived more than once.

    Attributes:
        run_id: The run; it may have been deleted since.
        candidate_id: The backbone that applies it.
        parent_id: What that was made from.
        kind: ``similar`` or ``opposite``.
        from_id: The idea that it was derived from; None where the parent's was not known.
    """

    run_id: str
    candidate_id: str
    parent_id: str
    kind: str
    from_id: str | None
