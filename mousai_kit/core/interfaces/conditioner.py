"""Conditioner: what a generator is told besides text, such as a melody or a place in a track."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from torch import Tensor, nn

from mousai_kit.core.component import Component, Field, Options
from mousai_kit.core.interfaces.dataset import Clip
from mousai_kit.core.interfaces.signal_space import SignalSpace

_Options = Options


class ConditionerOptions(Options):
    """Options of every conditioner."""

    dropout: float = Field(
        0.2, ge=0, le=1, description="how often training leaves it out, so that clips need not"
    )


class Conditioner(Component, nn.Module):
    """Tells a generator something besides text: as tokens behind the text's, or over time.

    It is told from a training clip (`from_clip`), and from what generation is given
    (`from_value`), in one form: data that holds no learned weight, and that may be stored. Its
    `forward` makes of data what the network reads.

    Built with `space`, of the signals that the stage makes, and `text_features`, the size of a
    token.
    """

    kind: ClassVar[str] = "conditioner"
    build_kwargs: ClassVar[tuple[str, ...]] = ("space", "text_features")
    Options = ConditionerOptions
    Value: ClassVar[type[_Options]] = _Options
    """Set by the component: what generation may say of it. Text on the command line is the value of
    the first option, or where there are several numbers of all in order: `timing=0,180`."""

    tokens: int
    """Tokens that it adds to the text's; 0 for a context over time."""
    context_channels: int
    """Channels of its context; 0 for tokens."""
    dropout: float
    """How often training leaves it out."""

    def __init__(
        self, options: ConditionerOptions, *, space: SignalSpace, text_features: int
    ) -> None:
        super().__init__()
        self.dropout = options.dropout

    @abstractmethod
    def from_clip(self, clip: Clip) -> Tensor | None:
        """Return the data of a training clip of audio, float32 on the CPU.

        Clips of one length have data of one shape. None, or NaN, where the clip does not tell.
        Called in processes that read clips: nothing of the module is changed.
        """

    @abstractmethod
    def from_value(self, value: _Options, *, samples: int) -> Tensor:
        """Return the data, as of a clip of so many samples, for a `Value` that generation is given.

        RequestError or AudioError, in one line, where there is none in it: a silent file, say.
        """

    def from_nothing(self, *, samples: int) -> Tensor | None:
        """Return the data where generation of so many samples is told nothing; default: None.

        None leaves it out, as in training at times.
        """
        return None

    def advance(self, data: Tensor, *, seconds: float) -> Tensor:
        """Return the data [b, ...] of what begins so many seconds later; default: the same.

        Long clips are made in windows: what tokens say of a place changes from one to the next. A
        context over time is made of all data, and cut.
        """
        return data

    @abstractmethod
    def forward(self, data: Tensor, *, frames: int) -> Tensor:
        """Return tokens [b, tokens, text_features], or a context [b, context_channels, n].

        `data` [b, ...] is on the module's device and finite, for a signal of so many frames of
        `space`. A context's n frames span the signal's time; any n is allowed. Items don't mix.
        """

    def repeated_blocks(self) -> Iterable[nn.Module]:
        """Return the modules that training may recompute, as `UNet`'s; default: none."""
        return ()
