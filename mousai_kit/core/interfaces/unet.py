"""U-Net: the network that denoises."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol, cast

from torch import Tensor, nn

from mousai_kit.core.component import Component, Options
from mousai_kit.core.errors import MousaiError, RequestError
from mousai_kit.core.interfaces.text_encoder import TextEmbedding


class Velocity(Protocol):
    """A denoising network whose conditioning is fixed."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return v [b, c, t] for noised signals x [b, c, t] at noise levels sigma [b] in [0, 1]."""


class JumpVelocity:
    """A velocity that may be asked with a target: the level that a step goes to.

    For a target below sigma, v is the one with which a single turn (DDIM's step) lands where the
    whole way down from sigma to it ends: the flow map that shortcut models (Frans et al., 2024),
    mean flow (Geng et al., 2025) and consistency models (Song et al., 2023; always to 0) learn.
    None, as sigma itself: the velocity at the level, as any network gives it.
    """

    def __init__(
        self, ask: Callable[[Tensor, Tensor, Tensor | None], Tensor], *, jumps: bool = True
    ) -> None:
        """Make one of a function of x, sigma and the target; not `jumps`: it is given None only."""
        self._ask, self.jumps = ask, jumps

    @classmethod
    def of(cls, velocity: Velocity) -> JumpVelocity:
        """Return any velocity as one that says in `jumps` whether it takes a target.

        It does where it has an attribute `jumps` that is true.
        """
        if isinstance(velocity, JumpVelocity):
            return velocity
        if getattr(velocity, "jumps", False):
            return cls(cast("Any", velocity))
        return cls(lambda x, sigma, _: velocity(x, sigma), jumps=False)

    def __call__(self, x: Tensor, sigma: Tensor, target: Tensor | None = None) -> Tensor:
        """Return v [b, c, t] for x [b, c, t] at sigma [b], to the levels target [b] in [0, sigma].

        RequestError where a target is given, and the network takes none.
        """
        if target is not None and not self.jumps:
            raise RequestError(
                "this sampler jumps from level to level, which the network has not learned; "
                "use another sampler"
            )
        return self._ask(x, sigma, target)


class UNet(Component, nn.Module):
    """Predicts the velocity v of a noised sequence, given a context and a text.

    Built with `channels` (of x and v), `context_channels` (0: takes no context) and
    `text_features` (0: takes no text), and with `layout` where the constructor takes it
    (`layout: mk.ChannelLayout | None = None`): what x's channels are. x may be several signals of
    that layout, one after another; None is told where channels have no such order, as in latents.
    """

    kind: ClassVar[str] = "unet"
    build_kwargs: ClassVar[tuple[str, ...]] = ("channels", "context_channels", "text_features")
    optional_build_kwargs: ClassVar[tuple[str, ...]] = ("layout",)

    downsampling: int
    """x's length is best a multiple of this; any other length is padded inside and cut again."""
    jumps: bool = False
    """Whether `forward` takes a keyword `target` too, Tensor [b] or None: the level that a step
    goes to (see `JumpVelocity`). Only a network that says so is ever given one."""
    compiled: bool = False
    """Set where its `repeated_blocks` sample compiled: they need their weights as they are."""

    def __init__(
        self, options: Options, *, channels: int, context_channels: int, text_features: int
    ) -> None:
        super().__init__()
        self.context_channels, self.text_features = context_channels, text_features

    @abstractmethod
    def forward(
        self,
        x: Tensor,
        sigma: Tensor,
        *,
        context: Tensor | None = None,
        text: TextEmbedding | None = None,
    ) -> Tensor:
        """Return v [b, channels, t], of x's type, for x [b, channels, t] and sigma [b] in [0, 1].

        `context` [b, context_channels, frames] spans the same time as x at a rate of its own;
        `text`'s masked tokens have no influence, and it may be masked whole. Items don't mix.
        Gradients reach the context and the text, whose encoders learn by them.
        """

    def bind(
        self,
        context: Tensor | None = None,
        text: TextEmbedding | None = None,
        *,
        levels: Tensor | None = None,
    ) -> Velocity:
        """Return the velocity for fixed conditioning.

        An implementation computes here, once, what does not change from step to step. `levels` [n]
        are those at which a sampler will ask, as far as it knows: the velocity is right at any
        other level too. Where they are given, the network is about to be used many times; empty
        ones say nothing. Gradients pass as through `forward`; other bindings may be in use beside
        it, and each new one follows the weights as they are. It takes a target where the network
        does: return a `JumpVelocity` then, or set its `jumps`.
        """

        def velocity(x: Tensor, sigma: Tensor, target: Tensor | None) -> Tensor:
            there = {} if target is None else {"target": target}
            result: Tensor = self(x, sigma, context=context, text=text, **there)
            return result

        return JumpVelocity(velocity, jumps=self.jumps)

    def repeated_blocks(self) -> Iterable[nn.Module]:
        """Return the modules that training may run in another way, one by one; default: none.

        With `recompute: true` only what each was given is kept for the backward pass, which calls
        it once more: it must do the same both times, and find nothing that it kept of the first.
        With `compile: true` each runs compiled. They are this module's own; a list is fine.
        """
        return ()

    def check_conditioning(self, context: Tensor | None, text: TextEmbedding | None) -> None:
        """Raise MousaiError where the conditioning is not what the network was built for."""
        embedding = None if text is None else text.embedding
        kinds = (
            ("a context of", "channels", self.context_channels, context, 1),
            ("a text of", "features", self.text_features, embedding, 2),
        )
        for what, unit, size, given, dim in kinds:
            found = 0 if given is None else given.shape[dim]
            if found != size:
                needs = f"needs {what} {size} {unit}" if size else f"takes no {what.split()[1]}"
                raise MousaiError(f"{self.name}: {needs}, but {found or 'none'} came")

    def prepare_for_inference(self) -> None:
        """Sample only, from now on: weights may be kept in another form; default: nothing changes.

        Called where a process will not train or save: a settled network may refuse its state dict.
        """
