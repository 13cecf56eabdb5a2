# ruff: noqa: E402 (modules are rewritten on import)
"""Contract suites for authors of components: inherit the suite of your kind, and pytest runs it."""

from pkgutil import iter_modules

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))

from mousai_kit.testing.assertions import check_recipe
from mousai_kit.testing.conditioner import ConditionerContract
from mousai_kit.testing.contract import Contract
from mousai_kit.testing.dataset import DatasetContract
from mousai_kit.testing.domain import DomainContract
from mousai_kit.testing.embedding import EmbeddingContract
from mousai_kit.testing.jump_sampler import JumpSamplerContract
from mousai_kit.testing.metric import MetricContract
from mousai_kit.testing.sampler import (
    RotationSamplerContract,
    SamplerContract,
    SteppedSamplerContract,
)
from mousai_kit.testing.schedule import ScheduleContract
from mousai_kit.testing.set_metric import SetMetricContract, TextMetricContract
from mousai_kit.testing.spectral_encoder import SpectralEncoderContract
from mousai_kit.testing.stage import StageContract
from mousai_kit.testing.text_encoder import TextEncoderContract
from mousai_kit.testing.unet import UNetContract
from mousai_kit.testing.weight_format import WeightFormatContract

__all__ = [
    "ConditionerContract",
    "Contract",
    "DatasetContract",
    "DomainContract",
    "EmbeddingContract",
    "JumpSamplerContract",
    "MetricContract",
    "RotationSamplerContract",
    "SamplerContract",
    "ScheduleContract",
    "SetMetricContract",
    "SpectralEncoderContract",
    "StageContract",
    "SteppedSamplerContract",
    "TextEncoderContract",
    "TextMetricContract",
    "UNetContract",
    "WeightFormatContract",
    "check_recipe",
]
