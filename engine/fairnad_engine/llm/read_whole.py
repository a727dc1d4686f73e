"""Whether a server read a prompt whole, by what it says it read; an answer to a part of a prompt is never used."""

from __future__ import annotations

from dataclasses import dataclass

from fairnad_engine.llm.tokens import fewest_tokens, left_by_a_cap, most_tokens


@dataclass(frozen=True)
class Size:
    """Tokens that a prompt has, for a model whose tokenizer is not at hand.

    Attributes:
        least: At least.
        most: At most.
    """

    least: int
    most: int

    @classmethod
    def of(cls, *texts: str) -> Size:
        """The size of a prompt's parts together."""
        return cls(sum(map(fewest_tokens, texts)), sum(map(most_tokens, texts)))


def cut_short(size: Size, read: int | None, *, finished: bool, context: int) -> str | None:
    """Say why a prompt cannot have been read whole, or return None.

    Args:
        size: The prompt's.
        read: Tokens that the server says it read, if it does.
        finished: Whether the answer came to its end.
        context: Tokens that prompt and answer were given.
    """
    if not read:
        # Broken off by us before the server could say; such an answer is not used anyway.
        return "the server does not say how many tokens of the prompt it read" if finished else None
    if read < size.least:
        return f"the server read {read} tokens of a prompt of at least {size.least}"
    # What is left of a prompt that did not fit: all of the context, or its last half.
    if read >= context - 1 or abs(read - context // 2) <= 1:
        return f"the server read {read} tokens, which is what a context of {context} leaves of a longer prompt"
    if left_by_a_cap(read, size.most):
        return f"the server read {read} tokens, which is what a cap of its own leaves of a longer prompt"
    return None


def capped(size: Size, read: int | None, context: int) -> bool:
    """Whether the server seems to cut prompts by a cap of its own, which does not grow with the context asked for."""
    return read is not None and read < context // 2 - 1 and left_by_a_cap(read, size.most)
