"""The kinds of part, one page each: this folder is their list."""

from mousai_kit.core.interfaces.conditioner import Conditioner, ConditionerOptions
from mousai_kit.core.interfaces.controls import Controls, Prompt
from mousai_kit.core.interfaces.dataset import Clip, Dataset, Split
from mousai_kit.core.interfaces.domain import ChannelLayout, Domain
from mousai_kit.core.interfaces.embedding import Embedding
from mousai_kit.core.interfaces.metric import (
    ClipSet,
    Matrix,
    Metric,
    RealClips,
    SetMetric,
    SetScore,
    TextMetric,
)
from mousai_kit.core.interfaces.noise import NoiseSource, PositionalNoise, VariedNoise
from mousai_kit.core.interfaces.sampler import Sampler
from mousai_kit.core.interfaces.schedule import Schedule
from mousai_kit.core.interfaces.signal_space import SignalSpace
from mousai_kit.core.interfaces.signal_stream import SignalStream
from mousai_kit.core.interfaces.spectral_encoder import SpectralEncoder
from mousai_kit.core.interfaces.stage import (
    Condition,
    Denoising,
    ExtrasExtractor,
    GenerationRequest,
    Stage,
)
from mousai_kit.core.interfaces.text_encoder import TextEmbedding, TextEncoder
from mousai_kit.core.interfaces.unet import JumpVelocity, UNet, Velocity
from mousai_kit.core.interfaces.weight_format import NamePair, TensorNames, WeightFormat

KINDS = {
    kind.kind: kind
    for kind in (
        TextEncoder,
        Conditioner,
        SpectralEncoder,
        UNet,
        Schedule,
        Sampler,
        Domain,
        Stage,
        Dataset,
        Embedding,
        Metric,
        WeightFormat,
    )
}
"""The twelve kinds by name."""

__all__ = [
    "KINDS",
    "ChannelLayout",
    "Clip",
    "ClipSet",
    "Condition",
    "Conditioner",
    "ConditionerOptions",
    "Controls",
    "Dataset",
    "Denoising",
    "Domain",
    "Embedding",
    "ExtrasExtractor",
    "GenerationRequest",
    "JumpVelocity",
    "Matrix",
    "Metric",
    "NamePair",
    "NoiseSource",
    "PositionalNoise",
    "Prompt",
    "RealClips",
    "Sampler",
    "Schedule",
    "SetMetric",
    "SetScore",
    "SignalSpace",
    "SignalStream",
    "SpectralEncoder",
    "Split",
    "Stage",
    "TensorNames",
    "TextEmbedding",
    "TextEncoder",
    "TextMetric",
    "UNet",
    "VariedNoise",
    "Velocity",
    "WeightFormat",
]
