"""Contract suites for authors of components: inherit the suite of your kind, and pytest runs it."""

import pytest

for _module in (
    "binding",
    "comparing",
    "contract",
    "network",
    "sampler",
    "schedule",
    "spectral_encoder",
    "stepped_sampler",
    "text_encoder",
    "unet",
):
    pytest.register_assert_rewrite(f"mousai_kit.testing.{_module}")

from mousai_kit.testing.contract import Contract  # noqa: E402 (rewritten on import)
from mousai_kit.testing.sampler import SamplerContract  # noqa: E402
from mousai_kit.testing.schedule import ScheduleContract  # noqa: E402
from mousai_kit.testing.spectral_encoder import SpectralEncoderContract  # noqa: E402
from mousai_kit.testing.stepped_sampler import (  # noqa: E402
    SteppedSamplerContract,
    TurningSamplerContract,
)
from mousai_kit.testing.text_encoder import TextEncoderContract  # noqa: E402
from mousai_kit.testing.unet import UNetContract  # noqa: E402

__all__ = [
    "Contract",
    "SamplerContract",
    "ScheduleContract",
    "SpectralEncoderContract",
    "SteppedSamplerContract",
    "TextEncoderContract",
    "TurningSamplerContract",
    "UNetContract",
]
