"""Group norm over images: torch's own, with another backward pass."""

import pytest
import torch

from mousai_kit_mousai.layers import group_norm
from mousai_kit_mousai.layers.group_norm import GroupNorm


def image(b, c, t, dtype=torch.float32, seed=0):
    made = torch.randn(b, t, c, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (3 * made + 1).to(dtype).unsqueeze(1).permute(0, 3, 1, 2)


def norm(channels, groups, like=torch.nn.GroupNorm):
    torch.manual_seed(1)
    made = like(groups, channels)
    torch.nn.init.normal_(made.weight)
    torch.nn.init.normal_(made.bias)
    return made


def gradients(layer, x, dy):
    given = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    y = layer(given)
    return y, torch.autograd.grad(y, (given, *layer.parameters()), dy.to(y.dtype))


def far(found, truth):
    return ((found.double() - truth).norm() / truth.norm()).item()


def is_own(y):
    return "FewChannels" in type(y.grad_fn).__name__


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 3e-6), (torch.bfloat16, 6e-3)])
@pytest.mark.parametrize("shape", [(2, 8, 128), (3, 16, 127), (1, 32, 1), (2, 8, 4096)])
@pytest.mark.parametrize("groups", [1, 2, 8])
def test_few_channels_have_gradients_as_exact_as_torchs(shape, groups, dtype, bound):
    x, dy = image(*shape, dtype=dtype), image(*shape, seed=2)
    y, found = gradients(norm(shape[1], groups, GroupNorm), x, dy)
    _, torchs = gradients(norm(shape[1], groups), x.float(), dy.float())
    truth_y, truth = gradients(norm(shape[1], groups).double(), x.double(), dy.double())
    assert is_own(y)
    assert far(y, truth_y.detach()) < bound
    for its, single, true in zip(found, torchs, truth, strict=True):
        if true.norm() > 1e-9:  # a group of one frame and one channel has no gradient
            assert far(its, true) < max(bound, 2 * far(single, true))
        else:
            assert its.norm() < 1e-4


def test_a_batch_of_one_may_have_any_stride_over_images():
    """As a transposed [1, t, c] has, which is contiguous whatever that stride."""
    x = image(1, 8, 12)
    odd = x.as_strided(x.shape, (8, 1, 96, 8)).requires_grad_()
    layer = norm(8, 2, GroupNorm)
    assert is_own(layer(odd))
    torch.testing.assert_close(layer(odd), layer(x))


def test_its_gradient_is_that_of_its_value():
    torch.manual_seed(0)
    x = image(2, 4, 6, torch.float64).requires_grad_()
    weight, bias = torch.randn(2, 4, dtype=torch.float64, requires_grad=True).unbind()
    assert torch.autograd.gradcheck(
        lambda *it: group_norm._FewChannels.apply(*it, 2, 1e-5), (x, weight, bias)
    )


@pytest.mark.parametrize("channels", [8, 64])
def test_an_image_that_needs_no_gradient_does_not_stop_the_weights(channels):
    x, dy = image(2, channels, 32), image(2, channels, 32, seed=2)
    own, torchs = norm(channels, 8, GroupNorm), norm(channels, 8)
    own(x).backward(dy)
    torchs(x.contiguous()).backward(dy)
    assert x.grad is None
    for its, true in zip(own.parameters(), torchs.parameters(), strict=True):
        torch.testing.assert_close(its.grad, true.grad, rtol=1e-4, atol=1e-4)


def test_many_channels_are_left_to_torch():
    assert is_own(norm(64, 8, GroupNorm)(image(1, 64, 8, torch.bfloat16).requires_grad_()))
    assert not is_own(norm(64, 8, GroupNorm)(image(1, 64, 8).requires_grad_()))
    assert not is_own(norm(128, 8, GroupNorm)(image(1, 128, 8, torch.bfloat16).requires_grad_()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("lying", [torch.channels_last, torch.contiguous_format])
def test_it_computes_the_same_with_and_without_a_gradient(lying, dtype):
    x = image(2, 16, 40, dtype).contiguous(memory_format=lying)
    layer = norm(16, 8, GroupNorm)
    with torch.no_grad():
        y = layer(x)
    assert torch.equal(y, layer(x.clone(memory_format=torch.preserve_format).requires_grad_()))


def test_it_keeps_channels_last():
    layer = norm(8, 2, GroupNorm)
    x = image(2, 8, 16).requires_grad_()
    y = layer(x)
    (dx,) = torch.autograd.grad(y, x, image(2, 8, 16, seed=2))
    assert y.stride() == dx.stride() == x.stride()


def test_few_channels_are_not_compiled_where_the_layer_is():
    x, layer = image(2, 8, 64), norm(8, 2, GroupNorm)
    y, found = gradients(torch.compile(layer, backend="eager"), x, x)
    assert is_own(y)
    assert [it.tolist() for it in found] == [it.tolist() for it in gradients(layer, x, x)[1]]
    graphs = torch._dynamo.explain(layer)(x.requires_grad_()).graphs
    assert not any("_few_channels" in str(it.code) or "FewChannels" in it.code for it in graphs)
