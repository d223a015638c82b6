"""A generator of another language, here Persian, by a recipe of the Hub's multilingual encoders; random weights."""

import numpy as np
import torch
from training_runs import train
from transformers import XLMRobertaConfig, XLMRobertaModel, XLMRobertaTokenizer

from emo3d import load_generator

TEXTS = ["مرد غمگین است", "زن خوشحال است", "مرد خیلی عصبانی است", "زن آرام است"]


def save_persian_xlm_roberta(folder):
    words = sorted({word for text in TEXTS for word in text.split()})
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *(f"\u2581{word}" for word in words), "<mask>"]
    XLMRobertaTokenizer(vocab=[(piece, -float(rank)) for rank, piece in enumerate(pieces)]).save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = XLMRobertaConfig(vocab_size=len(pieces), pad_token_id=1, max_position_embeddings=16, **sizes)
    XLMRobertaModel(config).save_pretrained(folder)


def test_persian_by_the_recipe_xlm_roberta(make_rows, tmp_path):
    save_persian_xlm_roberta(tmp_path / "encoder")
    blendshapes = np.random.default_rng(0).uniform(0, 1, (4, 51)).round(3).tolist()
    rows = make_rows(description=TEXTS, intensities=np.eye(8)[:4].tolist(), blendshapes=blendshapes)
    settings = f"model.encoder={tmp_path / 'encoder'} score=null training.max_steps=2 training.use_cpu=true"
    settings += " training.per_device_train_batch_size=2 training.early_stopping_patience=null data.mirror=false"
    settings += " training.load_best_model_at_end=false training.eval_strategy=no training.save_strategy=no"
    options = [part for setting in settings.split() for part in ("--set", setting)]
    train("--model", "xlm-roberta", "--dataset", rows, *options, "--output", tmp_path / "out")
    model = load_generator(tmp_path / "out")  # its own encoder and tokenizer come with it
    sad, glad = model.generate(TEXTS[:2])
    assert model.config.model_type == "emo3d-expression"
    assert model.text_encoder().model.config.model_type == "xlm-roberta"
    assert not np.array_equal(sad, glad)
    assert model.text_encoder().tokenizer.unk_token_id not in model.text_encoder().tokenize(TEXTS)["input_ids"]
