"""Which sentences of a paper tell a designer what to do, and how they read as an instruction."""

from __future__ import annotations

import re

MAX_INSTRUCTION = 300

_IMPERATIVE = frozenset(
    " ".join(
        (
            "add adopt aggregate allocate alternate apply arrange assign avoid begin blur build change choose",
            "combine compute concatenate connect construct convolve cut decompose decouple deepen delay",
            "design distribute divide double downsample downscale drop embed employ enlarge equip exchange",
            "expand extend factorise factorize feed finish fix fuse gate give group grow halve hold increase",
            "initialise initialize insert interleave introduce join keep leave let limit link lower make",
            "merge mix move multiply narrow normalise normalize omit opt order pad partition pass perform",
            "permute place pool postpone precede prefer prepend project put raise rearrange reduce remove",
            "reorder repeat replace reserve reshape rescale reuse run scale select send separate set share",
            "shift shrink shuffle skip slice split squeeze stack start subsample substitute subtract sum swap",
            "switch take transpose try use weigh weight widen wrap",
        )
    ).split()
)
_NOUNS = frozenset(
    "blur branch change design gate group limit link mix order pool project scale shift stack sum".split()  # noqa: SIM905
)
"""Imperatives that name things just as often: they count at the start of a clause or in the passive only."""

_SHORT = frozenset({"set", "put", "run", "cut", "fix"})


def _alternatives(words: frozenset[str]) -> str:
    return "|".join(sorted({word.rstrip("e") for word in words}))


