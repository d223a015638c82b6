"""A CLIP whose text side is that of ViT-B/32, the other too if wanted; random weights, a folder as the Hub has it."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, PreTrainedTokenizerFast
from transformers.utils import logging


def save_random_clip(folder: Path, descriptions: list[str], *, with_pictures: bool = False) -> str:
    """Write it, with a byte-level BPE vocabulary made from the descriptions; the picture side is a stub if unwanted."""
    special = {"pad_token": "<pad>", "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=5000, special_tokens=[*special.values()], show_progress=False)
    tokenizer.train_from_iterator(descriptions, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>", special_tokens=[("<|startoftext|>", 1), ("<|endoftext|>", 2)]
    )
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=77, **special).save_pretrained(folder)
    tiny = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}  # all the rest is ViT-B/32's by default
    torch.manual_seed(0)
    logging.disable_progress_bar()
    vision = None if with_pictures else tiny
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)
    return str(folder)
