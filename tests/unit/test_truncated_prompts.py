"""A prompt of which a server read only a part is never answered, whatever cap it has and however it hides that.

Tokenizers differ, so several made-up ones count; those of Qwen, Mistral 7B and Nemo lie between them.
"""

import random
import re
from collections import Counter
from dataclasses import dataclass

import pytest
from llm_server import openai_protocol
from llm_server.ollama_protocol import Answered, OllamaProtocol, serving
from llm_server.openai_protocol import OpenAIProtocol

from fairnad_engine.llm.chat import TruncatedPromptError
from fairnad_engine.llm.ollama import OllamaModel
from fairnad_engine.llm.ollama_server import Timeouts
from fairnad_engine.llm.openai import OpenAIModel
from fairnad_engine.llm.read_whole import Size, cut_short
from fairnad_engine.llm.tokens import context_for

CAPS = (2048, 4096, 8192)
SYSTEM = "You collect design ideas. Answer with one JSON object and nothing else."
_PARTS = re.compile(
    r"(?P<word>[A-Za-z]+)|(?P<wide>[^\x00-\x7f]+)|(?P<digits>\d+)|(?P<signs>[^\w\s]+|_+)|(?P<line>\n\s*)"
)
_HAN = "本文提出了一种新的卷积神经网络结构通过在每个残差块中引入深度可分离与通道注意力机制提升图像分类精度"
_WORDS = "a the of network block residual we convolution depthwise kernel is channels stage attention than accuracy by"


