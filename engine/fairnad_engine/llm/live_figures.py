"""How much a live check tries, and what it has seen so far: shares, calls, seconds."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fairnad_engine.llm.chat import ChatModel, ChatReply, TruncatedPromptError, context_of
from fairnad_engine.llm.edits import EditSettings

if TYPE_CHECKING:
    from pydantic import BaseModel


_SEEN = 0.05  # of a call: the least that writing takes where pieces arrive as they are written


@dataclass(frozen=True)
class Plan:
    """How much is tried.

    Attributes:
        abstracts: Abstracts to screen; the last one is of a paper that inspires nothing.
        papers: Sample papers to extract.
        categories: Main categories that each paper is asked for; 0: all of them.
        proposals: Designs to ask for.
        seed_backbone: What they change.
        shape: Channels, height, width of one image.
        max_params: Budget of a design.
        max_macs: Budget of a design.
        edits: In which form designs are given.
    """

    abstracts: int = 5
    papers: int = 3
    categories: int = 0
    proposals: int = 20
    seed_backbone: str = "resnet32"
    shape: tuple[int, int, int] = (3, 32, 32)
    max_params: int = 1_500_000
    max_macs: int = 200_000_000
    edits: EditSettings = field(default_factory=EditSettings)

    @classmethod
    def quick(cls, edits: EditSettings) -> Plan:
        """A tenth of it, for a first impression."""
        return cls(abstracts=3, papers=1, categories=3, proposals=4, edits=edits)


@dataclass
class Share:
    """So many of so many."""

    met: int = 0
    of: int = 0

    def count(self, met: bool) -> None:
        """Add one."""
        self.met, self.of = self.met + bool(met), self.of + 1

    @property
    def value(self) -> float | None:
        """From 0 to 1; None where nothing was counted."""
        return self.met / self.of if self.of else None


@dataclass
class Spent:
    """What the calls of one purpose took; ``waited`` seconds of them until their first token."""

    calls: int = 0
    read: int = 0
    written: int = 0
    seconds: float = 0.0
    waited: float = 0.0

    @property
    def writing(self) -> float:
        """Seconds of writing; all of them where the server sends its answers as a whole, which hides when it began."""
        return self.seconds - self.waited if self.seconds - self.waited > _SEEN * self.seconds else self.seconds


@dataclass
class Measured:
    """What was seen so far.

    Attributes:
        model: As the user named it.
        schema: Replies that keep to the schema as they stand.
        whole: Prompts that were read whole at the first try.
        too_long: Prompts that were not sent, since the model's context has no room for them and the longest reply.
        answered: Questions with a usable answer, after one repair at most.
        screened: Abstracts that were judged rightly.
        papers: Papers extracted.
        ideas: Ideas in them.
        grounded: Ideas whose quote is in the paper.
        designed: Proposals that came to a program.
        exportable: Proposals that build, run and export as a graph, whatever they cost.
        passed: Proposals that went through the whole verifier at the first try.
        realised: Of those that passed and can be judged: they show what the idea asked for.
        failures: Why proposals failed, by class.
        spent: By purpose: ``screen``, ``extract``, ``design``.
        verify_seconds: In the jail, in all.
        doing: What goes on.
        ended: Why it ended early; empty where it did not.
    """

    model: str
    schema: Share = field(default_factory=Share)
    whole: Share = field(default_factory=Share)
    too_long: int = 0
    answered: Share = field(default_factory=Share)
    screened: Share = field(default_factory=Share)
    papers: int = 0
    ideas: int = 0
    grounded: Share = field(default_factory=Share)
    designed: Share = field(default_factory=Share)
    exportable: Share = field(default_factory=Share)
    passed: Share = field(default_factory=Share)
    realised: Share = field(default_factory=Share)
    failures: Counter[str] = field(default_factory=Counter)
    spent: dict[str, Spent] = field(default_factory=dict)
    verify_seconds: float = 0.0
    doing: str = ""
    ended: str = ""


class Listening:
    """A chat model whose calls are measured.

    Args:
        measured: Where.
    """

    def __init__(self, measured: Measured) -> None:
        self._measured = measured
        self._first: float | None = None
        self.model: ChatModel | None = None
        self.purpose = ""

    def heard(self, _piece: str) -> None:
        """A piece of the reply in hand has come."""
        self._first = self._first or time.monotonic()

    @property
    def name(self) -> str:
        """The model as the user named it."""
        return self._measured.model

    @property
    def context(self) -> int | None:
        """Tokens that prompt and reply may take, where the model says so."""
        return context_of(self.model) if self.model is not None else None

    def chat(
        self,
        system: str,
        user: str,
        schema: type[BaseModel] | None,
        purpose: str,
        *,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> ChatReply:
        """Answer one prompt; see :class:`fairnad_engine.llm.chat.ChatModel`."""
        assert self.model is not None  # noqa: S101 - set before the first prompt
        began, self._first = time.monotonic(), None
        try:
            reply = self.model.chat(
                system, user, schema, purpose, max_tokens=max_tokens, temperature=temperature, seed=seed
            )
        except TruncatedPromptError as cut:
            if cut.discarded:
                self._measured.whole.count(False)
            else:
                self._measured.too_long += 1
            for one in cut.discarded:
                self._account(one, one.seconds)
            raise
        self._measured.whole.count(not reply.discarded)
        self._measured.schema.count(reply.parsed is not None)
        for one in reply.discarded:
            self._account(one, one.seconds)
        # Tries that were lost and repeated are part of the wait, as they will be in a long job.
        self._account(reply, (self._first or time.monotonic()) - began - sum(one.seconds for one in reply.discarded))
        return reply

    def _account(self, reply: ChatReply, waited: float) -> None:
        spent = self._measured.spent.setdefault(self.purpose, Spent())
        spent.calls += 1
        spent.read += reply.prompt_tokens
        spent.written += reply.completion_tokens
        spent.seconds += reply.seconds
        spent.waited += min(max(waited, 0.0), reply.seconds)
