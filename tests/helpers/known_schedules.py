"""First-party schedules, for solvers to be held against their equations."""

import torch

from mousai_kit_mousai.schedules import Cosine, ShiftedCosine

COSINE = Cosine(Cosine.Options())
SHIFTED = ShiftedCosine(ShiftedCosine.Options(shift=3.0))
SCHEDULES = [COSINE, SHIFTED]


class Middle(Cosine):
    """The cosine's middle, where no log signal-to-noise ratio is infinite."""

    def levels(self, steps):
        return torch.linspace(0.85, 0.15, steps + 1, dtype=torch.float64)


MIDDLE = Middle(Middle.Options())
