"""A network that cheats is flagged by name or made harmless; an honest one is never flagged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cheats import CHEATS, HONEST, MACS, PARAMS, Cheat

from fairnad_engine.artifacts import ArtifactFolder
from fairnad_engine.backbone.agreement import disagreement
from fairnad_engine.backbone.analysis import measure
from fairnad_engine.backbone.export import export_with_witness, read_tensors
from fairnad_engine.backbone.graph import parse_graph
from fairnad_engine.backbone.jail import Jail
from fairnad_engine.backbone.replay import replay_graph
from fairnad_engine.backbone.verifier import Budget, Verifier
from fairnad_engine.llm.rules import TRANSFORMATIONS
from fairnad_engine.llm.rules.blueprint import Blueprint
from fairnad_engine.llm.rules.catalogue import HYPERPARAMETERS, INVERSES
from fairnad_engine.llm.rules.catalogue.draw import Draw
from fairnad_engine.llm.rules.geometry import InvalidBlueprintError
from fairnad_engine.llm.rules.render import render
from fairnad_engine.llm.rules.scaling import refit
from fairnad_engine.llm.rules.seeds import SEEDS

torch.set_num_threads(1)
SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verifier]:
    files = ArtifactFolder(Path(tmp_path_factory.mktemp("files")))
    with Jail(wall_seconds=60.0) as jail:
        yield Verifier(jail, files, Budget(SHAPE, 10, 10**7, 10**9))


@pytest.mark.slow
@pytest.mark.parametrize("cheat", [Cheat("honest", HONEST), *CHEATS], ids=lambda cheat: cheat.name)
def test_cheat_is_flagged_or_harmless(cheat: Cheat, verifier: Verifier) -> None:
    verdict = verifier.verify(cheat.source, 1.0, 0)
    assert verdict.failure == cheat.failure, verdict.message
    if cheat.failure is None:
        assert (verdict.params, verdict.macs) == (cheat.params, cheat.macs)


def test_there_are_enough_cheats() -> None:
    assert len({cheat.name for cheat in CHEATS}) == len(CHEATS) >= 15
    assert sum(cheat.failure is None for cheat in CHEATS) >= 5
    assert (PARAMS, MACS) == (754, 41_552)


def shallow(blueprint: Blueprint) -> Blueprint:
    """One block a stage: every transformation applies to it, and a trace takes half as long."""
    return replace(blueprint, stages=tuple(replace(stage, blocks=stage.blocks[:1]) for stage in blueprint.stages))


STARTS = {"shallow": shallow(SEEDS["digits-small"]), **SEEDS}
# In shares, for several workers.
SHARES = (
    *(("shallow", range(start, start + 12)) for start in range(0, 84, 12)),
    ("digits-small", range(84, 94)),
    ("digits-small", range(94, 98)),
    ("resnet32", range(98, 100)),
)
ALWAYS = {0, 12, 94, 98}  # where the shares begin that the suite tries; the others where there is time for all


def variant(seed: str, number: int) -> str:
    """Three random transformations of a network, rendered."""
    rng, blueprint = np.random.default_rng([29, number]), STARTS[seed]
    options = [t for table in (TRANSFORMATIONS, INVERSES, HYPERPARAMETERS) for t in table.values()]
    for step in range(3):
        drawn = Draw(np.random.default_rng([number, step]), SHAPE)
        change = options[int(rng.integers(len(options)))].apply(blueprint, drawn)
        try:
            blueprint = refit(change.blueprint, SHAPE) if change is not None else blueprint
        except InvalidBlueprintError:
            continue
    return render(blueprint)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "numbers"),
    [pytest.param(*share, marks=() if share[1].start in ALWAYS else pytest.mark.soak) for share in SHARES],
)
def test_honest_variants_are_not_flagged(seed: str, numbers: range) -> None:
    flagged = {number: flag for number in numbers if (flag := flag_of(variant(seed, number))) is not None}
    assert flagged == {}


def test_there_are_enough_variants() -> None:
    assert sorted(number for _, numbers in SHARES for number in numbers) == list(range(100))
    sources = {variant(seed, number) for seed, numbers in SHARES for number in numbers}
    assert len(sources - set(map(render, STARTS.values()))) >= 98


def flag_of(source: str) -> str | None:
    """What the checks say of a source whose code is this project's own."""
    request = {"shape": list(SHAPE), "classes": 10, "width": 1.0, "seed": 0}
    document, weights, witness = export_with_witness(source, request)
    measure(parse_graph(document))
    replayed = replay_graph(document, read_tensors(weights), 0)
    problems = [disagreement(seen, replayed["seen"]) for seen in witness]
    return next((p for p in problems if p), "a leak" if replayed["leak"] else None)
