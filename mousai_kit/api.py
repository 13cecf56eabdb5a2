"""All that a plug-in may import, on one page: `import mousai_kit.api as mk`."""

from mousai_kit.audio import AudioInfo, log_mel, probe, read, shown, tags_of
from mousai_kit.component import Component, Field, Options, Use, chosen
from mousai_kit.errors import (
    AudioError,
    MousaiError,
    PluginError,
    Problem,
    RecipeError,
    RequestError,
    TrainingError,
    WeightsError,
)
from mousai_kit.guidance import Guided
from mousai_kit.hookspecs import hookimpl
from mousai_kit.interfaces import (
    Clip,
    Condition,
    Dataset,
    Domain,
    Metric,
    NoiseSource,
    PlacedNoise,
    Request,
    Sampler,
    Schedule,
    Space,
    SpectralEncoder,
    Split,
    Stage,
    Text,
    TextEncoder,
    UNet,
    Velocity,
)
from mousai_kit.music.captions import Fields
from mousai_kit.music.tracks import Track, TrackDataset
from mousai_kit.pure_torchaudio import torchaudio
from mousai_kit.stepping import Level, StepOptions, SteppedSampler
from mousai_kit.windows import joined, scaled, windows

__all__ = [
    "AudioError",
    "AudioInfo",
    "Clip",
    "Component",
    "Condition",
    "Dataset",
    "Domain",
    "Field",
    "Fields",
    "Guided",
    "Level",
    "Metric",
    "MousaiError",
    "NoiseSource",
    "Options",
    "PlacedNoise",
    "PluginError",
    "Problem",
    "RecipeError",
    "Request",
    "RequestError",
    "Sampler",
    "Schedule",
    "Space",
    "SpectralEncoder",
    "Split",
    "Stage",
    "StepOptions",
    "SteppedSampler",
    "Text",
    "TextEncoder",
    "Track",
    "TrackDataset",
    "TrainingError",
    "UNet",
    "Use",
    "Velocity",
    "WeightsError",
    "chosen",
    "hookimpl",
    "joined",
    "log_mel",
    "probe",
    "read",
    "scaled",
    "shown",
    "tags_of",
    "torchaudio",
    "windows",
]
