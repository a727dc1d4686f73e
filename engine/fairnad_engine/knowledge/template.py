"""The attribute template: levels, main categories and sub-categories that design ideas are filed under.

Method, section 1.1 (arXiv:2605.19247): a hand-written tree of 15 main and 55 sub-categories structures the
design knowledge, and fair sampling draws over it. The tree ships as ``templates/attributes.yaml``; a user may
give another.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from fairnad_engine.errors import InputError
from fairnad_engine.resources import template_file

LEVELS = ("operation", "block", "network")
MAIN_COUNT = 15
SUB_COUNT = 55

ANTONYM_WORDS = ("reduce", "increase", "remove", "reverse")
"""Opposites that are no sub-category: less of it, more of it, none of it, the other way round."""

FEATURES = frozenset(
    " ".join(
        (
            "conv.total conv.dense conv.depthwise conv.grouped conv.pointwise conv.dilated conv.large",
            "conv.asymmetric conv.strided linear matmul softmax attention window token_mlp",
            "norm.batch norm.layer norm.group norm.response norm.total",
            "act.relu act.smooth act.hard act.total",
            "pool.max pool.avg pool.global space_to_depth blur",
            "add concat mul gate.channel gate.spatial gate.multiplicative scale.param drop_path dropout",
            "split shuffle parallel preact depth width resolutions blocks.shares width.shares",
            "stem.convs stem.kernel stem.stride resolution.mean downsample.separate links.cross",
            "tail.channels tail.pool tail.mean stem.patch stem.large links.skip links.dense links.scales",
            "attention.global pool.mixer pool.lowering gate.squeeze gate.efficient scale.residual",
            "preact.first order bottleneck inverted feed_forward blocks.kinds parallel.kernels parallel.same",
            "shortcut.padded shortcut.conv shortcut.pooled shortcut.spatial shortcut.same",
        )
    ).split()
)
"""Graph features that a realisation signature may name."""

_MAX_BYTES = 4 << 20


@dataclass(frozen=True)
class Condition:
    """One graph feature and how it must differ between parent and child."""

    feature: str
    change: Literal["up", "down", "changed"]


@dataclass(frozen=True)
class Sub:
    """A sub-category.

    Attributes:
        id: ``<main>.<name>``.
        main: Id of its main category.
        name: Name as shown.
        definition: One line.
        examples: Two or three ideas of this kind, as instructions.
        cues: Phrases that the rules reader looks for.
        signature: Alternatives, each a tuple of conditions that all hold once such an idea was applied.
        antonym: Another sub-category's id, one of :data:`ANTONYM_WORDS`, or None where there is no opposite.
        action: How an instruction made from such an idea begins, for example "Downsample late".
    """

    id: str
    main: str
    name: str
    definition: str
    examples: tuple[str, ...]
    cues: tuple[str, ...]
    signature: tuple[tuple[Condition, ...], ...]
    antonym: str | None
    action: str


@dataclass(frozen=True)
class Main:
    """A main category; its sub-categories in the file's order."""

    id: str
    level: str
    name: str
    definition: str
    subs: tuple[Sub, ...]


@dataclass(frozen=True)
class Level:
    """A level; its main categories in the file's order."""

    id: str
    name: str
    definition: str
    mains: tuple[Main, ...]


