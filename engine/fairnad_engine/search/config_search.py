"""What a search is: methods, stages, fairness, and what else decides of its outcome (method, sections 3, 4 and 7)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fairness = Literal["main+sub", "level+main+sub", "main", "sub", "none"]
Method = Literal[
    "fairnad",
    "uniform",
    "fair",
    "fair+pareto",
    "iterative",
    "fairnad-uniform",
    "random",
    "evolution",
    "nsga2",
    "llm-no-idea",
]

# What a method means where nothing else is said. The first five are the rows of the paper's ablation (method,
# section 6) at one size of a generation: twenty models, of a chain two. The sixth is the whole method but for fair
# sampling, so that nothing else differs. The baselines draw no ideas; evolution is to see its children soon, as its
# source has it.
METHODS: dict[str, dict[str, Any]] = {
    "fairnad": {},
    "uniform": {"fairness": "none", "stages": (20, 0, 0)},
    "fair": {"stages": (20, 0, 0)},
    "fair+pareto": {"stages": (10, 10, 0)},
    "iterative": {"stages": (0, 0, 10)},
    "fairnad-uniform": {"fairness": "none"},
    "random": {"stages": (20, 0, 0)},
    "evolution": {"stages": (4, 0, 0)},
    "nsga2": {"stages": (20, 0, 0)},
    "llm-no-idea": {"stages": (20, 0, 0)},
}
BASELINES = ("random", "evolution", "nsga2", "llm-no-idea")
LATENCY_BATCH = {"off": 0, "image": 1, "batch": 256}  # the timed batch, by latency_objective
# Other names of the same: the baseline by its full one, the ablations by what is left of the stages.
METHOD_ALIASES = {"regularized-evolution": "evolution", "stage1-only": "fair", "stage3-only": "iterative"}
MOST_SLOTS = 400  # of a generation, as candidates' positions have room for them


class Section(BaseModel):
    """A section of a configuration file: nothing unknown in it, and never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SearchSection(Section):
    """The search itself (method, sections 3 and 4).

    Attributes:
        seed: Seed of every random choice.
        seed_backbone: Name of a shipped seed, or path of a Python file.
        stages: Slots of Stage I, II and III in a generation.
        generation_scale: Times the slots of each stage, for more GPUs than a generation of the paper's keeps busy;
            proposals then see the results of earlier models later.
        fairness: On which levels of the template turns are kept equal; ``none`` draws uniformly over ideas.
        parent_floor: Points below the seed's accuracy under which a model is no parent in Stage II.
        fit: Who fits a child to the budget: ``down`` narrows by program what is over it, ``fill`` puts every child at
            its edge, ``llm`` asks the model.
        method: The whole method, one row of the paper's ablation, or a baseline; it sets ``fairness`` and ``stages``
            where they are not given.
        fair_unit: What is kept equal: turns, or the models trained of them (:mod:`fairnad_engine.search.fairness`).
        thompson: Probability with which a turn's main category is drawn by what categories brought so far.
        refill: Whether a failed slot is given once more at the end of its generation, with a new turn.
        stage3_counts: Whether of a chain both models count toward the budget, or the last one.
        proposals: What a proposal sees: the run as the generation before left it (``snapshot``), the stages before
            its own too (``sequential``), or only what the generation before the last left (``lookahead``).
        seeds_by: What seeds a training beside the run's seed: its ``place`` in the run, or its ``structure``, by which
            equal networks of paired runs come to equal scores and are trained once in a workspace.
        control: When the seed at the budget's edge is trained, which every report sets beside the front: with
            ``finish``, at the end of the ``search``, or never (``off``). It changes nothing of the outcome.
        scale_up: Probability with which a Stage II parent with slack under the budgets is scaled up; otherwise one of
            its hyper-parameters is changed, as where there is no slack.
        scale_down: Probability with which a Stage II parent is scaled down instead, to between a half and an eighth of
            its cost: the paper only scales up, and leaves the cheap end of the front to chance.
        latency_objective: Whether measured latency is a fourth objective of rank, crowding distance and front: that of
            one ``image``, or of a ``batch`` of 256. It needs ``latency_rounds``; being measured, it differs from run
            to run, and with it the run digest.
        structural_quota: Share of a generation's Stage I and III models that must be structural edits.
        near_duplicates: ``strict`` refuses programs that differ from one of the run by next to nothing, before any
            training (:mod:`fairnad_engine.search.sketch`).
    """

    seed: int = Field(default=0, ge=0, lt=2**32)
    seed_backbone: str = "resnet32"
    stages: tuple[int, int, int] = (8, 8, 4)
    generation_scale: int = Field(default=1, ge=1, le=MOST_SLOTS)
    fairness: Fairness = "main+sub"
    parent_floor: float = Field(default=2.0, ge=0)
    fit: Literal["down", "fill", "llm"] = "down"
    method: Method = "fairnad"
    fair_unit: Literal["turn", "trained"] = "turn"
    thompson: float = Field(default=0.0, ge=0, le=1)
    refill: bool = False
    stage3_counts: Literal["both", "last"] = "both"
    proposals: Literal["snapshot", "sequential", "lookahead"] = "snapshot"
    seeds_by: Literal["place", "structure"] = "place"
    control: Literal["finish", "search", "off"] = "finish"
    scale_up: float = Field(default=1.0, ge=0, le=1)
    scale_down: float = Field(default=0.0, ge=0, le=1)
    latency_objective: Literal["off", "image", "batch"] = "off"
    structural_quota: float = Field(default=0.0, ge=0, le=1)
    near_duplicates: Literal["off", "strict"] = "off"

    @model_validator(mode="before")
    @classmethod
    def _what_the_method_means(cls, given: Any) -> Any:  # noqa: ANN401 - as it came, not checked yet
        if not isinstance(given, dict):
            return given
        method = given.get("method")
        if not isinstance(method, str):
            return given
        method = METHOD_ALIASES.get(method, method)
        return {**METHODS.get(method, {}), **given, "method": method}

    @model_validator(mode="after")
    def _some_slots(self) -> SearchSection:
        most = MOST_SLOTS // (2 if self.refill else 1)
        if min(self.stages) < 0 or not 1 <= sum(self.stages) <= most:
            raise ValueError(f"stages needs three numbers of slots, 1 to {most} together")
        if sum(self.slots) > most:
            largest = most // sum(self.stages)
            raise ValueError(
                f"generation_scale = {self.generation_scale} makes {sum(self.slots)} slots of a generation, and {most} "
                f"are the most; with these stages up to {largest}"
            )
        return self

    @property
    def slots(self) -> tuple[int, int, int]:
        """Slots of Stage I, II and III that a generation has in fact: its stages times their scale."""
        first, second, third = (self.generation_scale * count for count in self.stages)
        return first, second, third

    @property
    def overlaps(self) -> bool:
        """Whether a generation may begin while the one before goes on: its slots are all known when it begins."""
        return self.proposals == "lookahead" and not self.refill

    @property
    def draws_ideas(self) -> bool:
        """Whether the search needs approved ideas."""
        return self.stages[0] > 0 and self.method not in BASELINES

    def settings(self) -> dict[str, Any]:
        """As a run's digest takes them: settings that came later appear only where they are not at their default.

        A method that only sets other settings is no setting of its own.
        """
        dumped = self.model_dump(mode="json", exclude={"control"})
        sampling = ("fair_unit", "thompson", "refill", "stage3_counts", "proposals", "generation_scale")
        kinds = ("scale_up", "scale_down", "latency_objective", "structural_quota", "near_duplicates")
        later = (*sampling, "method", "seeds_by", *kinds)
        unset = {name for name in later if dumped[name] == type(self).model_fields[name].default}
        if self.method not in BASELINES:
            unset.add("method")
        return {name: value for name, value in dumped.items() if name not in unset}
