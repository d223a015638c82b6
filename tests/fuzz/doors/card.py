"""Model cards into which `emo3d evaluate` puts figures."""

from pathlib import Path

import yaml
from doors import results
from hypothesis import strategies as st


def seeds(folder: Path) -> list[dict[str, bytes]]:
    from emo3d_lab.training import Evaluation
    from emo3d_lab.training.cards import update_card

    evaluation = results.seeds(folder)[0]["a.json"]
    card = folder / "README.md"
    card.write_text("---\nlicense: mit\ntags: [emo3d]\n---\n# Mine\n")
    (folder / "a.json").write_bytes(evaluation)
    plain = card.read_bytes()
    update_card(card, Evaluation.load(folder / "a.json"))
    return [{"README.md": text, "a.json": evaluation} for text in (plain, card.read_bytes(), b"no header")]


def damage(draw: st.DrawFn, files: dict[str, bytes]) -> dict[str, bytes]:
    """Of the card: its header as YAML, or its bytes."""
    from attack import _damage_value, damaged

    card = files["README.md"]
    if not card.startswith(b"---") or draw(st.integers(0, 3)) == 0:
        return files | damaged(draw, {"README.md": card})
    document = yaml.safe_load(card.split(b"---\n")[1])
    for _ in range(draw(st.integers(1, 3))):
        document = _damage_value(draw, document)
    header = yaml.dump(document, allow_unicode=True).encode("utf-8", "surrogatepass")
    return files | {"README.md": b"---\n" + header + b"---\n# Mine\n"}


def enter(folder: Path) -> None:
    from huggingface_hub import ModelCard

    from emo3d_lab.training import Evaluation
    from emo3d_lab.training.cards import update_card

    evaluation = Evaluation.load(folder / "a.json")
    update_card(folder / "README.md", evaluation)
    once = ModelCard.load(folder / "README.md").data.to_yaml()
    update_card(folder / "README.md", evaluation)
    assert ModelCard.load(folder / "README.md").data.to_yaml() == once
