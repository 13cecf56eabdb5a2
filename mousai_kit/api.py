"""All that is public, to users and plug-ins, on one page: `import mousai_kit.api as mk`.

What takes long to import, and no plug-in needs to be loaded, is imported where it is first named.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mousai_kit.audio.analysis import AudioStats, LoudnessMeter
from mousai_kit.audio.griffin_lim import griffin_lim, inverse_stft, stft
from mousai_kit.audio.io import (
    AudioInfo,
    audio_error,
    audio_info,
    display_path,
    read,
    resample,
)
from mousai_kit.audio.spectrogram import log_mel
from mousai_kit.audio.tags import read_tags
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
    ChannelLayout,
    Clip,
    ClipSet,
    Condition,
    Conditioner,
    ConditionerOptions,
    Controls,
    Dataset,
    Denoising,
    Domain,
    Embedding,
    ExtrasExtractor,
    GenerationRequest,
    JumpVelocity,
    Matrix,
    Metric,
    NamePair,
    NoiseSource,
    PositionalNoise,
    Prompt,
    RealClips,
    Sampler,
    Schedule,
    SetMetric,
    SetScore,
    SignalSpace,
    SignalStream,
    SpectralEncoder,
    Split,
    Stage,
    TensorNames,
    TextEmbedding,
    TextEncoder,
    TextMetric,
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
from mousai_kit.data.combined import CombinedDataset
from mousai_kit.data.tracks import Track, TrackDataset, TrackList, validation_mask
from mousai_kit.generation.output import GeneratedAudio
from mousai_kit.models import hub
from mousai_kit.models.attention import attention
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.conditioning import Conditioners, ExtraConditioning, pad_context
from mousai_kit.models.device import without_autocast
from mousai_kit.models.editing import EDITING, EditedSampler
from mousai_kit.models.guidance import Blend, ClassifierFreeGuidance
from mousai_kit.models.loss import mean_per_clip, velocity_loss
from mousai_kit.models.overlap import overlap_add, overlapping_windows, scale_range
from mousai_kit.models.partway import Partway
from mousai_kit.models.pretrained import CheckpointOptions, PretrainedCheckpoint, transformers
from mousai_kit.models.sampling import NoiseLevel, SamplerOptions, SteppedSampler
from mousai_kit.models.text_encoding import (
    FrozenTextModel,
    PretrainedOptions,
    PretrainedTextEncoder,
    overflowing_text,
    strip_surrogates,
    tokenize,
)
from mousai_kit.models.text_stage import TextStage, TextStageOptions
from mousai_kit.recipe import DistillationOptions, Recipe, load_recipe

if TYPE_CHECKING:
    from mousai_kit.audio.torchaudio_compat import torchaudio
    from mousai_kit.generation.trained import Pipeline, load
    from mousai_kit.training.run import train
else:
    _LATE = {
        "torchaudio": "mousai_kit.audio.torchaudio_compat",
        "Pipeline": "mousai_kit.generation.trained",
        "load": "mousai_kit.generation.trained",
        "train": "mousai_kit.training.run",
    }

    def __getattr__(name: str) -> Any:
        if name not in _LATE:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        globals()[name] = found = getattr(import_module(_LATE[name]), name)
        return found


__all__ = [
    "EDITING",
    "SIDECAR_SUFFIXES",
    "AnyCaption",
    "AudioError",
    "AudioInfo",
    "AudioStats",
    "Blend",
    "CaptionFields",
    "Cascade",
    "ChannelLayout",
    "CheckpointOptions",
    "ClassifierFreeGuidance",
    "Clip",
    "ClipSet",
    "CombinedDataset",
    "Component",
    "Condition",
    "Conditioner",
    "ConditionerOptions",
    "Conditioners",
    "Controls",
    "Dataset",
    "Denoising",
    "DistillationOptions",
    "Domain",
    "EditedSampler",
    "Embedding",
    "ExtraConditioning",
    "ExtrasExtractor",
    "Field",
    "FrozenTextModel",
    "GeneratedAudio",
    "GenerationRequest",
    "JumpVelocity",
    "LocalPath",
    "LoudnessMeter",
    "Matrix",
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
    "RealClips",
    "Recipe",
    "RecipeError",
    "RequestError",
    "Sampler",
    "SamplerOptions",
    "Schedule",
    "SetMetric",
    "SetScore",
    "SignalSpace",
    "SignalStream",
    "SpectralEncoder",
    "Split",
    "Stage",
    "SteppedSampler",
    "TensorNames",
    "TextEmbedding",
    "TextEncoder",
    "TextMetric",
    "TextStage",
    "TextStageOptions",
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
    "griffin_lim",
    "hookimpl",
    "hub",
    "inverse_stft",
    "licence_from_tags",
    "licence_in",
    "load",
    "load_recipe",
    "log_mel",
    "mean_per_clip",
    "overflowing_text",
    "overlap_add",
    "overlapping_windows",
    "pad_context",
    "parse_sidecar",
    "read",
    "read_tags",
    "resample",
    "scale_range",
    "stft",
    "strip_surrogates",
    "tokenize",
    "torchaudio",
    "train",
    "transformers",
    "unused_keys",
    "unused_keys_told",
    "validation_mask",
    "velocity_loss",
    "without_autocast",
]
