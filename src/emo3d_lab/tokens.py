"""A tokenizer of `tokenizers` alone, without transformers, whose import takes longer than a generator's work."""

from __future__ import annotations

from tokenizers import Tokenizer


class Vocabulary:
    """What `emo3d.descriptions.is_foreign` asks of a tokenizer of transformers.

    Args:
        unknown: the token of what has no other.
        end: the token that ends a text, where a model has one.
    """

    def __init__(self, tokenizer: Tokenizer, unknown: str | None = "[UNK]", end: str | None = None) -> None:
        self._size = tokenizer.get_vocab_size()
        self.all_special_ids = [id for id, token in tokenizer.get_added_tokens_decoder().items() if token.special]
        self.unk_token_id = None if unknown is None else tokenizer.token_to_id(unknown)
        self.eos_token_id = None if end is None else tokenizer.token_to_id(end)

    def __len__(self) -> int:
        return self._size


def shorten(ids: list[int], window: int) -> list[int]:
    """Tokens (L,) cut to a window; the last one, which ends a text, stays."""
    return ids if len(ids) <= window else [*ids[: window - 1], ids[-1]]
