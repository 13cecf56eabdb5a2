"""KL divergence of what a classifier hears in generated and in real music. n clips, d labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

import mousai_kit.api as mk
from mousai_kit_metrics.posteriors import PosteriorMetric, kl_divergence
from mousai_kit_metrics.sets import CHANCE, REAL, check_generated, format_count


class KLDivergence(PosteriorMetric):
    """KL divergence of a classifier's posterior from that of real music, in nats.

    A clip made from the caption of a real clip is compared with that (Kreuk et al., 2023; Copet et
    al., 2023); where no prompt is such a caption, with the mean of its genre. Clips without either
    are left out.
    """

    name = "kl-divergence"
    better: ClassVar[Literal["lower", "higher"]] = "lower"

    def score(self, generated: mk.ClipSet, reference: mk.RealClips) -> mk.SetScore:
        """Return the mean over clips; beside it that of clips with others' real music."""
        check_generated(self, generated, least=1)
        captions = {
            **self._means(reference.train, _captions(reference.train)),
            **self._means(reference.validation, _captions(reference.validation)),
        }
        prompts = [prompt.strip() for prompt in generated.prompts]
        if any(prompt in captions for prompt in prompts):
            return self._compare(generated, prompts, captions, "caption", {})
        learned, other = reference.train, reference.validation
        if not any(learned.genres):
            learned, other = other, learned
        genres = self._means(learned, learned.genres)
        if not any(genre in genres for genre in generated.genres):
            told = (
                "no prompt is the caption of a real clip, nor asks for a genre that real clips "
                "have; name captions of the data in `evaluate.prompts`"
            )
            raise mk.RequestError.about(self.name, told)
        beside = {}
        if any(genre in genres for genre in other.genres):
            beside[REAL] = self._compare(other, other.genres, genres, "genre", {}).value
        return self._compare(generated, generated.genres, genres, "genre", beside)

    def _means(self, clips: mk.ClipSet, names: Sequence[str]) -> dict[str, Tensor]:
        """Return the mean posterior [d] of the clips of each name."""
        if not any(names):
            return {}
        posteriors, names = self.posteriors(clips), list(names)
        return {
            name: posteriors[[at for at, other in enumerate(names) if other == name]].mean(0)
            for name in dict.fromkeys(names)
            if name
        }

    def _compare(
        self,
        clips: mk.ClipSet,
        names: Sequence[str],
        real: Mapping[str, Tensor],
        what: str,
        beside: Mapping[str, float],
    ) -> mk.SetScore:
        """Return the score of clips that have names against real music of these."""
        known = [at for at, name in enumerate(names) if name in real]
        order = sorted({names[at] for at in known})
        targets = torch.stack([real[name] for name in order])
        divergence = kl_divergence(targets, self.posteriors(clips)[known, None])  # [n, names]
        own = torch.tensor([order.index(names[at]) for at in known])
        mine = torch.nn.functional.one_hot(own, len(order)).bool()
        if len(order) > 1:
            beside = {**beside, CHANCE: float(divergence[~mine].mean())}
        note = f"{format_count(len(known), 'clip')} by {what}, of {format_count(len(order), what)}"
        if left := len(clips) - len(known):
            note += f"; {format_count(left, 'clip')} left out: no real clip has its {what}"
        return mk.SetScore(float(divergence[mine].mean()), beside, note)


def _captions(clips: mk.ClipSet) -> list[str]:
    return [caption.strip() for caption in clips.prompts]
