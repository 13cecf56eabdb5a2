"""A map that begins as a linear one, and the two closed forms that it begins with."""

import numpy as np
import torch

from mousai_kit.testing.signals import white
from mousai_kit_mousai.layers.residual_map import ResidualMap, least_squares, principal_components

SPREAD = torch.tensor([3.0, 1.0, 0.3, 2.0, 0.5, 0.1])


def frames(count=400):
    """Return correlated frames [n, 6] whose mean is not 0."""
    return (white(count, 6) * SPREAD) @ white(6, 6, seed=1) + torch.arange(6.0)


def test_principal_components_are_numpys():
    """Of centred frames: the right singular vectors, scaled to unit variance."""
    data = frames()
    weight, bias = principal_components(data, 4, torch.ones(6))
    centred = (data - data.mean(0)).double().numpy()
    _, singular, vectors = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ vectors[:4].T / singular[:4] * len(data) ** 0.5
    found = (data @ weight.T + bias).double().numpy()
    signs = np.sign((found * expected).sum(0))
    np.testing.assert_allclose(found * signs, expected, atol=2e-3)


def test_components_have_unit_variance_and_are_uncorrelated():
    data = frames()
    weight, bias = principal_components(data, 6, torch.rand(6) + 0.5)
    found = data @ weight.T + bias
    torch.testing.assert_close(found.mean(0), torch.zeros(6), atol=1e-3, rtol=0)
    torch.testing.assert_close(found.T @ found / len(data), torch.eye(6), atol=1e-2, rtol=0)


def test_what_is_important_comes_first():
    """The last feature varies least and counts most."""
    data = white(400, 6) * SPREAD
    weight, bias = principal_components(data, 1, torch.tensor([1.0, 1, 1, 1, 1, 1e6]))
    likeness = torch.corrcoef(torch.stack([(data @ weight.T + bias)[:, 0], data[:, 5]]))
    assert likeness[0, 1].abs() > 0.99


def test_components_that_the_frames_do_not_have_are_none():
    few = principal_components(frames(3), 5, torch.ones(6))[0]
    assert (few.norm(dim=1) > 1e-4).tolist() == [True, True, False, False, False]
    more = principal_components(frames(), 9, torch.ones(6))[0]
    assert (more.norm(dim=1) > 1e-4).tolist() == [True] * 6 + [False] * 3
    for silent in (torch.zeros(4, 6), torch.zeros(1, 6) + 7):
        weight, bias = principal_components(silent, 3, torch.ones(6))
        assert not weight.any()
        assert not bias.any()


def test_least_squares_are_numpys():
    inputs = frames()
    inputs = inputs / inputs.std(0)
    outputs = inputs @ white(6, 4, seed=2) + 0.3 * white(400, 4, seed=3) + 5
    weight, bias = least_squares(inputs, outputs)
    rows = np.concatenate([inputs.numpy(), np.ones((400, 1), np.float32)], 1).astype(np.float64)
    expected, *_ = np.linalg.lstsq(rows, outputs.double().numpy(), rcond=None)
    found = (inputs @ weight.T + bias).double().numpy()
    np.testing.assert_allclose(found, rows @ expected, atol=0.02)
    np.testing.assert_allclose(weight.T.numpy(), expected[:-1], atol=0.1)


def test_inputs_that_do_not_vary_say_nothing():
    inputs = torch.cat([white(50, 2), torch.full((50, 1), 4.0)], 1)
    weight, bias = least_squares(inputs, 2 * inputs[:, :1] + 1)
    torch.testing.assert_close(weight, torch.tensor([[2.0, 0, 0]]), atol=1e-3, rtol=0)
    torch.testing.assert_close(bias, torch.tensor([1.0]), atol=1e-3, rtol=0)
    one_frame = least_squares(white(1, 3), white(1, 2))
    assert not one_frame[0].any()


def test_the_map_is_linear_before_training():
    torch.manual_seed(0)
    mapped = ResidualMap(6, 4, channels=16, blocks=2)
    weight, bias = white(4, 6, seed=1), white(4, seed=2)
    mapped.fit(weight, bias)
    x = white(3, 6, 10)
    expected = torch.einsum("oc,bcn->bon", weight, x) + bias[:, None]
    torch.testing.assert_close(mapped(x), expected, atol=1e-5, rtol=1e-5)


def test_the_network_learns_what_the_linear_map_misses():
    torch.manual_seed(0)
    x = white(2, 3, 40)
    answer = x + x[:, [1, 2, 0]].square()  # no linear map gives products
    mapped = ResidualMap(3, 3, channels=32, blocks=1)
    mapped.fit(*least_squares(*(it.transpose(1, 2).flatten(0, 1) for it in (x, answer))))
    optimizer = torch.optim.Adam(mapped.parameters(), 1e-2)
    errors = []
    for _ in range(150):
        loss = (mapped(x) - answer).square().mean()
        errors.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert errors[-1] < errors[0] / 4
