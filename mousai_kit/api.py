"""All that is public, to users and plug-ins, on one page: `import mousai_kit.api as mk`."""

from mousai_kit.audio.analysis import AudioStats
from mousai_kit.audio.io import AudioInfo, audio_error, audio_info, display_path, read
from mousai_kit.audio.spectrogram import log_mel
from mousai_kit.audio.tags import read_tags
from mousai_kit.audio.torchaudio_compat import torchaudio
from mousai_kit.core.build import build
from mousai_kit.core.component import (
    Component,
    Field,
    LocalPath,
    Options,
    PathOrName,
    Use,
    default,
)
from mousai_kit.core.errors import (
    AudioError,
    MousaiError,
    PluginError,
    Problem,
    RecipeError,
    RequestError,
    TrainingError,
    WeightsError,
    did_you_mean,
    error_summary,
)
from mousai_kit.core.hookspecs import hookimpl
from mousai_kit.core.interfaces import (
    Clip,
    Condition,
    Controls,
    Dataset,
    Domain,
    GenerationRequest,
    Metric,
    NamePair,
    NoiseSource,
    PositionalNoise,
    Prompt,
    Sampler,
    Schedule,
    SignalSpace,
    SpectralEncoder,
    Split,
    Stage,
    TensorNames,
    TextEmbedding,
    TextEncoder,
    UNet,
    Velocity,
    WeightFormat,
)
from mousai_kit.data.captions import (
    SIDECAR_SUFFIXES,
    AnyCaption,
    CaptionFields,
    caption_from_mapping,
    licence_from_tags,
    licence_in,
    parse_sidecar,
    unused_keys,
    unused_keys_told,
)
from mousai_kit.data.tracks import Track, TrackDataset, TrackList, validation_mask
from mousai_kit.generation.output import GeneratedAudio
from mousai_kit.generation.trained import Pipeline, load
from mousai_kit.models import hub
from mousai_kit.models.attention import attention
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.editing import EDITING, EditedSampler
from mousai_kit.models.guidance import ClassifierFreeGuidance
from mousai_kit.models.overlap import overlap_add, overlapping_windows, scale_range
from mousai_kit.models.partway import Partway
from mousai_kit.models.pretrained import PretrainedCheckpoint, transformers
from mousai_kit.models.sampling import NoiseLevel, SamplerOptions, SteppedSampler
from mousai_kit.models.text_encoding import (
    FrozenTextModel,
    PretrainedOptions,
    PretrainedTextEncoder,
    overflowing_text,
    strip_surrogates,
    tokenize,
)
from mousai_kit.recipe import Recipe, load_recipe
from mousai_kit.training.run import train

__all__ = [
    "EDITING",
    "SIDECAR_SUFFIXES",
    "AnyCaption",
    "AudioError",
    "AudioInfo",
    "AudioStats",
    "CaptionFields",
    "Cascade",
    "ClassifierFreeGuidance",
    "Clip",
    "Component",
    "Condition",
    "Controls",
    "Dataset",
    "Domain",
    "EditedSampler",
    "Field",
    "FrozenTextModel",
    "GeneratedAudio",
    "GenerationRequest",
    "LocalPath",
    "Metric",
    "MousaiError",
    "NamePair",
    "NoiseLevel",
    "NoiseSource",
    "Options",
    "Partway",
    "PathOrName",
    "Pipeline",
    "PluginError",
    "PositionalNoise",
    "PretrainedCheckpoint",
    "PretrainedOptions",
    "PretrainedTextEncoder",
    "Problem",
    "Prompt",
    "Recipe",
    "RecipeError",
    "RequestError",
    "Sampler",
    "SamplerOptions",
    "Schedule",
    "SignalSpace",
    "SpectralEncoder",
    "Split",
    "Stage",
    "SteppedSampler",
    "TensorNames",
    "TextEmbedding",
    "TextEncoder",
    "Track",
    "TrackDataset",
    "TrackList",
    "TrainingError",
    "UNet",
    "Use",
    "Velocity",
    "WeightFormat",
    "WeightsError",
    "attention",
    "audio_error",
    "audio_info",
    "build",
    "caption_from_mapping",
    "default",
    "did_you_mean",
    "display_path",
    "error_summary",
    "hookimpl",
    "hub",
    "licence_from_tags",
    "licence_in",
    "load",
    "load_recipe",
    "log_mel",
    "overflowing_text",
    "overlap_add",
    "overlapping_windows",
    "parse_sidecar",
    "read",
    "read_tags",
    "scale_range",
    "strip_surrogates",
    "tokenize",
    "torchaudio",
    "train",
    "transformers",
    "unused_keys",
    "unused_keys_told",
    "validation_mask",
]
