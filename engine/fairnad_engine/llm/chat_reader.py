"""A chat model as reader of papers (method, sections 1.2 and 1.3; arXiv:2605.19247).

Extraction asks once per main category over pieces of about one section: the piece first and the category last, so
that the server's prefix cache serves all but the first category.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from fairnad_engine.knowledge.grounding import locate
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.template import Main, Template
from fairnad_engine.llm.asking import ReplyRefusedError, ask
from fairnad_engine.llm.chat import ChatModel
from fairnad_engine.llm.chunks import chunks
from fairnad_engine.llm.prompts import as_data, render
from fairnad_engine.llm.protocol import Extraction, Failure, IdeaDraft, ModelCall, Screening
from fairnad_engine.llm.replies import (
    MAX_IDEAS,
    IdeaItem,
    IdeasReply,
    ScreenReply,
    idea_item,
    ideas_reply,
    near_reply,
    objects,
    plain_line,
)

MAX_CHUNKS = 64
"""Pieces of one paper that are read, about 100,000 tokens."""

_SCREEN_TOKENS = 300
_EXTRACT_TOKENS = 2048
_MAX_TITLE = 300
_MAX_ABSTRACT = 4000
_FEWEST_WORDS = 3  # A shorter quote is found in any paper, so it is evidence of nothing.


class ReadRefusedError(Exception):
    """The model gave no usable reply about a paper: a recorded failure, the paper stays unread.

    Attributes:
        kind: ``malformed-reply`` or ``truncated-reply``.
        calls: The requests it took.
    """

    def __init__(self, kind: str, message: str, calls: Sequence[ModelCall]) -> None:
        super().__init__(message)
        self.kind = kind
        self.calls = tuple(calls)


@dataclass(frozen=True)
class ChatExtraction(Extraction):
    """The ideas of one paper, and what could not be had of it.

    Attributes:
        failures: One for each piece and category without a usable reply, and for text that was left out.
    """

    failures: tuple[Failure, ...] = ()


class ChatReader:
    """Reads papers with a chat model."""

    def __init__(
        self, model: ChatModel, max_chunks: int = MAX_CHUNKS, *, on_text: Callable[[str], None] | None = None
    ) -> None:
        """Read with a model.

        Args:
            model: Who is asked.
            max_chunks: Pieces of a paper that are read.
            on_text: Told, in words, what is asked next; whoever streams the replies shows it between them.
        """
        self._model = model
        self._max_chunks = max_chunks
        self._on_text = on_text or (lambda _: None)

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return self._model.name

    def screen(self, paper: PaperText) -> Screening:
        """Decide from title and abstract whether the paper can inspire a better backbone block.

        Raises:
            ReadRefusedError: The model gave no decision.
            ModelUnavailableError: The model's server is gone.
        """
        prompt = render(
            "screen", title=as_data(paper.title, _MAX_TITLE), abstract=as_data(paper.abstract, _MAX_ABSTRACT)
        )
        self._on_text("\n[screening]\n")
        try:
            answer = ask(self._model, prompt, ScreenReply, "screen", max_tokens=_SCREEN_TOKENS)
        except ReplyRefusedError as refused:
            raise ReadRefusedError(refused.kind, f"{paper.title}: {refused}", refused.calls) from refused
        return Screening(answer.value.relevant, plain_line(answer.value.reason, 300), answer.calls)

    def extract(self, paper: PaperText, template: Template) -> ChatExtraction:
        """Return the paper's design ideas, each filed under a sub-category of the template.

        One unusable reply costs the ideas of one piece and category and is recorded; the rest goes on.

        Raises:
            ReadRefusedError: Not one reply was usable.
            ModelUnavailableError: The model's server is gone.
        """
        pieces = chunks(paper)
        ideas: dict[tuple[str, str], IdeaDraft] = {}
        calls: list[ModelCall] = []
        failures: list[Failure] = []
        usable = 0
        for number, piece in enumerate(pieces[: self._max_chunks], 1):
            for main in template.mains:
                self._on_text(f"\n[piece {number} of {min(len(pieces), self._max_chunks)}: {main.name}]\n")
                try:
                    reply, took = self._ask(paper, piece, main)
                    usable += 1
                except ReplyRefusedError as refused:
                    failures.append(Failure(refused.kind, f"piece {number}, {main.id}: {refused}"))
                    reply, took = _complete_ideas(refused.text, main), refused.calls
                calls.extend(took)
                for idea in (_draft(item, main, paper) for item in reply):
                    if idea.name and idea.instruction:
                        ideas.setdefault((idea.sub, idea.instruction.casefold()), idea)
        if pieces and not usable and not ideas:
            raise ReadRefusedError(failures[0].kind, f"{paper.title}: {failures[0].message}", calls)
        if len(pieces) > self._max_chunks:
            left = len(pieces) - self._max_chunks
            failures.append(Failure("too-long", f"the last {left} of {len(pieces)} pieces were not read"))
        return ChatExtraction(tuple(ideas.values()), tuple(calls), tuple(failures))

    def _ask(self, paper: PaperText, piece: str, main: Main) -> tuple[list[IdeaItem], tuple[ModelCall, ...]]:
        prompt = render(
            "extract", title=as_data(paper.title, _MAX_TITLE), text=as_data(piece, 2 * len(piece)), main=main
        )
        schema = ideas_reply(tuple(sub.id for sub in main.subs))
        salvage: Callable[[str], IdeasReply | None] = partial(_salvaged, main=main)
        answer = ask(self._model, prompt, schema, "extract", max_tokens=_EXTRACT_TOKENS, otherwise=salvage)
        return answer.value.ideas, answer.calls


def _salvaged(text: str, main: Main) -> IdeasReply | None:
    """The valid ideas of a reply of another form, or None where there is none."""
    ideas = _complete_ideas(text, main)
    return IdeasReply(ideas=ideas[:MAX_IDEAS]) if ideas else None


def _complete_ideas(text: str, main: Main) -> list[IdeaItem]:
    item = idea_item(tuple(sub.id for sub in main.subs))
    read = (near_reply(candidate, item) for candidate in objects(text))
    return [idea for idea in read if idea is not None]


def _draft(item: IdeaItem, main: Main, paper: PaperText) -> IdeaDraft:
    place = locate(item.quote, paper.text) if len(item.quote.split()) >= _FEWEST_WORDS else None
    given = plain_line(item.quote, 500)
    # What stands in the paper is the evidence, not how the model wrote it down.
    quote = paper.text[slice(*place.span)] if place else given
    return IdeaDraft(
        main=main.id,
        sub=item.sub,
        name=plain_line(item.name, 80),
        instruction=plain_line(item.instruction, 400),
        quote=quote,
        span=place.span if place else None,
        grounded_by=place.method if place else "",
        grounding_score=place.score if place else None,
        quote_given=given if place and place.method != "exact" else "",
    )
