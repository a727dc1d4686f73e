"""What a jail child can be asked to do; each task takes and gives JSON-able data and named blobs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fairnad_engine.backbone.export import CandidateError, build, export_with_witness, read_tensors
from fairnad_engine.backbone.graph import GraphRefusedError
from fairnad_engine.backbone.replay import replay_graph

_FAR_OVER = 3  # widths in a row; a cost need not grow with the width

Blobs = dict[str, bytes]
Task = Callable[[dict[str, Any], Blobs], tuple[dict[str, Any], Blobs]]

__all__ = ["TASKS", "CandidateError"]


def _export(payload: dict[str, Any], blobs: Blobs) -> tuple[dict[str, Any], Blobs]:
    """Source in; graph description, initial weights and what the source itself was seen to do out."""
    document, weights, witness = export_with_witness(payload["source"], payload)
    return {"graph": document, "witness": witness}, {"weights": weights}


def _replay(payload: dict[str, Any], blobs: Blobs) -> tuple[dict[str, Any], Blobs]:
    """Graph description and weights in, what the graph does out; no candidate's source comes into this child."""
    try:
        return replay_graph(payload["graph"], read_tensors(blobs["weights"]), int(payload["seed"])), {}
    except GraphRefusedError as refused:
        raise CandidateError(refused.kind, str(refused)) from refused


def _widths(payload: dict[str, Any], blobs: Blobs) -> tuple[dict[str, Any], Blobs]:
    """Parameters and MACs at each of several widths, as hints for the width fit; the fitted child is counted anew."""
    from torch.utils.flop_counter import FlopCounterMode

    shape = [int(n) for n in payload["shape"]]
    most_params, most_macs = payload.get("most", [math.inf, math.inf])
    found: list[list[float] | None] = []
    far = 0
    for width in payload["widths"]:
        try:
            model = _on_meta(payload, shape[0], float(width))
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                model(torch.empty(2, *shape, device="meta"))
        except Exception:
            found.append(None)  # this width breaks it; another may not
            continue
        params, macs = sum(p.numel() for p in model.parameters()), counter.get_total_flops() / 4
        found.append([params, macs])
        far = far + 1 if params > most_params or macs > most_macs else 0
        if far == _FAR_OVER:
            break  # what is wider only takes longer to build
    return {"widths": found + [None] * (len(payload["widths"]) - len(found))}, {}


def _on_meta(payload: dict[str, Any], channels: int, width: float) -> nn.Module:
    arguments = (payload["source"], channels, int(payload["classes"]), width, 0)
    try:
        with torch.device("meta"):
            return build(*arguments).eval()
    except Exception:
        return build(*arguments).eval().to("meta")  # a constructor that looks at the numbers it draws


def _logits(payload: dict[str, Any], blobs: Blobs) -> tuple[dict[str, Any], Blobs]:
    """The stand-alone source with given weights on given images (float32, N x C x H x W)."""
    from safetensors.torch import save

    images = read_tensors(blobs["images"])["images"]
    model = build(payload["source"], images.shape[1], int(payload["classes"]), float(payload["width"]), 0)
    state = read_tensors(blobs["weights"])
    with torch.no_grad():
        # By name rather than load_state_dict, which knows nothing of non-persistent buffers; tied tensors come once.
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if name not in state or state[name].shape != tensor.shape:
                raise CandidateError("build", f"the weights do not fit: {name}")
            tensor.copy_(state[name])
    with torch.no_grad():
        logits = model.eval()(images)
    return {}, {"logits": save({"logits": logits.contiguous()})}


TASKS: dict[str, Task] = {"export": _export, "replay": _replay, "widths": _widths, "logits": _logits}
