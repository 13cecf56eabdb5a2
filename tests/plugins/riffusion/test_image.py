"""Images of mel magnitudes: the published formula, pixel by pixel, there and back."""

import numpy as np
import torch

from mousai_kit.testing.signals import chords
from mousai_kit_riffusion.image import LOUDEST, from_image, to_image
from mousai_kit_riffusion.mel_spectrum import MelSettings, MelSpectrum


def magnitudes(channels, seed=0):
    generator = np.random.default_rng(seed)
    return (generator.random((channels, 16, 24)) ** 4 * 7).astype(np.float32)


def published(spectrum):
    """Return the image [m, n, 3] that Riffusion's formula makes of magnitudes [c, m, n]."""
    data = 255 - (spectrum / spectrum.max()) ** np.float32(0.25) * 255
    data = data.astype(np.uint8)
    if len(data) == 1:
        image = np.stack([data[0]] * 3, -1)
    else:
        image = np.stack([np.zeros_like(data[0]), data[0], data[1]], -1)
    return image[::-1]


def test_mono_is_grey_with_the_highest_band_on_top():
    spectrum = magnitudes(1)
    image = to_image(torch.from_numpy(spectrum)[None])
    assert image.dtype == torch.uint8
    assert np.abs(image[0].numpy().astype(int) - published(spectrum).astype(int)).max() <= 1
    loud = np.unravel_index(spectrum[0].argmax(), spectrum[0].shape)
    assert image[0, 15 - loud[0], loud[1], 0] == 0


def test_left_and_right_are_green_and_blue():
    spectrum = magnitudes(2)
    image = to_image(torch.from_numpy(spectrum)[None])[0].numpy()
    assert not image[..., 0].any()
    assert np.abs(image.astype(int) - published(spectrum).astype(int)).max() <= 1


def test_magnitudes_of_an_image_are_the_published_ones_for_samples_up_to_1():
    image = np.random.default_rng(1).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    flipped = image[::-1].astype(np.float64)
    for channels, colours in ((1, [0]), (2, [1, 2])):
        expected = ((255 - flipped[..., colours].transpose(2, 0, 1)) / 255) ** 4 * 30e6 / 32_768
        found = from_image(torch.from_numpy(image)[None], channels=channels)[0]
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-6)


def test_there_and_back_is_off_by_a_level_of_grey_at_most():
    spectrum = MelSpectrum(MelSettings(44_100)).magnitudes(chords(1, 2, 22_050))
    image = to_image(spectrum)
    assert image.shape == (1, 512, 50, 3)
    back = from_image(image, channels=2, loudest=float(spectrum.max()))
    levels = [255 * (item / spectrum.max()) ** 0.25 for item in (back, spectrum)]
    assert (levels[0] - levels[1]).abs().max() <= 1.001
    assert (to_image(back).int() - image.int()).abs().max() <= 1


def test_the_loudest_pixel_is_the_published_one():
    assert LOUDEST * 2**15 == 30e6