@dataclass(frozen=True)
class Template:
    """The whole tree.

    Attributes:
        version: The author's version.
        references: The architectures that the tree was made from.
        levels: The tree, in the file's order.
        source: Where it was read.
        digest: SHA-256 over what it says, whatever its layout.
    """

    version: str
    references: tuple[str, ...]
    levels: tuple[Level, ...]
    source: str
    digest: str

    @classmethod
    def load(cls, path: Path | None = None) -> Template:
        """Read a template file, or the one that ships with the program.

        Raises:
            InputError: The file cannot be read or is no template.
        """
        file = path or template_file("attributes.yaml")
        try:
            with file.open("rb") as stream:
                raw = stream.read(_MAX_BYTES + 1)
            if len(raw) > _MAX_BYTES:
                raise InputError(f"{file}: larger than {_MAX_BYTES >> 20} MiB, so not a template; name another file")
            return cls.parse(raw.decode("utf-8-sig"), str(file))
        except OSError as error:
            raise InputError(f"{file}: {error.strerror or error}; name a readable template file") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{file}: not UTF-8 text at byte {error.start}; save it as UTF-8") from error

    @classmethod
    def parse(cls, text: str, source: str) -> Template:
        """Build a template from YAML.

        Args:
            text: The file's text.
            source: Its name, for messages.

        Raises:
            InputError: The text is not YAML or not of a template's shape; the message names the place.
        """
        from pydantic import ValidationError

        from fairnad_engine.knowledge.template_schema import TemplateEntry, build, first_problem

        raw = _yaml(text, source)
        try:
            entry = TemplateEntry.model_validate(raw)
        except ValidationError as error:
            problem = first_problem(error, raw)
            raise InputError(f"{source}: {problem}; compare with `fairnad-tui template show`") from error
        canonical = json.dumps(entry.model_dump(), sort_keys=True, ensure_ascii=False)
        return build(entry, source, sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest())

    @cached_property
    def mains(self) -> tuple[Main, ...]:
        """All main categories, in order."""
        return tuple(main for level in self.levels for main in level.mains)

    @cached_property
    def subs(self) -> tuple[Sub, ...]:
        """All sub-categories, in order."""
        return tuple(sub for main in self.mains for sub in main.subs)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Number of levels, main categories and sub-categories."""
        return len(self.levels), len(self.mains), len(self.subs)

    @property
    def _nodes(self) -> tuple[Level | Main | Sub, ...]:
        return (*self.levels, *self.mains, *self.subs)

    @cached_property
    def _by_id(self) -> dict[str, Level | Main | Sub]:
        # The first of two equal ids wins; check() reports the second.
        nodes: dict[str, Level | Main | Sub] = {}
        for node in self._nodes:
            nodes.setdefault(node.id, node)
        return nodes

    def main(self, id: str) -> Main:
        """Return the main category of this id.

        Raises:
            KeyError: There is none.
        """
        node = self._by_id[id]
        if not isinstance(node, Main):
            raise KeyError(id)
        return node

    def sub(self, id: str) -> Sub:
        """Return the sub-category of this id.

        Raises:
            KeyError: There is none.
        """
        node = self._by_id[id]
        if not isinstance(node, Sub):
            raise KeyError(id)
        return node

    def subs_of(self, main_id: str) -> tuple[Sub, ...]:
        """Return the sub-categories of a main category (KeyError for an unknown one)."""
        return self.main(main_id).subs

    def mains_of(self, level: str) -> tuple[Main, ...]:
        """Return the main categories of a level (KeyError for an unknown one)."""
        node = self._by_id[level]
        if not isinstance(node, Level):
            raise KeyError(level)
        return node.mains

    def level_of(self, id: str) -> str:
        """Return the level that a main or sub-category belongs to (KeyError for an unknown one)."""
        node = self._by_id[id]
        if isinstance(node, Level):
            return node.id
        return self.main(node.main if isinstance(node, Sub) else node.id).level


def check(template: Template) -> list[str]:
    """Return what is wrong with a template, one line each; an empty list means that a search can use it."""
    return [*_count_problems(template), *_id_problems(template), *_content_problems(template)]


def _count_problems(template: Template) -> Iterator[str]:
    names = tuple(level.id for level in template.levels)
    if names != LEVELS:
        yield f"levels are {', '.join(names) or 'missing'}; the method has {', '.join(LEVELS)}"
    _, mains, subs = template.counts
    if (mains, subs) != (MAIN_COUNT, SUB_COUNT):
        yield f"{mains} main and {subs} sub-categories; the method has {MAIN_COUNT} and {SUB_COUNT}"
    for main in template.mains:
        if not main.subs:
            yield f"{main.id}: has no sub-category, so nothing can be filed under it"


def _id_problems(template: Template) -> Iterator[str]:
    for id, times in Counter(node.id for node in template._nodes).items():
        if times > 1:
            yield f"{id}: stands {times} times; ids must be unique"
    for main in template.mains:
        for name, times in Counter(sub.name for sub in main.subs).items():
            if times > 1:
                yield f"{main.id}: {times} sub-categories are named {name!r}"
        for sub in main.subs:
            if not sub.id.startswith(f"{main.id}.") or sub.id.count(".") != 1:
                yield f"{sub.id}: a sub-category of {main.id} has an id of the form {main.id}.<name>"


def _content_problems(template: Template) -> Iterator[str]:
    known = {sub.id for sub in template.subs}
    for node in template._nodes:
        if not node.definition:
            yield f"{node.id}: has no definition"
    for sub in template.subs:
        if not 2 <= len(sub.examples) <= 3:
            yield f"{sub.id}: has {len(sub.examples)} examples; give two or three"
        if not sub.cues:
            yield f"{sub.id}: has no cue, so the rules reader never finds it"
        for cue in sub.cues:
            if not any(character.isalnum() for character in cue):
                yield f"{sub.id}: the cue {cue!r} names nothing"
        yield from _signature_problems(sub)
        if sub.antonym is not None and (
            sub.antonym == sub.id or (sub.antonym not in known and sub.antonym not in ANTONYM_WORDS)
        ):
            words = ", ".join(ANTONYM_WORDS)
            yield f"{sub.id}: antonym {sub.antonym!r} is neither another sub-category nor one of {words}"


def _signature_problems(sub: Sub) -> Iterator[str]:
    if not sub.signature:
        yield f"{sub.id}: has no signature, so no child can be seen to realise it"
    for alternative in sub.signature:
        if not alternative:
            yield f"{sub.id}: a signature alternative without condition holds for every child"
        for condition in alternative:
            if condition.feature not in FEATURES:
                yield f"{sub.id}: unknown graph feature {condition.feature!r} in the signature"


def _yaml(text: str, source: str) -> Any:  # noqa: ANN401 - YAML gives anything
    import yaml

    # The C loader gives the same result about ten times faster where PyYAML was built with it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}, line {mark.line + 1}" if mark else source
        raise InputError(f"{place}: not valid YAML ({error.problem}); mend that line") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else "nested too deeply"
        raise InputError(f"{source}: not valid YAML ({reason}); mend the file") from error
