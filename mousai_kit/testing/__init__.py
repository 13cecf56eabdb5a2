"""Contract suites for authors of components: inherit the suite of your kind, and pytest runs it."""

import pytest

for _module in (
    "another_process",
    "binding",
    "comparing",
    "contract",
    "dataset",
    "domain",
    "metric",
    "network",
    "returned",
    "sampler",
    "schedule",
    "signals",
    "spectral_encoder",
    "stage",
    "stage_ground",
    "stage_learning",
    "stage_making",
    "stepped_sampler",
    "text_encoder",
    "unet",
    "weight_format",
):
    pytest.register_assert_rewrite(f"mousai_kit.testing.{_module}")

from mousai_kit.testing.contract import Contract  # noqa: E402 (rewritten on import)
from mousai_kit.testing.dataset import DatasetContract  # noqa: E402
from mousai_kit.testing.domain import DomainContract  # noqa: E402
from mousai_kit.testing.metric import MetricContract  # noqa: E402
from mousai_kit.testing.recipes import check_recipe  # noqa: E402
from mousai_kit.testing.sampler import SamplerContract  # noqa: E402
from mousai_kit.testing.schedule import ScheduleContract  # noqa: E402
from mousai_kit.testing.spectral_encoder import SpectralEncoderContract  # noqa: E402
from mousai_kit.testing.stage import StageContract  # noqa: E402
from mousai_kit.testing.stepped_sampler import (  # noqa: E402
    SteppedSamplerContract,
    TurningSamplerContract,
)
from mousai_kit.testing.text_encoder import TextEncoderContract  # noqa: E402
from mousai_kit.testing.unet import UNetContract  # noqa: E402
from mousai_kit.testing.weight_format import WeightFormatContract  # noqa: E402

__all__ = [
    "Contract",
    "DatasetContract",
    "DomainContract",
    "MetricContract",
    "SamplerContract",
    "ScheduleContract",
    "SpectralEncoderContract",
    "StageContract",
    "SteppedSamplerContract",
    "TextEncoderContract",
    "TurningSamplerContract",
    "UNetContract",
    "WeightFormatContract",
    "check_recipe",
]