@dataclass(frozen=True)
class Tokenizer:
    """Splits words of more than ``known`` letters into pieces of ``piece``, what is no word into pieces of ``random``.

    ``wide`` is the number of characters of Han in a token.
    """

    known: int
    piece: float
    random: float
    wide: float

    def __call__(self, *texts):
        return 12 + sum(self.part(found) for text in texts for found in _PARTS.finditer(text))

    def part(self, found):
        length = len(found[0])
        if found["word"]:
            return 1 if length <= self.known else -int(-length // (self.piece if length < 25 else self.random))
        return {"wide": -int(-length // self.wide), "digits": -(-length // 2), "signs": 1, "line": 1}[found.lastgroup]


TOKENIZERS = (Tokenizer(16, 6, 5, 2.2), Tokenizer(9, 4, 2, 1.4), Tokenizer(5, 3, 1.7, 0.6))


def prose(rng):
    while True:
        words = [rng.choice(_WORDS.split()) for _ in range(rng.randrange(6, 25))]
        yield " ".join(words).capitalize() + rng.choice(".,;") + rng.choice("  \n")


def code(rng):
    names = ("self.conv", "x", "nn.Conv2d", "hidden", "out_channels", "F.relu", "stage_width", "torch.cat")
    while True:
        one, two = rng.choice(names), rng.choice(names)
        yield f"        {one} = {two}({rng.choice(names)}, {rng.randrange(512)}, padding={rng.randrange(4)})\n"


def long_words(rng):
    while True:
        yield "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randrange(30, 300))) + " "


def cjk(rng):
    while True:
        yield "".join(rng.choice(_HAN) for _ in range(rng.randrange(5, 40))) + rng.choice("，。")


KINDS = (prose, code, long_words, cjk)


def text_of(kind, rng, tokenizer, tokens):
    """About so many tokens, give or take the last sentence."""
    parts, pieces = kind(rng), []
    have = 0
    while have < tokens:
        pieces.append(next(parts))
        have += tokenizer(pieces[-1]) - 12
    return "".join(pieces)


def cases(lengths):
    for kind in KINDS:
        for number, tokenizer in enumerate(TOKENIZERS):
            rng = random.Random(f"{kind.__name__} {number}")
            for tokens in lengths(rng):
                text = text_of(kind, rng, tokenizer, tokens)
                yield kind.__name__, Size.of(SYSTEM, text), tokenizer(SYSTEM, text)


def keeps_all_it_can(cap, _true):
    return cap


def keeps_the_last_half(cap, _true):
    return cap // 2


def keeps_a_little_less(cap, _true):
    return cap - 1


@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize("keeps", [keeps_all_it_can, keeps_the_last_half, keeps_a_little_less])
def test_every_truncated_prompt_is_detected(cap, keeps):
    """Whether the context that was asked for is the cap, or a larger one that the server does not give."""
    seen = Counter()

    def lengths(rng):
        return [int(1.05 * cap), *(rng.randrange(int(1.05 * cap), 3 * cap) for _ in range(6))]

    for kind, size, true in cases(lengths):
        assert true > cap
        read = keeps(cap, true)
        for context in {cap, context_for(size.most + 2048), 2 * context_for(size.most + 2048)}:
            told = cut_short(size, read, finished=True, context=context)
            assert told is not None, (kind, size, true, read, context)
            seen[kind] += 1
    assert set(seen) == {kind.__name__ for kind in KINDS} and min(seen.values()) >= 21


@pytest.mark.parametrize("cap", CAPS)
def test_blocks_dropped_from_prose_are_detected(cap):
    """An older llama.cpp drops half contexts until the rest fits, so that what is left is no round number."""
    count = 0
    for kind, size, true in cases(lambda rng: [rng.randrange(int(1.05 * cap), 3 * cap) for _ in range(9)]):
        if kind == "prose":
            block = cap // 2
            read = true - (true - block) // block * block
            assert cut_short(size, read, finished=True, context=4 * cap) is not None, (kind, size, true, read)
            count += 1
    assert count == 27


def test_no_prompt_that_was_read_whole_is_suspected():
    count = 0
    for kind, size, true in cases(lambda rng: [rng.randrange(40, 9000) for _ in range(25)]):
        assert size.least <= true <= size.most, (kind, size, true)
        told = cut_short(size, true, finished=True, context=context_for(size.most + 2048))
        assert told is None, (kind, size, true, told)
        count += 1
    assert count == 300


def test_a_prompt_that_fits_exactly_by_the_largest_estimate_is_no_remainder():
    assert cut_short(Size(1500, 2048), 2048, finished=True, context=8192) is None
    assert cut_short(Size(1500, 2049), 2048, finished=True, context=8192) is not None


class Capped:
    """A model behind a server with a cap that it tells nowhere."""

    def __init__(self, cap, keeps):
        self.cap, self.keeps, self.tokenizer = cap, keeps, TOKENIZERS[1]

    def read(self, request):
        true = self.tokenizer(*(one["content"] for one in request["messages"]))
        return true if true <= self.cap else self.keeps(self.cap, true)


@pytest.mark.parametrize("keeps", [keeps_all_it_can, keeps_the_last_half])
@pytest.mark.parametrize("kind", KINDS)
def test_both_clients_refuse(kind, keeps):
    model, rng = Capped(2048, keeps), random.Random(5)
    short, long = (text_of(kind, rng, model.tokenizer, tokens) for tokens in (900, 2500))
    answer = '{"ideas": []}'
    with serving(OllamaProtocol(lambda request: Answered((answer,), model.read(request), 5))) as server:
        ollama = OllamaModel("tiny:1b", server.url, timeouts=Timeouts(retry=0))
        assert ollama.chat(SYSTEM, short, None, "extract", max_tokens=99).text == answer
        with pytest.raises(TruncatedPromptError, match=r"extract: the server read \d+ tokens") as refused:
            ollama.chat(SYSTEM, long, None, "extract", max_tokens=99)
        assert refused.value.discarded and not server.requests[-1]["options"]["num_ctx"] > 32768
    with openai_protocol.serving(OpenAIProtocol(says_as(model, answer))) as server:
        openai = OpenAIModel("tiny", server.url, timeouts=Timeouts(retry=0))
        assert openai.chat(SYSTEM, short, None, "extract", max_tokens=99).text == answer
        with pytest.raises(TruncatedPromptError, match=r"extract: the server read \d+ tokens"):
            openai.chat(SYSTEM, long, None, "extract", max_tokens=99)


def says_as(model, text):
    return lambda request: openai_protocol.says(text, read=model.read(request))(request)


def test_a_cap_of_the_servers_own_is_not_met_with_ever_larger_contexts():
    """Each other context makes the server load the model anew, and the cap stays what it is."""
    model = Capped(2048, keeps_all_it_can)
    text = text_of(cjk, random.Random(1), model.tokenizer, 5000)
    with serving(OllamaProtocol(lambda request: Answered(("x",), model.read(request), 5))) as server:
        ollama = OllamaModel("tiny:1b", server.url, timeouts=Timeouts(retry=0))
        for _ in range(3):
            with pytest.raises(TruncatedPromptError, match="a cap of its own"):
                ollama.chat(SYSTEM, text, None, "extract", max_tokens=99)
        contexts = [one["options"]["num_ctx"] for one in server.requests]
    assert len(contexts) == 3 and len(set(contexts)) == 1
