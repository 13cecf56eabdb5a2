"""Contract suites for authors of components: inherit the suite of your kind, and pytest runs it."""

import pytest

for _module in (
    "contract",
    "dataset",
    "domain",
    "metric",
    "signals",
    "stage",
    "stage_ground",
    "stage_learning",
    "stage_making",
    "weight_format",
):
    pytest.register_assert_rewrite(f"mousai_kit.testing.{_module}")

from mousai_kit.testing.contract import Contract  # noqa: E402 (rewritten on import)
from mousai_kit.testing.dataset import DatasetContract  # noqa: E402
from mousai_kit.testing.domain import DomainContract  # noqa: E402
from mousai_kit.testing.metric import MetricContract  # noqa: E402
from mousai_kit.testing.stage import StageContract  # noqa: E402
from mousai_kit.testing.weight_format import WeightFormatContract  # noqa: E402

__all__ = [
    "Contract",
    "DatasetContract",
    "DomainContract",
    "MetricContract",
    "StageContract",
    "WeightFormatContract",
]
