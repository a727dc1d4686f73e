"""Of which reading a paper's ideas are: the model, the template, and whatever else decides what is read out of a paper.

A paper is read again where any of these has changed, and only there. What is hashed is rather too much than too
little: replies are kept (:mod:`fairnad_engine.llm.kept`), so a chat model is not asked again what it was asked before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Literal

from fairnad_engine.resources import template_file
from fairnad_engine.store.knowledge_records import INCOMPLETE, PaperLine

Reread = Literal["all"] | bool
"""Whether papers that were read otherwise are read again; ``all`` reads those too of which nothing has changed."""

RULES_PARTS = (
    "knowledge/cues.py",
    "knowledge/design_sentences.py",
    "knowledge/filing.py",
    "knowledge/likeness.py",
    "knowledge/paper_voice.py",
    "knowledge/rules_reader.py",
    "knowledge/rules_screening.py",
    "knowledge/sentences.py",
    "knowledge/statement_model.py",
    "knowledge/statement_words.py",
    "knowledge/statements.py",
)
"""Where the phrases and rules of the built-in reader stand."""

_CHAT_PARTS = (
    "llm/chat_reader.py",
    "llm/chunks.py",
    "llm/extraction.py",
    "llm/replies.py",
)  # how text is cut, and the forms of replies
_PROMPTS = ("screen", "extract", "repair")
_ENGINE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class ReadingStamp:
    """What a paper's ``structured_by`` says.

    Attributes:
        model: The model's name.
        template: Digest of the attribute template.
        reading: Digest of the prompts and of the program's own part; of ``rules``, of its phrases and learned weights.
        weights: Digest of the model's weights; empty where its server tells none, or was not asked.
    """

    model: str
    template: str
    reading: str
    weights: str = ""

    def __str__(self) -> str:
        return f"{self.model}/{self.template}.{self.reading}.{self.weights}"

    def covers(self, structured_by: str, *, in_part: bool = False) -> bool:
        """Whether a paper so marked need not be read again.

        Args:
            structured_by: The paper's mark; one that an older program wrote covers nothing.
            in_part: Whether it will do that some part of the paper had no usable reply.
        """
        if structured_by.endswith(INCOMPLETE) and not in_part:
            return False
        marked = structured_by.removesuffix(INCOMPLETE)
        # Weights that are not known here may be any.
        return marked == str(self) if self.weights else marked.startswith(str(self))


def reading_stamp(model: str, template: str, weights: str = "") -> ReadingStamp:
    """The stamp of what a model reads now; asks no server.

    Args:
        model: Its name, such as ``rules`` or ``ollama:qwen3:8b``.
        template: The template's digest.
        weights: What identifies the model's weights, where that is known.
    """
    if model == "rules":
        return ReadingStamp(model, template, _rules_digest())
    return ReadingStamp(model, template, _chat_digest(), sha256(weights.encode()).hexdigest()[:12] if weights else "")


def to_read(papers: Iterable[PaperLine], stamp: ReadingStamp, reread: Reread, *, in_part: bool = False) -> list[str]:
    """Ids of the papers that a structuring job reads, in their order.

    Args:
        papers: The workspace's papers.
        stamp: Of what would be read now.
        reread: Whether papers that were read otherwise are read again.
        in_part: Whether it will do that some part of a paper had no usable reply.
    """
    if reread == "all":
        return [one.id for one in papers]
    return [
        one.id
        for one in papers
        if not one.structured_by or (reread and not stamp.covers(one.structured_by, in_part=in_part))
    ]


@cache
def _rules_digest() -> str:
    learned = (template_file("reading.json"), template_file("attributes.yaml"))
    return _digest((*(_ENGINE / part for part in RULES_PARTS), *learned))


@cache
def _chat_digest() -> str:
    prompts = (template_file("prompts", f"{name}.j2") for name in _PROMPTS)
    return _digest((*(_ENGINE / part for part in _CHAT_PARTS), *prompts))


def _digest(files: Iterable[Path]) -> str:
    digests = "".join(sha256(file.read_bytes()).hexdigest() for file in files)
    return sha256(digests.encode()).hexdigest()[:12]
