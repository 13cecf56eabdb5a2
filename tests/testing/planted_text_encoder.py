"""Text encoders with a bug each."""

import torch
from planted_suites import suites
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
        return mk.TextEmbedding(embedding, mask)

    def forward(self, prompts):
        ids = self.ids(prompts)
        return self.text(self.table(ids), ids != NONE)


class PaddedToTheLongest(Healthy):
    """As many tokens as the longest prompt of the batch has."""

    breaks = "test_a_text_has_the_shape_and_type_that_is_told"

    def text(self, embedding, mask):
        longest = max(1, int(mask.sum(1).max()))
        return mk.TextEmbedding(embedding[:, :longest], mask[:, :longest])


class Uncut(Healthy):
    """Crashes at a prompt that is too long, where it should cut."""

    breaks = "test_a_long_prompt_is_cut"

    def ids(self, prompts):
        assert all(len(self.bytes_of(prompt)) <= TOKENS for prompt in prompts)
        return super().ids(prompts)


class MeanOverWords(Healthy):
    """Divides by the number of bytes, which an empty prompt has none of."""

    breaks = "test_an_empty_prompt_is_allowed"

    def text(self, embedding, mask):
        mean = (embedding * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        mask = torch.cat([torch.ones_like(mask[:, :1]), mask[:, 1:]], 1)
        return mk.TextEmbedding(embedding + mean[:, None], mask)


class StrictUnicode(Healthy):
    """Crashes at half a pair of surrogates, as file names may hold."""

    breaks = "test_any_text_is_encoded_finitely"

    def bytes_of(self, prompt):
        return list(prompt.encode("utf-8"))


class PlaceInTheBatch(Healthy):
    """A position that counts prompts, not tokens."""

    breaks = "test_a_prompts_encoding_does_not_depend_on_its_place_in_a_batch"

    def text(self, embedding, mask):
        place = torch.arange(len(embedding), device=embedding.device).to(embedding)
        return mk.TextEmbedding(embedding + 0.01 * place[:, None, None], mask)


class CentredOverTheBatch(Healthy):
    """Embeddings centred over the batch."""

    breaks = "test_a_prompts_encoding_does_not_depend_on_the_others"

    def text(self, embedding, mask):
        return mk.TextEmbedding(embedding - embedding.mean(0), mask)


class UpsideDown(Healthy):
    """A mask that is true where there is nothing."""

    breaks = "test_different_prompts_have_different_encodings"

    def text(self, embedding, mask):
        return mk.TextEmbedding(embedding, ~mask)


class FloatMask(Healthy):
    """A mask of numbers."""

    breaks = "test_a_text_has_the_shape_and_type_that_is_told"

    def text(self, embedding, mask):
        return mk.TextEmbedding(embedding, mask.float())


class SeesLengthsOnly(Healthy):
    """Every byte is the same to it."""

    breaks = "test_different_prompts_have_different_encodings"

    def bytes_of(self, prompt):
        return [0 for _ in super().bytes_of(prompt)]


class HearsNothing(Healthy):
    """A mask that leaves out everything."""

    breaks = "test_every_prompt_with_words_has_a_real_token"

    def text(self, embedding, mask):
        return mk.TextEmbedding(embedding, torch.zeros_like(mask))


class Forgets(Healthy):
    """A vocabulary that is learned, but not saved."""

    breaks = "test_its_state_comes_back_from_a_weights_file"

    def fit_statistics(self, captions):
        letters = sorted(set("".join(captions)))
        self.known = {letter: place for place, letter in enumerate(letters)}

    known = None

    def bytes_of(self, prompt):
        known = self.known or {}
        return [known.get(letter, 0) for letter in prompt]


class SavesText(Healthy):
    """A vocabulary that is saved as text, which weight files don't hold."""

    breaks = "test_its_state_comes_back_from_a_weights_file"

    def get_extra_state(self):
        return "vocabulary"

    def set_extra_state(self, state):
        pass


class Frozen(Healthy):
    """A frozen table among its parameters, repeated in every checkpoint."""

    breaks = "test_frozen_weights_are_no_part_of_its_state"

    def __init__(self, options):
        super().__init__(options)
        self.table.requires_grad_(False)


class Hashed(Healthy):
    """It knows words by Python's hash(), which is another in the next process."""

    breaks = "test_it_answers_the_same_in_another_process"

    def bytes_of(self, prompt):
        return [hash(word) % NONE for word in prompt.split()]


class DropsAlways(Healthy):
    """Dropout outside of training too."""

    breaks = "test_it_answers_the_same_every_time"

    def text(self, embedding, mask):
        return mk.TextEmbedding(nn.functional.dropout(embedding, 0.1), mask)


class MaskOnTheCPU(Healthy):
    """A mask on the CPU, wherever the weights are."""

    breaks = "test_on_the_meta_device_it_makes_shapes"

    def text(self, embedding, mask):
        ones = torch.ones(mask.shape, dtype=torch.bool, device="cpu")
        return mk.TextEmbedding(embedding, ones & mask)


class ListsOnly(Healthy):
    """Adds an empty prompt to the list, which a tuple refuses."""

    breaks = "test_prompts_may_be_any_sequence"

    def forward(self, prompts):
        text = super().forward(prompts + [""])  # noqa: RUF005 (the bug)
        return mk.TextEmbedding(text.embedding[:-1], text.mask[:-1])


class Doubles(Healthy):
    """Embeddings in double precision."""

    breaks = "test_a_text_has_the_shape_and_type_that_is_told"

    def text(self, embedding, mask):
        return mk.TextEmbedding(embedding.double(), mask)


class KnowsWholeCaptions(Healthy):
    """It remembers captions, not their words, and finds all that is said new."""

    breaks = "test_it_knows_the_words_of_its_captions_or_does_not_tell"

    def fit_statistics(self, captions):
        self.heard = list(captions)

    def known_words(self):
        return self.heard

    def unknown_words(self, prompt):
        return [word for word in prompt.split() if word not in self.heard]


class FindsNothingNew(KnowsWholeCaptions):
    """It says that it tells new words, and tells none."""

    breaks = "test_it_knows_the_words_of_its_captions_or_does_not_tell"

    def unknown_words(self, prompt):
        return []


class TellsTheWrongEnd(Healthy):
    """It takes the beginning of a prompt, which it reads, for what it leaves out."""

    breaks = "test_it_tells_the_end_of_a_prompt_that_it_cuts_or_does_not_tell"

    def unread_text(self, prompt):
        return prompt[:TOKENS]


class SaysNothingIsCut(Healthy):
    """It says that it tells what it cuts, and tells nothing."""

    breaks = "test_it_tells_the_end_of_a_prompt_that_it_cuts_or_does_not_tell"

    def unread_text(self, prompt):
        return ""


class SizeUnknown(Healthy):
    """`features` is known after the first call only."""

    breaks = "test_its_sizes_are_told_before_anything_is_loaded"

    def __init__(self, options):
        super().__init__(options)
        del self.features

    def text(self, embedding, mask):
        self.features = embedding.shape[2]
        return mk.TextEmbedding(embedding, mask)


globals().update(suites(TextEncoderContract, Healthy))
