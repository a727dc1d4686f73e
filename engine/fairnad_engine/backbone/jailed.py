"""What a jail child can be asked to do; each task takes and gives JSON-able data and named blobs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairnad_engine.backbone.export import CandidateError, build, export_backbone, read_tensors

Blobs = dict[str, bytes]
Task = Callable[[dict[str, Any], Blobs], tuple[dict[str, Any], Blobs]]

__all__ = ["TASKS", "CandidateError"]


def _export(payload: dict[str, Any], blobs: Blobs) -> tuple[dict[str, Any], Blobs]:
    """Source in, graph description and initial weights out."""
    document, weights = export_backbone(payload["source"], payload)
    return {"graph": document}, {"weights": weights}


def _widths(payload: dict[str, Any], blobs: Blobs) -> tuple[dict[str, Any], Blobs]:
    """Parameters and MACs at each of several widths, as hints for the width fit; the fitted child is counted anew."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    shape = [int(n) for n in payload["shape"]]
    found: list[list[float]] = []
    for width in payload["widths"]:
        model = build(payload["source"], shape[0], int(payload["classes"]), float(width), 0).eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model.to("meta")(torch.empty(2, *shape, device="meta"))
        found.append([float(width), sum(p.numel() for p in model.parameters()), counter.get_total_flops() / 4])
    return {"widths": found}, {}


def _logits(payload: dict[str, Any], blobs: Blobs) -> tuple[dict[str, Any], Blobs]:
    """The stand-alone source with given weights on given images (float32, N x C x H x W)."""
    import torch
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


TASKS: dict[str, Task] = {"export": _export, "widths": _widths, "logits": _logits}
