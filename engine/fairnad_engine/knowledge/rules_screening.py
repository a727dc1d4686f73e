"""Screening by vocabulary: is a paper about how a vision backbone is built, or about something else?

Method, section 1.2 (arXiv:2605.19247) asks a model "can this inspire a better backbone block?"; at the paper's
scale about half of a vision conference's abstracts pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from fairnad_engine.knowledge.cues import Cue, compile_cue, find_cues, fold

_FOR = {
    3: "backbone; network architecture; architecture design; network design; design space; building "
    "block; residual network; residual learning; convolutional network; convnet; convolutional neural "
    "network; vision transformer; network in network; efficient network; mobile network; attention "
    "module; attention block; basic block; bottleneck block; token mixer; token mixing; residual "
    "block; image recognition network; neural architecture; mlp-mixer; mlp architecture; all-mlp; "
    "general-purpose architecture; family of networks; mixer block; hybrid network",
    2: "conv*; depth-wise; group* conv*; large kernel; self-attention; residual connection; shortcut "
    "connection; skip connection; identity mapping*; squeeze-and-excitation; channel attention; "
    "spatial attention; normali*ation layer; batch normali*; layer normali*; group normali*; "
    "activation function; downsampl*; pooling layer; max pool*; average pool*; anti-alias*; feature "
    "map; inverted residual; stochastic depth; dense connect*; densely connected; stem; patchify; "
    "stages; macro design; expansion ratio; model scaling; compound scaling; feed-forward; block; "
    "channel shuffle; cardinality; multi-branch; multi-scale feature*; receptive field; transformer; "
    "metaformer; gating; class-attention; mixer; position embedding; element-wise",
    1: "imagenet; cifar; image classification; image recognition; flops; accuracy; parameters; latency; "
    "throughput; architecture; attention; layer; depth; width; channel; kernel; activation; "
    "normali*ation; non-linearity; pooling; deeper; efficient; lightweight; residual; network; gate; "
    "connection; stage; encoder; feature; projection; softmax; resolution; multiply-add; kernel size",
}
_AGAINST = {
    4: "survey of; a survey; a review; literature review; new dataset; new benchmark; dataset of; large- "
    "scale dataset; annotat*; loss function; contrastive loss; diffusion model; text-to-image; image "
    "generation; generative adversarial; gan; language model; machine translation; speech; neural "
    "radiance field*; nerf; gaussian splatting; point cloud; lidar; 3d reconstruction; object "
    "tracking; federated learning; adversarial attack*; backdoor; deepfake; reinforcement learning; "
    "prompt tuning; detection head; region proposal; non-maximum suppression; pose estimation; "
    "optical flow; video generation; question answering; captioning; retrieval; domain adaptation; "
    "continual learning; few-shot; active learning; label noise; noisy labels; semi-supervised; "
    "crowdsourc*; privacy; fairness; watermark*; recommendation; knowledge graph*; medical report*; "
    "hyperparameter search; pruning criterion; quantisation-aware; quantization-aware",
    2: "dataset; benchmark; detector; tracking; segmentation mask*; bounding box*; text; corpus; "
    "annotators; video; 3d; depth estimation; super-resolution; denoising; deblurring; self- "
    "supervised; pre-training; distillation; augmentation; loss; sampling strategy; camera; robot*; "
    "questionnaire; clinical; optimizer; learning rate",
}
_TITLE_FACTOR = 2
_LEAST = 5
"""Evidence for architecture below which a paper says too little about it."""


def screen(title: str, abstract: str) -> tuple[bool, str]:
    """Return whether a paper can inspire a better backbone block, and the words that decided it."""
    wanted, named = _evidence(_FOR, title, abstract)
    other, unwanted = _evidence(_AGAINST, title, abstract)
    says = f"architecture {wanted} ({_some(named)}), other subjects {other} ({_some(unwanted)})"
    if wanted < _LEAST:
        return False, f"too little about network architecture: {says}"
    if other >= wanted:
        return False, f"mainly about something else: {says}"
    return True, f"about how a network is built: {says}"


def _evidence(table: Mapping[int, str], title: str, abstract: str) -> tuple[int, list[str]]:
    """Sum the weights of the different phrases found, twice for those in the title; name them, heaviest first."""
    weights, cues = _compiled(tuple(table.items()))
    found: dict[str, int] = {}
    for text, factor in ((title, _TITLE_FACTOR), (abstract, 1)):
        for hit in find_cues(fold(text), cues):
            weight = weights[hit.cue.phrase] * factor
            found[hit.cue.phrase] = max(weight, found.get(hit.cue.phrase, 0))
    named = sorted(found, key=lambda phrase: (-found[phrase], phrase))
    return sum(found.values()), named


def _some(phrases: list[str]) -> str:
    return ", ".join(phrase.replace("*", "") for phrase in phrases[:4]) or "none"


@cache
def _compiled(table: tuple[tuple[int, str], ...]) -> tuple[dict[str, int], tuple[Cue, ...]]:
    weights = {phrase.strip(): weight for weight, phrases in table for phrase in phrases.split(";")}
    return weights, tuple(compile_cue("", phrase) for phrase in weights)