_DESIGN = re.compile(
    rf"\b(?:{_alternatives(_IMPERATIVE - _NOUNS - _SHORT)})(?:e|es|s|d|ed|ing|[a-z]ed|[a-z]ing)?\b"
    rf"|(?:^|[:;,]\s|\b(?:and|then|to)\s)(?:{_alternatives(_NOUNS)})e?\b"
    rf"|\b(?:is|are|was|were|be)\s(?:\w+ly\s)?(?:{_alternatives(_NOUNS)})[a-z]?ed\b"
    r"|\b(?:appl(?:ies|ied)|sets?|setting|puts?|putting|runs?|running|cut|cuts|fix(?:es|ed)?|made|makes?|built|chosen|fed|"
    r"held|kept|left|given|takes?|taken|begun|sent|consists?|contains?|compris\w+|has|have|follow(?:s|ed)?|precede[sd]?|"
    r"propos\w+|becomes?)\b",
    re.IGNORECASE,
)
_EFFECT = re.compile(
    r"\b(?:improv\w+|gains?|gained|rais\w+|outperform\w*|boost\w*|lower\w*|sav(?:es?|ed|ing)|better|best|"
    r"faster|cheaper|"
    r"fewer|helps?|accuracy|error|reach\w*|match\w*|benefi\w+|suffices?|enough|without loss|for free|"
    r"no extra)\b|%",
    re.IGNORECASE,
)
_DESCRIBED = re.compile(
    r"\b(?:is|are)\s(?:\w+ly\s)?(?!(?:known|called|shown|reported|listed|seen|compared|measured|trained|tuned|tested|"
    r"found|observed|evaluated|expected|motivated|inspired|discussed)\b)\w{2,}(?:ed|en|wn|ut)\b"
    r"|\b(?:is|are)\s(?:a|an|one|two|three|four|the|identical|linear)\b"
    r"|\bthere\s(?:is|are)\s(?:only\s)?(?:a|an|one|two|no)\b"
    r"|\b(?:we|it|that|which|and)\s(?:\w+ly\s)?(?:attend|bring|damp|filter|map|mix|supply|supplies|settle|stick|rely|opt)s?\b"
    r"|\b(?:attends?|undergo(?:es)?|complements?|operates?|acts?|receives?|maps?|mixes|suppl(?:y|ies)|serves?|"
    r"lies?|sits?|suppress(?:es)?|filters|restores?|constitutes?)\b",
    re.IGNORECASE,
)
"""How a network's own description reads where nobody does anything: "the stem is a 4x4 convolution"."""
_HARM = re.compile(
    r"\b(?:hurts?|harm(?:s|ed|ful)?|degrad\w+|worsen\w*|worse|worst|detrimental|"
    r"(?:does|do|did) not (?:help|improve|lower|raise|work|bring|pay)|no match|"
    r"no (?:further |measurable |clear |significant )?(?:gains?|benefit|improvement|advantage|difference|effect)|"
    r"(?:brings?|brought|gives?|gave) (?:little|nothing)|"
    r"not (?:an?\s)?(?:essential|needed|worth|efficient|competitive)|"
    r"(?:los(?:e|es|ing)|lost)\s(?:about\s|only\s|up to\s)?\d|"
    r"(?:costs?|drops?|falls?)\s(?:by\s)?\d[\d.]* (?:%|points?)|"
    r"(?:reduc|lower|decreas|drop)\w*\s(?:the\s)?(?:\w+\s)?(?:accuracy|performance)|within (?:the )?noise|"
    r"too (?:slow|dear|expensive|costly|many)|cannot be (?:used|applied|trained)|abandoned|given up|"
    r"(?:is|are|was|were) not (?:used|included|retained|pursued|adopted)|(?:do|did) not (?:use|include|pursue|adopt)|"
    r"fail(?:s|ed)?|unstable|diverg\w+|suffer\w*|drawback|bottlenecked)\b",
    re.IGNORECASE,
)
_SWAP = re.compile(r"\b(?:replac|swap|exchang|substitut)\w*", re.IGNORECASE)
_TAKEN_AWAY = re.compile(
    r"\b(?:without|remov\w+|drop(?:s|ped|ping)?|omit\w*|leaving out|instead of|rather than|"
    r"prevents?|preventing|"
    r"avoids?|avoiding|solves?|mitigat\w+|so that|no longer|unless|replac\w+|alleviat\w+)\b",
    re.IGNORECASE,
)
_TRAINING = re.compile(
    r"\b(?:learning rate|weight decay|optimi[sz]er|momentum|mini-?batch|batch size|data augmentation|"
    r"label smoothing|"
    r"epochs?|mixup|cutmix|fine-?tun\w+|pre-?train\w*|distillation|teacher|loss function|ema|adamw?|sgd|"
    r"gpus?)\b",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\b(?:future work|in this section|we thank|code is available|source code|for reference|"
    r"(?:we|they|the authors) (?:ask|state|study|analyse|analyze|compare|report|observe|investigate|review)|"
    r"the (?:study|paper) (?:shows|asks|studies|reports))\b|\?\s*$|"
    r"^let\s\w+\s|^(?:avoid|do not|don't|never)\b(?!.*\b(?:instead|rather|and)\b)",
    re.IGNORECASE,
)
_LEADING = re.compile(
    r"^(?:(?:however|moreover|furthermore|in addition|additionally|finally|first|firstly|second|secondly|"
    r"third|next|then|"
    r"thus|therefore|hence|consequently|instead|also|in particular|specifically|concretely|in short|"
    r"in summary|similarly|"
    r"as a result|for example|for instance|here|in contrast|by contrast|on the other hand|in practice|"
    r"interestingly|"
    r"notably|importantly|to this end|accordingly|overall),?\s+|(?:and|but|so|yet)\s+)+",
    re.IGNORECASE,
)
_SPEAKER = re.compile(
    r"^(?:(?:the authors|authors|we|they|the paper)\s+(?:(?:also|therefore|then|thus|further|instead|simply|"
    r"finally)\s+)*"
    r"(?:(?:propose|suggest|recommend|advise|choose|decide)(?:s|d)?\s+to\s+)?)(?=\w)",
    re.IGNORECASE,
)
_CITATION = re.compile(
    r"\s*\[\d+(?:\s*[,;–-]\s*\d+)*\]|\s*\((?:[^()]*?\b(?:19|20)\d\d[a-z]?|(?:see\s+)?(?:Fig|Table|Tab|Sec|"
    r"Section|Eq)[^()]*)\)"
)
_MARKUP = re.compile(r"\*\*|__|`|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)")
_NUMBER = r"\d+(?:\.\d+)?"
_HINT = re.compile(
    rf"\b{_NUMBER}\s?[x×]\s?{_NUMBER}(?:\s?[x×]\s?{_NUMBER})?\b"
    rf"|\b{_NUMBER}(?:\s?:\s?{_NUMBER}){{1,4}}\b"
    rf"|\(\s?\d+(?:\s?,\s?\d+){{2,5}}\s?\)"
    rf"|\b(?:expansion|reduction|compression|bottleneck|width|depth|growth|dilation|drop|survival|compute|"
    rf"mlp)\s+"
    rf"(?:ratios?|rates?|factors?|probability|multiplier)?\s*(?:r|k|t)?\s*(?:of|=|is|to|at)?\s*{_NUMBER}(?![\d.]*\s?%)"
    rf"|\b(?:stride|kernel size|kernel|dilation|cardinality|group width|window size|patch size|exponent|"
    rf"factor|ratio|rate)\s*"
    rf"(?:of|=|is|to)?\s*{_NUMBER}(?![\d.]*\s?%)"
    rf"|\b{_NUMBER}(?:[ -](?:parallel|identical|residual|attention|grouped|convolutional))?[ -](?:groups?|"
    rf"heads?|stages?|blocks?|layers?|"
    rf"channels?|branches|paths?|times)\b"
    rf"|\b\d+e-\d+\b|\b10\^?[-−]\d\b",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[;:]\s|,\s(?=which|because|since|so that|while|whereas|where|and|but)|\s\(")


def is_design(sentence: str, strength: float) -> bool:
    """Return whether a sentence states a design choice or its effect, and not a recipe, an aside or a failure.

    Args:
        sentence: The sentence, white space collapsed.
        strength: Sum of its cues' weights; a training recipe counts only with a strong cue.
    """
    words = len(sentence.split())
    if not 3 <= words <= 90 or _ASIDE.search(sentence):
        return False
    harmed = _HARM.search(sentence)
    # "Removing the gate hurts" speaks for the gate, "replacing it by another hurts" at most against the other.
    if harmed and (not _TAKEN_AWAY.search(sentence) or _SWAP.search(sentence[: harmed.start()])):
        return False
    if _TRAINING.search(sentence) and strength < 2.2:
        return False
    return bool(_DESIGN.search(sentence) or _EFFECT.search(sentence) or _DESCRIBED.search(sentence))


def is_order(sentence: str) -> bool:
    """Return whether a sentence begins with an imperative."""
    return _first_word(sentence) in _IMPERATIVE


def is_harm(sentence: str) -> bool:
    """Return whether a sentence tells of something that did not help."""
    return bool(_HARM.search(sentence))


def is_training(sentence: str) -> bool:
    """Return whether a sentence tells how a network is trained."""
    return bool(_TRAINING.search(sentence))


def hints(sentence: str) -> tuple[str, ...]:
    """Return the parameters that a sentence names, such as ``7x7`` or ``expansion ratio of 4``, in order."""
    found: list[str] = []
    for match in _HINT.finditer(sentence):
        hint = " ".join(match[0].split())
        if hint.lower() not in (known.lower() for known in found):
            found.append(hint)
    return tuple(found)


def instruct(sentence: str, action: str) -> str:
    """Return a sentence as one instruction of at most :data:`MAX_INSTRUCTION` characters, its parameters kept.

    Args:
        sentence: The quoted sentence.
        action: What to do, put in front where the sentence is no imperative.
    """
    core = trimmed(sentence)
    lead = "" if _first_word(core) in _IMPERATIVE else f"{action}: "
    return lead + _bounded(core, MAX_INSTRUCTION - len(lead), hints(sentence))


def trimmed(sentence: str) -> str:
    """Return a sentence without citations, markup, connecting words and "the authors propose to"."""
    core = _MARKUP.sub("", " ".join(sentence.split()))
    core = _CITATION.sub("", core)
    core = _LEADING.sub("", core)
    spoken = _SPEAKER.sub("", core)
    # "The authors use" becomes "Use", but "We find that" would become nonsense.
    if _first_word(spoken) in _IMPERATIVE:
        core = spoken
    core = core.strip(" \"'“”")
    return core[:1].upper() + core[1:]


def _first_word(sentence: str) -> str:
    match = re.match(r"[A-Za-z]+", sentence)
    return match[0].lower() if match else ""


def lowered(phrase: str) -> str:
    """Return a phrase that can go on a sentence: a lower initial, unless the word is a name or an acronym."""
    first = re.match(r"[\w-]+", phrase)
    if not first or any(character.isupper() or character.isdigit() for character in first[0][1:]):
        return phrase
    return phrase[0].lower() + phrase[1:]


def _bounded(core: str, limit: int, wanted: tuple[str, ...]) -> str:
    if len(core) <= limit:
        return core
    # Parameters behind the cut are named again at its end: the designer reads them.
    for kept in _cuts(core, limit):
        lost = [hint for hint in wanted if hint not in kept]
        ending = f" ({', '.join(lost)})." if lost else "."
        if len(kept) + len(ending) <= limit:
            return kept + ending
    return core[: limit - 1].rstrip() + "…"


def _cuts(core: str, limit: int) -> list[str]:
    """Return shortened forms from long to short: at the ends of clauses, then at words."""
    clauses = [match.start() for match in _CLAUSE_END.finditer(core) if 40 <= match.start() < limit]
    words = [match.start() for match in re.finditer(r"\s", core) if 40 <= match.start() < limit]
    ordered = sorted(clauses, reverse=True) + sorted(words, reverse=True)
    return [core[:at].rstrip(" ,;:") for at in ordered]
