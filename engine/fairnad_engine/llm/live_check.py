"""A user's own model, tried on a little of everything: abstracts, papers, design proposals through the jailed verifier.

Nothing is written to a workspace. What was measured lies in ``Measured`` at every moment, so that an interruption loses
the call in flight alone; :mod:`fairnad_engine.llm.live_verdict` says what the figures mean.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from fairnad_engine.errors import InputError
from fairnad_engine.knowledge.template import Level, Template
from fairnad_engine.llm.live_figures import Listening, Measured, Plan

if TYPE_CHECKING:
    from fairnad_engine.artifacts import ArtifactFolder
    from fairnad_engine.backbone.verifier import Verdict, Verifier
    from fairnad_engine.knowledge.papers import PaperText
    from fairnad_engine.llm.protocol import Designer, DesignTask, IdeaBrief

_IRRELEVANT = (
    "A Study of Annotation Tools for Image Collections",
    "We compare five tools with which people label images. Thirty annotators marked 12,000 photographs; we report the "
    "time for each label, how often two people agree, and what the tools cost. No model is trained.",
)
"""Title and abstract of a paper that inspires no backbone; our own."""


@dataclass(frozen=True)
class _Ladder:
    """The verifier, and the parent that all proposals change."""

    verifier: Verifier
    files: ArtifactFolder
    parent: Verdict

    def realised(self, child: Verdict, template: Template, idea: IdeaBrief | None) -> str:
        """Whether a child shows what its idea asked for: ``yes``, ``no`` or ``unknown``."""
        from fairnad_engine.backbone.realisation import judge_realised
        from fairnad_engine.backbone.verifier import load_graph

        if idea is None:
            return "unknown"
        before, after = (load_graph(self.files, one.graph) for one in (self.parent, child))
        return judge_realised(before, after, template.sub(idea.sub))


class LiveCheck:
    """Tries a model.

    Args:
        listening: The model, whose calls it measures.
        measured: What is filled in.
        plan: How much is tried.
        tell: Told in words what comes next.
    """

    def __init__(
        self, listening: Listening, measured: Measured, plan: Plan, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        from fairnad_engine.resources import data_folder, template_file

        self._listening = listening
        self._m = measured
        self._plan = plan
        self._tell = tell
        self._template = Template.load()
        self._samples = list(_samples(str(data_folder("sample_papers"))))
        self._seed = template_file("backbones", f"{plan.seed_backbone}.py").read_text("utf-8")

    def run(self, *, accept_weak_jail: bool = False) -> None:
        """Screen, extract, design and verify.

        Raises:
            ModelUnavailableError: The model's server is gone.
            JailError: The jail lacks a layer.
        """
        self.screen()
        self.extract()
        self.design(accept_weak_jail=accept_weak_jail)

    def screen(self) -> None:
        """Abstracts of sample papers, which are all to be kept, and one that is not."""
        from fairnad_engine.llm.chat_reader import ChatReader, ReadRefusedError

        title, abstract = _IRRELEVANT
        other = replace(self._samples[0], title=title, abstract=abstract)
        chosen = [*self._samples[: max(0, self._plan.abstracts - 1)], other][: self._plan.abstracts]
        for number, paper in enumerate(chosen, 1):
            self._begin("screen", f"abstract {number} of {len(chosen)}: {paper.title}")
            try:
                found = ChatReader(self._listening).screen(paper)
            except ReadRefusedError:
                self._m.answered.count(False)
                self._m.screened.count(False)
                continue
            self._m.answered.count(True)
            self._m.screened.count(found.relevant == (paper is not other))

    def extract(self) -> None:
        """Ideas of sample papers, one question for each main category."""
        from fairnad_engine.llm.chat_reader import ChatReader, ReadRefusedError

        asked = _some(self._template, self._plan.categories)
        for number, paper in enumerate(self._samples[: self._plan.papers], 1):
            for main in asked.mains:
                self._begin("extract", f"paper {number} of {self._plan.papers}: {paper.title}: {main.name}")
                try:
                    found = ChatReader(self._listening).extract(paper, _only(asked, main.id))
                except ReadRefusedError:
                    self._m.answered.count(False)
                    continue
                self._m.answered.count(not found.failures)
                self._m.ideas += len(found.ideas)
                for idea in found.ideas:
                    self._m.grounded.count(idea.span is not None)
            self._m.papers += 1

    def design(self, *, accept_weak_jail: bool = False) -> None:
        """Proposals for ideas that the built-in rules find in the samples, each verified once."""
        from fairnad_engine.backbone.jail.client import Jail
        from fairnad_engine.backbone.verifier import Budget, Verifier
        from fairnad_engine.by_hand import scratch_files
        from fairnad_engine.llm.chat_designer import ChatDesigner

        plan = self._plan
        if not plan.proposals:
            return
        designer = ChatDesigner(self._listening, self._template, plan.edits)
        budget = Budget(plan.shape, 10, plan.max_params, plan.max_macs)
        with scratch_files() as files, Jail(accept_weak=accept_weak_jail) as jail:
            self._begin("design", f"the seed {plan.seed_backbone} in the jail")
            verifier = Verifier(jail, files, budget)
            parent = verifier.verify(self._seed, 1.0, 0)
            if parent.failure is not None:
                raise InputError(f"{plan.seed_backbone}: {parent.failure}: {parent.message}; choose another seed")
            ladder = _Ladder(verifier, files, parent)
            for number, idea in enumerate(self._ideas(plan.proposals), 1):
                self._begin("design", f"proposal {number} of {plan.proposals}: {idea.name}")
                self._propose(designer, ladder, _task(plan, self._seed, parent, idea, number))

    def _propose(self, designer: Designer, ladder: _Ladder, task: DesignTask) -> None:
        from fairnad_engine.backbone.failures import Rung, rung_of
        from fairnad_engine.llm.protocol import DesignRefusedError

        m = self._m
        try:
            design = designer.design(task)
        except DesignRefusedError as refused:
            m.answered.count(refused.kind not in ("malformed-reply", "truncated-reply"))
            for share in (m.designed, m.exportable, m.passed):
                share.count(False)
            m.failures[refused.kind] += 1
            return
        m.answered.count(True)
        m.designed.count(True)
        began = time.monotonic()
        verdict = ladder.verifier.verify(design.source, design.width_factor, 0)
        m.verify_seconds += time.monotonic() - began
        failure = verdict.failure
        if failure is None and verdict.exact_hash == ladder.parent.exact_hash:
            failure = "unchanged"
        m.exportable.count(verdict.failure is None or rung_of(verdict.failure) is not Rung.EXECUTION)
        m.passed.count(failure is None)
        if failure is not None:
            m.failures[failure] += 1
            return
        judged = ladder.realised(verdict, self._template, task.idea)
        if judged != "unknown":
            m.realised.count(judged == "yes")

    def _ideas(self, number: int) -> Iterator[IdeaBrief]:
        """So many ideas, one main category after the other, begun anew where there are fewer."""
        from fairnad_engine.knowledge.rules_reader import RulesReader
        from fairnad_engine.llm.protocol import IdeaBrief

        found: dict[str, list[IdeaBrief]] = {}
        for paper in self._samples:
            for draft in RulesReader().extract(paper, self._template).ideas:
                brief = IdeaBrief(f"check-{draft.sub}", draft.main, draft.sub, draft.name, draft.instruction)
                found.setdefault(draft.main, []).append(brief)
        turns = [one for turn in zip_longest(*found.values()) for one in turn if one is not None]
        return (turns[place % len(turns)] for place in range(number))

    def _begin(self, purpose: str, doing: str) -> None:
        self._listening.purpose = purpose
        self._m.doing = doing
        self._tell(doing)


def _samples(folder: str) -> Iterator[PaperText]:
    from fairnad_engine.knowledge.papers import ReadProblem, read_papers

    return (one for one in read_papers(folder) if not isinstance(one, ReadProblem))


def _some(template: Template, categories: int) -> Template:
    """The template with its first main categories alone, levels in turn; 0: all."""
    if not categories:
        return template
    turns = [one for turn in zip_longest(*(level.mains for level in template.levels)) for one in turn if one]
    return _only(template, *(one.id for one in turns[:categories]))


def _only(template: Template, *mains: str) -> Template:
    levels = (
        Level(one.id, one.name, one.definition, tuple(main for main in one.mains if main.id in mains))
        for one in template.levels
    )
    kept = tuple(one for one in levels if one.mains)
    return Template(template.version, template.references, kept, template.source, template.digest)


def _task(plan: Plan, source: str, parent: Verdict, idea: IdeaBrief, number: int) -> DesignTask:
    from fairnad_engine.llm.protocol import DesignTask, Purpose

    return DesignTask(
        purpose=Purpose.IDEA,
        parent_source=source,
        idea=idea,
        input_shape=plan.shape,
        num_classes=10,
        max_params=plan.max_params,
        max_macs=plan.max_macs,
        parent_params=parent.params,
        parent_macs=parent.macs,
        entropy=(number,),
    )
