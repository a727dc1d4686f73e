"""What a chat model is asked about a paper when its ideas are extracted, piece by piece (method, section 1.3).

A piece that proves too long is asked about in two halves, and those again; what a reply quotes is looked for in the
whole paper all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Literal, Protocol, runtime_checkable

from pydantic import BaseModel

from fairnad_engine.knowledge.papers import PaperText
from fairnad_engine.knowledge.template import Level, Main, Sub, Template
from fairnad_engine.llm.asking import Answer, PromptCutError, ReplyRefusedError, ask
from fairnad_engine.llm.chat import ChatModel, context_of
from fairnad_engine.llm.chunks import chunks, fitting_chunks, halves
from fairnad_engine.llm.patience import notice
from fairnad_engine.llm.prompts import Prompt, as_data, render
from fairnad_engine.llm.protocol import Failure, ModelCall
from fairnad_engine.llm.read_whole import Size
from fairnad_engine.llm.replies import MAX_IDEAS, IdeaItem, IdeasReply, idea_item, ideas_reply, near_reply, objects

AskBy = Literal["main", "level"]
"""One question for each main category, or one for each level."""

MAX_LEVEL_IDEAS = 12
"""Ideas that one reply about a level may hold."""

_TOKENS, _LEVEL_TOKENS = 2048, 4096
_MAX_TITLE = 300


@dataclass(frozen=True)
class Question:
    """What is asked about a piece.

    Attributes:
        id: Of the main category or level.
        name: Its name.
        mains: The main categories whose ideas are asked for.
        level: The level, where all of it is asked for.
        most: Ideas that a reply may hold.
        tokens: Longest reply.
    """

    id: str
    name: str
    mains: tuple[Main, ...]
    level: Level | None
    most: int
    tokens: int

    @cached_property
    def subs(self) -> tuple[Sub, ...]:
        """The sub-categories under which an idea may be filed."""
        return tuple(sub for main in self.mains for sub in main.subs)

    @property
    def item(self) -> type[IdeaItem]:
        """The form of one idea."""
        return idea_item(tuple(sub.id for sub in self.subs))

    @property
    def reply(self) -> type[IdeasReply]:
        """The form of a reply."""
        return ideas_reply(tuple(sub.id for sub in self.subs), self.most)

    def prompt(self, paper: PaperText, piece: str) -> Prompt:
        """What the model is given: the piece first, and what differs between questions last."""
        text = as_data(piece, 2 * len(piece))
        title = as_data(paper.title, _MAX_TITLE)
        return render("extract", title=title, text=text, level=self.level, mains=self.mains, most=self.most)


def questions(template: Template, by: AskBy, context: int | None) -> list[Question]:
    """The questions about each piece; a reply takes half of a short context at most."""
    limit = context // 2 if context else _LEVEL_TOKENS
    if by == "level":
        tokens = min(_LEVEL_TOKENS, limit)
        levels = [one for one in template.levels if one.mains]
        return [Question(one.id, one.name, one.mains, one, MAX_LEVEL_IDEAS, tokens) for one in levels]
    tokens = min(_TOKENS, limit)
    return [Question(one.id, one.name, (one,), None, MAX_IDEAS, tokens) for one in template.mains]


@runtime_checkable
class _Keeping(Protocol):
    """A model whose replies are kept."""

    def knows(self, system: str, user: str, schema: type[BaseModel] | None, *, max_tokens: int) -> bool:
        """Whether a reply is kept."""


@dataclass
class Reading:
    """One paper while it is read.

    Attributes:
        model: Who is asked.
        paper: The paper.
        questions: What is asked about each piece.
        told: Told, in words, what is asked next.
        found: Ideas in the order in which they were given.
        calls: Requests it took.
        failures: Pieces and questions without a usable reply.
        usable: Number of usable replies.
    """

    model: ChatModel
    paper: PaperText
    questions: list[Question]
    told: Callable[[str], None]
    found: list[IdeaItem] = field(default_factory=list)
    calls: list[ModelCall] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    usable: int = 0
    _new: bool = False  # beyond what an earlier life of the job was told

    def pieces(self) -> list[str]:
        """The paper in pieces that the model's context holds with the longest question."""
        context = context_of(self.model)
        if context is None or not self.questions:
            return chunks(self.paper)

        def left(question: Question, piece: str) -> int:
            prompt = question.prompt(self.paper, piece)
            return context - question.tokens - Size.of(prompt.system, prompt.user).most

        longest = min(self.questions, key=lambda one: left(one, ""))
        return fitting_chunks(self.paper, left(longest, ""), lambda piece: left(longest, piece) >= 0)

    def read(self, number: int, of: int, piece: str) -> None:
        """Ask all questions about a piece; in parts, from the question on for which it proved too long.

        Raises:
            ModelUnavailableError: The model's server is gone.
        """
        parts = [piece]
        for question in self.questions:
            at = 0
            while at < len(parts):
                where = f"piece {number}" if len(parts) == 1 else f"piece {number}, part {at + 1} of {len(parts)}"
                self.told(f"\n[{where}, of {of}: {question.name}]\n")
                parts[at : at + 1] = self._parts_asked(parts[at], question)
                if two := self._ask(f"{where}, {question.id}", parts[at], question):
                    parts[at : at + 1] = two
                else:
                    at += 1

    def _ask(self, where: str, piece: str, question: Question) -> tuple[str, str] | None:
        """Ask one question; return the halves to ask about instead where the piece proves too long."""
        try:
            answer = self._answer(piece, question)
        except ReplyRefusedError as refused:
            self.calls.extend(refused.calls)
            two = halves(piece) if isinstance(refused, PromptCutError) else None
            if two:
                notice(self.told, f"{self.paper.title[:60]}: {where}: {refused}; asked about in two halves")
                return two
            self.failures.append(Failure(refused.kind, f"{where}: {refused}"))
            self.found.extend(_complete_ideas(refused.text, question))
            return None
        self.usable += 1
        self.calls.extend(answer.calls)
        self.found.extend(answer.value.ideas)
        return None

    def _answer(self, piece: str, question: Question) -> Answer[IdeasReply]:
        salvage = partial(_salvaged, question=question)
        prompt = question.prompt(self.paper, piece)
        return ask(self.model, prompt, question.reply, "extract", max_tokens=question.tokens, otherwise=salvage)

    def _parts_asked(self, piece: str, question: Question) -> list[str]:
        """The parts in which a piece was answered about in an earlier life of the job: it is not tried whole again."""
        if self._new or not isinstance(self.model, _Keeping):
            return [piece]
        parts = self._answered(piece, question)
        self._new = parts is None  # questions have an order: after the first without an answer there is none
        return parts or [piece]

    def _answered(self, piece: str, question: Question) -> list[str] | None:
        if self._knows(piece, question):
            return [piece]
        two = halves(piece)
        first = self._answered(two[0], question) if two else None
        return [*first, two[1]] if two and first else None

    def _knows(self, piece: str, question: Question) -> bool:
        prompt = question.prompt(self.paper, piece)
        return isinstance(self.model, _Keeping) and self.model.knows(
            prompt.system, prompt.user, question.reply, max_tokens=question.tokens
        )


def _salvaged(text: str, question: Question) -> IdeasReply | None:
    """The valid ideas of a reply of another form, or None where there is none."""
    ideas = _complete_ideas(text, question)
    return IdeasReply.model_construct(ideas=ideas[: question.most]) if ideas else None


def _complete_ideas(text: str, question: Question) -> list[IdeaItem]:
    read = (near_reply(candidate, question.item) for candidate in objects(text))
    return [idea for idea in read if idea is not None]
