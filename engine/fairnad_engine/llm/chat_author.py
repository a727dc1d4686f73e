"""A chat model at work on the template: it proposes categories from papers and files ideas under others (method, 1.1).

What it proposes is never taken over without a person; see :mod:`fairnad_engine.knowledge.suggestions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from fairnad_engine.knowledge.grounding import locate
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.template import Sub, Template
from fairnad_engine.llm.asking import PromptCutError, ReplyRefusedError, ask
from fairnad_engine.llm.chat import ChatModel, context_of
from fairnad_engine.llm.chunks import chunks, fitting_chunks, halves, pieces_allowed
from fairnad_engine.llm.patience import notice
from fairnad_engine.llm.prompts import Prompt, as_data, render
from fairnad_engine.llm.protocol import AttributeDraft, Failure, ModelCall, Proposed
from fairnad_engine.llm.read_whole import Size
from fairnad_engine.llm.replies import plain_line

MOST = 4
"""Attributes that one piece of a paper may add."""
BATCH = 8
"""Ideas that are filed by one call."""

_MAX_CHUNKS = 64
_FEWEST_WORDS = 3  # A shorter quote is found in any paper.
_TOKENS = 1536


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


class AttributeItem(_Reply):
    """One attribute; the evidence first, so that the rest follows from it."""

    quote: str = Field(min_length=1, max_length=500)
    level: str = Field(max_length=40)
    main: str = Field(min_length=1, max_length=60)
    main_definition: str = Field(default="", max_length=300)
    name: str = Field(min_length=1, max_length=60)
    definition: str = Field(min_length=1, max_length=300)
    example: str = Field(min_length=1, max_length=300)
    second_example: str = Field(default="", max_length=300)


class AttributesReply(_Reply):
    """The attributes of one piece of a paper that the template lacks."""

    attributes: list[AttributeItem] = Field(max_length=MOST)


class ChatAuthor:
    """Proposes categories and files ideas with a chat model."""

    def __init__(self, model: ChatModel, *, on_text: Callable[[str], None] | None = None) -> None:
        """Work with a model; ``on_text`` is told in words what is asked next."""
        self._model = model
        self._on_text = on_text or (lambda _: None)

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return self._model.name

    def propose(self, paper: PaperText, template: Template) -> Proposed:
        """Return the attributes of a paper that the template lacks.

        One unusable reply costs one piece of the paper and is recorded; the rest goes on.

        Raises:
            ModelUnavailableError: The model's server is gone.
        """
        form = _attributes_reply(template)
        pieces = self._pieces(paper, template)
        allowed = pieces_allowed(pieces, _MAX_CHUNKS)
        parts, of = pieces[:allowed], min(len(pieces), allowed)
        drafts: list[AttributeDraft] = []
        calls: list[ModelCall] = []
        failures: list[Failure] = []
        ungrounded = replies = 0
        number = 0
        while number < len(parts):
            piece, number = parts[number], number + 1
            self._on_text(f"\n[piece {number} of {max(of, len(parts))}]\n")
            try:
                answer = ask(self._model, _proposing(paper, piece, template), form, "propose", max_tokens=_TOKENS)
            except ReplyRefusedError as refused:
                calls.extend(refused.calls)
                if isinstance(refused, PromptCutError) and (two := halves(piece)):
                    notice(self._on_text, f"piece {number}: {refused}; asked about in two halves")
                    number -= 1
                    parts[number : number + 1] = two
                    continue
                failures.append(Failure(refused.kind, f"piece {number}: {refused}"))
                continue
            calls.extend(answer.calls)
            replies += 1
            found = [_draft(item, template, paper) for item in answer.value.attributes]
            drafts += [one for one in found if one is not None]
            ungrounded += found.count(None)
        if len(pieces) > allowed:
            left = len(pieces) - allowed
            failures.append(Failure("too-long", f"the last {left} of {len(pieces)} pieces were not read"))
        return Proposed(tuple(drafts), tuple(calls), tuple(failures), ungrounded, usable=bool(replies) or not pieces)

    def _pieces(self, paper: PaperText, template: Template) -> list[str]:
        """The paper in pieces that the model's context holds."""
        context = context_of(self._model)
        if context is None:
            return chunks(paper)

        def left(piece: str) -> int:
            prompt = _proposing(paper, piece, template)
            return context - _TOKENS - Size.of(prompt.system, prompt.user).most

        return fitting_chunks(paper, left(""), lambda piece: left(piece) >= 0)

    def file(self, ideas: Mapping[str, str], subs: Sequence[Sub]) -> tuple[dict[str, str], tuple[ModelCall, ...]]:
        """File ideas under sub-categories.

        Args:
            ideas: Each idea's words, by its id.
            subs: What they may be filed under.

        Returns:
            The sub-category of each idea that the model filed, and the requests it took. Ideas that it left out or
            whose reply was unusable are missing.

        Raises:
            ModelUnavailableError: The model's server is gone.
        """
        form = _places_reply(subs)
        places: dict[str, str] = {}
        calls: list[ModelCall] = []
        ids = list(ideas)
        for some in (ids[at : at + BATCH] for at in range(0, len(ids), BATCH)):
            words = [as_data(plain_line(ideas[one], 500), 520) for one in some]
            prompt = render("refile", subs=subs, ideas=words)
            try:
                answer = ask(self._model, prompt, form, "refile", max_tokens=_TOKENS)
            except ReplyRefusedError as refused:
                calls.extend(refused.calls)
                continue
            calls.extend(answer.calls)
            for one in answer.value.places:
                if 1 <= one.idea <= len(some):
                    places.setdefault(some[one.idea - 1], one.sub)
        return places, tuple(calls)


