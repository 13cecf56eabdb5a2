"""Text encoders with a bug each."""

import torch
from planting import plant
from torch import nn

import mousai_kit.api as mk
from mousai_kit.testing import TextEncoderContract

FEATURES, TOKENS, NONE = 8, 24, 256


class Healthy(mk.TextEncoder):
    """Learned embeddings of a text's bytes, without a bug."""

    name = "healthy"

    def __init__(self, options):
        super().__init__(options)
        self.features, self.tokens = FEATURES, TOKENS
        self.table = nn.Embedding(NONE + 1, FEATURES)

    def bytes_of(self, prompt):
        return list(prompt.encode("utf-8", "replace"))

    def ids(self, prompts):
        made = torch.full((len(prompts), TOKENS), NONE, device="cpu")
        for row, prompt in enumerate(prompts):
            found = self.bytes_of(prompt)[:TOKENS]
            made[row, : len(found)] = torch.tensor(found, dtype=torch.long, device="cpu")
        return made.to(self.table.weight.device)

    def text(self, embedding, mask):
        return mk.Text(embedding, mask)

    def forward(self, prompts):
        ids = self.ids(prompts)
        return self.text(self.table(ids), ids != NONE)


class PaddedToTheLongest(Healthy):
    """As many tokens as the longest prompt of the batch has."""

    def text(self, embedding, mask):
        longest = max(1, int(mask.sum(1).max()))
        return mk.Text(embedding[:, :longest], mask[:, :longest])


class Uncut(Healthy):
    """Crashes at a prompt that is too long, where it should cut."""

    def ids(self, prompts):
        assert all(len(self.bytes_of(prompt)) <= TOKENS for prompt in prompts)
        return super().ids(prompts)


class MeanOverWords(Healthy):
    """Divides by the number of bytes, which an empty prompt has none of."""

    def text(self, embedding, mask):
        mean = (embedding * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        mask = torch.cat([torch.ones_like(mask[:, :1]), mask[:, 1:]], 1)
        return mk.Text(embedding + mean[:, None], mask)


class StrictUnicode(Healthy):
    """Crashes at half a pair of surrogates, as file names may hold."""

    def bytes_of(self, prompt):
        return list(prompt.encode("utf-8"))


class PlaceInTheBatch(Healthy):
    """A position that counts prompts, not tokens."""

    def text(self, embedding, mask):
        place = torch.arange(len(embedding), device=embedding.device).to(embedding)
        return mk.Text(embedding + 0.01 * place[:, None, None], mask)


class CentredOverTheBatch(Healthy):
    """Embeddings centred over the batch."""

    def text(self, embedding, mask):
        return mk.Text(embedding - embedding.mean(0), mask)


class UpsideDown(Healthy):
    """A mask that is true where there is nothing."""

    def text(self, embedding, mask):
        return mk.Text(embedding, ~mask)


class FloatMask(Healthy):
    """A mask of numbers."""

    def text(self, embedding, mask):
        return mk.Text(embedding, mask.float())


class SeesLengthsOnly(Healthy):
    """Every byte is the same to it."""

    def bytes_of(self, prompt):
        return [0 for _ in super().bytes_of(prompt)]


class HearsNothing(Healthy):
    """A mask that leaves out everything."""

    def text(self, embedding, mask):
        return mk.Text(embedding, torch.zeros_like(mask))


class Forgets(Healthy):
    """A vocabulary that is learned, but not saved."""

    def prepare(self, captions):
        letters = sorted(set("".join(captions)))
        self.known = {letter: place for place, letter in enumerate(letters)}

    known = None

    def bytes_of(self, prompt):
        known = self.known or {}
        return [known.get(letter, 0) for letter in prompt]


class SavesText(Healthy):
    """A vocabulary that is saved as text, which weight files don't hold."""

    def get_extra_state(self):
        return "vocabulary"

    def set_extra_state(self, state):
        pass


class Frozen(Healthy):
    """A frozen table among its parameters, repeated in every checkpoint."""

    def __init__(self, options):
        super().__init__(options)
        self.table.requires_grad_(False)


class DropsAlways(Healthy):
    """Dropout outside of training too."""

    def text(self, embedding, mask):
        return mk.Text(nn.functional.dropout(embedding, 0.1), mask)


class MaskOnTheCPU(Healthy):
    """A mask on the CPU, wherever the weights are."""

    def text(self, embedding, mask):
        ones = torch.ones(mask.shape, dtype=torch.bool, device="cpu")
        return mk.Text(embedding, ones & mask)


class ListsOnly(Healthy):
    """Adds an empty prompt to the list, which a tuple refuses."""

    def forward(self, prompts):
        text = super().forward(prompts + [""])  # noqa: RUF005 (the bug)
        return mk.Text(text.embedding[:-1], text.mask[:-1])


class Doubles(Healthy):
    """Embeddings in double precision."""

    def text(self, embedding, mask):
        return mk.Text(embedding.double(), mask)


class SizeUnknown(Healthy):
    """`features` is known after the first call only."""

    def __init__(self, options):
        super().__init__(options)
        del self.features

    def text(self, embedding, mask):
        self.features = embedding.shape[2]
        return mk.Text(embedding, mask)


BUGS = {
    PaddedToTheLongest: "test_a_text_has_the_shape_and_type_that_is_told",
    Uncut: "test_a_long_prompt_is_cut",
    MeanOverWords: "test_an_empty_prompt_is_allowed",
    StrictUnicode: "test_any_text_is_encoded_finitely",
    PlaceInTheBatch: "test_a_prompts_encoding_does_not_depend_on_its_place_in_a_batch",
    CentredOverTheBatch: "test_a_prompts_encoding_does_not_depend_on_the_others",
    UpsideDown: "test_different_prompts_have_different_encodings",
    FloatMask: "test_a_text_has_the_shape_and_type_that_is_told",
    SeesLengthsOnly: "test_different_prompts_have_different_encodings",
    HearsNothing: "test_every_prompt_with_words_has_a_real_token",
    Forgets: "test_its_state_comes_back_from_a_weights_file",
    SavesText: "test_its_state_comes_back_from_a_weights_file",
    Frozen: "test_frozen_weights_are_no_part_of_its_state",
    DropsAlways: "test_it_answers_the_same_every_time",
    MaskOnTheCPU: "test_on_the_meta_device_it_makes_shapes",
    ListsOnly: "test_prompts_may_be_any_sequence",
    Doubles: "test_a_text_has_the_shape_and_type_that_is_told",
    SizeUnknown: "test_its_sizes_are_told_before_anything_is_loaded",
}

plant(TextEncoderContract, [Healthy, *BUGS], globals())
