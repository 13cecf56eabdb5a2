"""The waveform as domain: the identity."""

import torch

import mousai_kit.api as mk
from mousai_kit_mousai.domains import Waveform


def test_audio_stays_as_it_is():
    domain = Waveform(mk.Options(), audio_channels=2)
    wave = torch.randn(3, 2, 10)
    assert (domain.channels, domain.stride) == (2, 1)
    assert torch.equal(domain(wave), wave)
    assert torch.equal(domain.inverse(wave, 7), wave[..., :7])


def test_nothing_is_measured_or_saved():
    domain = Waveform(mk.Options(), audio_channels=2)
    domain.fit_statistics([torch.randn(3, 2, 10)])
    assert domain.state_dict() == {}
