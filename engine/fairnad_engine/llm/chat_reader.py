"""A chat model as reader of papers (method, sections 1.2 and 1.3; arXiv:2605.19247).

Extraction asks once per main category, or per level, over pieces of about one section: the piece first and the category
last, so that the server's prefix cache serves all but the first category.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fairnad_engine.knowledge.grounding import locate
from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.template import Template
from fairnad_engine.llm.asking import ReplyRefusedError, ask
from fairnad_engine.llm.chat import ChatModel, context_of
from fairnad_engine.llm.chunks import pieces_allowed
from fairnad_engine.llm.extraction import AskBy, Reading, questions
from fairnad_engine.llm.prompts import as_data, render
from fairnad_engine.llm.protocol import Extraction, Failure, IdeaDraft, ModelCall, Screening
from fairnad_engine.llm.replies import IdeaItem, ScreenReply, plain_line

MAX_CHUNKS = 64
"""Pieces of one paper that are read, about 100,000 tokens."""

_SCREEN_TOKENS = 300
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
        self,
        model: ChatModel,
        max_chunks: int = MAX_CHUNKS,
        *,
        ask_by: AskBy = "main",
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        """Read with a model.

        Args:
            model: Who is asked.
            max_chunks: Pieces of a paper that are read; of smaller ones, as much text.
            ask_by: Whether each main category is asked for by itself, or all of a level at once.
            on_text: Told, in words, what is asked next; whoever streams the replies shows it between them.
        """
        self._model = model
        self._max_chunks = max_chunks
        self._ask_by = ask_by
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
        asked = questions(template, self._ask_by, context_of(self._model))
        reading = Reading(self._model, paper, asked, self._on_text)
        pieces = reading.pieces()
        allowed = pieces_allowed(pieces, self._max_chunks)
        for number, piece in enumerate(pieces[:allowed], 1):
            reading.read(number, min(len(pieces), allowed), piece)
        ideas: dict[tuple[str, str], IdeaDraft] = {}
        for idea in (_draft(item, template, paper) for item in reading.found):
            if idea.name and idea.instruction:
                ideas.setdefault((idea.sub, idea.instruction.casefold()), idea)
        failures = reading.failures
        if pieces and not reading.usable and not ideas:
            raise ReadRefusedError(failures[0].kind, f"{paper.title}: {failures[0].message}", reading.calls)
        if len(pieces) > allowed:
            left = len(pieces) - allowed
            failures.append(Failure("too-long", f"the last {left} of {len(pieces)} pieces were not read"))
        return ChatExtraction(tuple(ideas.values()), tuple(reading.calls), tuple(failures))


def _draft(item: IdeaItem, template: Template, paper: PaperText) -> IdeaDraft:
    place = locate(item.quote, paper.text) if len(item.quote.split()) >= _FEWEST_WORDS else None
    given = plain_line(item.quote, 500)
    # What stands in the paper is the evidence, not how the model wrote it down.
    quote = paper.text[slice(*place.span)] if place else given
    return IdeaDraft(
        main=template.sub(item.sub).main,
        sub=item.sub,
        name=plain_line(item.name, 80),
        instruction=plain_line(item.instruction, 400),
        quote=quote,
        span=place.span if place else None,
        grounded_by=place.method if place else "",
        grounding_score=place.score if place else None,
        quote_given=given if place and place.method != "exact" else "",
    )
