"""The kinds of part, one page each: this folder is their list."""

from mousai_kit.interfaces.dataset import Clip, Dataset, Split
from mousai_kit.interfaces.domain import Domain
from mousai_kit.interfaces.metric import Metric
from mousai_kit.interfaces.noise import NoiseSource, PlacedNoise
from mousai_kit.interfaces.sampler import Sampler
from mousai_kit.interfaces.schedule import Schedule
from mousai_kit.interfaces.spectral_encoder import SpectralEncoder
from mousai_kit.interfaces.stage import Condition, Request, Space, Stage
from mousai_kit.interfaces.text_encoder import Text, TextEncoder
from mousai_kit.interfaces.unet import UNet, Velocity
from mousai_kit.interfaces.weight_format import Names, Pair, WeightFormat

KINDS = {
    kind.kind: kind
    for kind in (
        TextEncoder,
        SpectralEncoder,
        UNet,
        Schedule,
        Sampler,
        Domain,
        Stage,
        Dataset,
        Metric,
        WeightFormat,
    )
}
"""The ten kinds by name."""

__all__ = [
    "KINDS",
    "Clip",
    "Condition",
    "Dataset",
    "Domain",
    "Metric",
    "Names",
    "NoiseSource",
    "Pair",
    "PlacedNoise",
    "Request",
    "Sampler",
    "Schedule",
    "Space",
    "SpectralEncoder",
    "Split",
    "Stage",
    "Text",
    "TextEncoder",
    "UNet",
    "Velocity",
    "WeightFormat",
]
