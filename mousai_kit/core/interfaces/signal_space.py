"""Signal space: where a stage's signals live."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignalSpace:
    """Where signals live: `channels` numbers per frame, `stride` samples of audio per frame.

    A space fixes no length. Audio itself is `Space(channels=2, stride=1, sample_rate=48000)`.
    """

    channels: int
    stride: int
    sample_rate: int

    def frames(self, samples: int) -> int:
        """Return how many frames cover so many samples of audio."""
        return -(-samples // self.stride)
