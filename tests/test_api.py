"""The public names: frozen, documented, typed, and cheap to import."""

import inspect
import subprocess
import sys
import typing

import pytest

import mousai_kit.api as mk
from mousai_kit import __version__

NAMES = """
EDITING SIDECAR_SUFFIXES AnyCaption AudioError AudioInfo AudioStats Blend CaptionFields Cascade
ChannelLayout CheckpointOptions ClassifierFreeGuidance Clip ClipSet CombinedDataset Component
Condition Conditioner ConditionerOptions Conditioners Controls Dataset Denoising DistillationOptions
Domain EditedSampler Embedding ExtraConditioning ExtrasExtractor Field FrozenTextModel
GeneratedAudio GenerationRequest JumpVelocity LocalPath LoudnessMeter Matrix Metric MousaiError
NamePair NoiseLevel NoiseSource Options Partway PathOrName Pipeline PluginError PositionalNoise
PretrainedCheckpoint PretrainedOptions PretrainedTextEncoder Problem Prompt RealClips Recipe
RecipeError RequestError Sampler SamplerOptions Schedule SetMetric SetScore SignalSpace SignalStream
SpectralEncoder Split Stage SteppedSampler TensorNames TextEmbedding TextEncoder TextMetric
TextStage TextStageOptions Track TrackDataset TrackList TrainingError UNet Use Velocity WeightFormat
WeightsError attention audio_error audio_info build caption_from_mapping default did_you_mean
display_path error_summary griffin_lim hookimpl hub inverse_stft licence_from_tags licence_in load
load_recipe log_mel mean_per_clip overflowing_text overlap_add overlapping_windows pad_context
parse_sidecar read read_tags resample scale_range stft strip_surrogates tokenize torchaudio train
transformers unused_keys unused_keys_told validation_mask velocity_loss without_autocast
"""
"""What plug-ins and scripts may rely on: a name goes only with another version of the API."""

OTHERS = {
    "EDITING",
    "SIDECAR_SUFFIXES",
    "AnyCaption",
    "Condition",
    "ExtrasExtractor",
    "Field",
    "LocalPath",
    "PathOrName",
    "Split",
    "Velocity",
    "hookimpl",
    "torchaudio",
}
"""Names of types, of pydantic's, pluggy's and torchaudio's: documented where they come from."""


def test_the_public_names_are_these():
    assert mk.__all__ == NAMES.split()


def test_every_public_name_is_there():
    assert [name for name in mk.__all__ if not hasattr(mk, name)] == []


@pytest.mark.parametrize("name", [name for name in mk.__all__ if name not in OTHERS])
def test_every_public_name_has_a_docstring_and_types(name):
    thing = getattr(mk, name)
    assert inspect.getdoc(thing)
    if inspect.isfunction(thing):
        hints = typing.get_type_hints(thing)
        assert {*inspect.signature(thing).parameters, "return"} <= hints.keys()


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("mousai_kit", ("torch", "pydantic")),
        ("mousai_kit.api", ("mousai_kit_", "matplotlib", "transformers")),
    ],
)
def test_importing_loads_no_more_than_it_needs(module, absent):
    code = f"import {module}, sys; print([it for it in sys.modules if it.startswith({absent!r})])"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "[]\n"


def test_the_package_runs_as_the_command():
    answer = subprocess.run(
        [sys.executable, "-m", "mousai_kit", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == f"mousai-kit {__version__}\n"
