"""Contract suites for authors of components: inherit the suite of your kind, and pytest runs it."""

import pytest

pytest.register_assert_rewrite("mousai_kit.testing.contract")

from mousai_kit.testing.contract import Contract  # noqa: E402 (rewritten on import)

__all__ = ["Contract"]
