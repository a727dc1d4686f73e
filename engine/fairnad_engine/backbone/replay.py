"""The graph's own step, in a jail child that holds trusted code alone.

A hostile description may ask for more memory or time than there is; here it meets the same limits as any candidate,
and the search process never runs it.
"""

from __future__ import annotations

from typing import Any

import torch

from fairnad_engine.backbone.agreement import StepError, logits_differ, neighbours_matter, observe, probe
from fairnad_engine.backbone.graph import GraphRefusedError, parse_graph
from fairnad_engine.backbone.rebuild import GraphBackbone

_PERTURBATION = 0.05


def replay_graph(document: object, weights: dict[str, torch.Tensor], seed: int) -> dict[str, Any]:
    """Rebuild the network and see what it does.

    Returns:
        ``seen``: what :func:`~fairnad_engine.backbone.agreement.observe` saw; ``leak``: whether in eval mode an image's
        logits depend on its neighbours, as built or after its weights have moved away from their initial values.

    Raises:
        GraphRefusedError: The description is refused, or does not run on real images.
    """
    graph = parse_graph(document)
    images, labels = probe(graph.input_shape, graph.num_classes, seed)
    model = GraphBackbone(graph, weights)
    own = {
        entry.name: getattr(model, f"t{index}") for index, entry in enumerate(graph.tensors) if entry.kind != "constant"
    }
    try:
        seen = observe(model, own, images, labels, graph.num_classes)
    except StepError as error:
        raise GraphRefusedError(f"the graph does not run: {error}", error.phase) from error
    return {"seen": seen, "leak": _leaks(GraphBackbone(graph, weights).eval(), images)}


def _leaks(model: GraphBackbone, images: torch.Tensor) -> bool:
    generator = torch.Generator().manual_seed(0)
    if neighbours_matter(model, images) or _size_matters(model, images):
        return True
    with torch.no_grad():
        # A gate that starts at zero hides what is behind it.
        for parameter in model.parameters():
            parameter.add_(_PERTURBATION * torch.randn(parameter.shape, generator=generator))
    return neighbours_matter(model, images)


def _size_matters(model: GraphBackbone, images: torch.Tensor) -> bool:
    with torch.no_grad():
        return logits_differ(model(images)[:2], model(images[:2]))