def _proposing(paper: PaperText, piece: str, template: Template) -> Prompt:
    text = as_data(piece, 2 * len(piece))
    return render("propose", template=template, title=as_data(paper.title, 300), text=text, most=MOST)


def _attributes_reply(template: Template) -> type[AttributesReply]:
    # Made at run time, so the types are unknown to a type checker.
    levels = tuple(level.id for level in template.levels)
    item = create_model("Attribute", __base__=AttributeItem, level=(Literal[levels], ...))  # type: ignore[arg-type]
    listed: Any = list[item]  # type: ignore[valid-type]
    return create_model("Attributes", __base__=AttributesReply, attributes=(listed, Field(max_length=MOST)))


class PlaceItem(_Reply):
    """Where one idea of a batch goes."""

    idea: int
    sub: str


class PlacesReply(_Reply):
    """Where the ideas of a batch go."""

    places: list[PlaceItem] = Field(max_length=BATCH)


def _places_reply(subs: Sequence[Sub]) -> type[PlacesReply]:
    known = tuple(sub.id for sub in subs)
    item = create_model("Placed", __base__=PlaceItem, sub=(Literal[known], ...))  # type: ignore[arg-type]
    listed: Any = list[item]  # type: ignore[valid-type]
    return create_model("Placing", __base__=PlacesReply, places=(listed, Field(max_length=BATCH)))


def _draft(item: AttributeItem, template: Template, paper: PaperText) -> AttributeDraft | None:
    place = locate(item.quote, paper.text) if len(item.quote.split()) >= _FEWEST_WORDS else None
    name, main = plain_line(item.name, 60), plain_line(item.main, 60)
    if place is None or not name or not main:
        return None
    known = next((one for one in template.mains if main.casefold() in (one.id.casefold(), one.name.casefold())), None)
    return AttributeDraft(
        # A main category that exists says the level; the model's word for it may contradict that.
        level=known.level if known else item.level,
        main=known.id if known else main,
        name=name,
        definition=plain_line(item.definition, 300),
        example=plain_line(item.example, 300),
        quote=paper.text[slice(*place.span)],
        span=place.span,
        main_definition="" if known else plain_line(item.main_definition, 300),
        second_example=plain_line(item.second_example, 300),
    )
