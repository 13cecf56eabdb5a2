"""All that is public, to users and plug-ins, on one page: `import mousai_kit.api as mk`."""

from mousai_kit import hub
from mousai_kit.attention import attention
from mousai_kit.audio import AudioInfo, log_mel, probe, read, shown, tags_of
from mousai_kit.audio.measures import Measures
from mousai_kit.building import build
from mousai_kit.cascade import Cascade
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
    did_you_mean,
    first_line,
)
from mousai_kit.guidance import Guided
from mousai_kit.hookspecs import hookimpl
from mousai_kit.interfaces import (
    Clip,
    Condition,
    Dataset,
    Domain,
    Metric,
    Names,
    NoiseSource,
    Pair,
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
    WeightFormat,
)
from mousai_kit.music.captions import Fields
from mousai_kit.music.description import DESCRIPTIONS, described, licence_in, told_by
from mousai_kit.music.licences import licence_of
from mousai_kit.music.made import Music
from mousai_kit.music.split import held_out
from mousai_kit.music.tracks import Track, TrackDataset
from mousai_kit.pretrained.checkpoint import Checkpoint, transformers
from mousai_kit.pretrained.text import PretrainedOptions, PretrainedText, TextNetwork
from mousai_kit.pretrained.tokens import encodable, token_ids
from mousai_kit.pure_torchaudio import torchaudio
from mousai_kit.recipe import Recipe, load_recipe
from mousai_kit.repeating import repeated, repeating
from mousai_kit.stepping import Level, StepOptions, SteppedSampler
from mousai_kit.trained import TrainedCascade, load, train
from mousai_kit.windows import joined, scaled, windows

__all__ = [
    "DESCRIPTIONS",
    "AudioError",
    "AudioInfo",
    "Cascade",
    "Checkpoint",
    "Clip",
    "Component",
    "Condition",
    "Dataset",
    "Domain",
    "Field",
    "Fields",
    "Guided",
    "Level",
    "Measures",
    "Metric",
    "MousaiError",
    "Music",
    "Names",
    "NoiseSource",
    "Options",
    "Pair",
    "PlacedNoise",
    "PluginError",
    "PretrainedOptions",
    "PretrainedText",
    "Problem",
    "Recipe",
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
    "TextNetwork",
    "Track",
    "TrackDataset",
    "TrainedCascade",
    "TrainingError",
    "UNet",
    "Use",
    "Velocity",
    "WeightFormat",
    "WeightsError",
    "attention",
    "build",
    "chosen",
    "described",
    "did_you_mean",
    "encodable",
    "first_line",
    "held_out",
    "hookimpl",
    "hub",
    "joined",
    "licence_in",
    "licence_of",
    "load",
    "load_recipe",
    "log_mel",
    "probe",
    "read",
    "repeated",
    "repeating",
    "scaled",
    "shown",
    "tags_of",
    "token_ids",
    "told_by",
    "torchaudio",
    "train",
    "transformers",
    "windows",
]
