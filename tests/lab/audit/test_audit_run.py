"""The audit as a whole: its numbers are those of `score`, planted differences are found, and its page shows them."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet
from typer.testing import CliRunner

from contrast import assert_readable
from emo3d.backbones import load_backbone
from emo3d.blendshapes import BLENDSHAPES
from emo3d.cli import app
from emo3d.emotions import EMOTIONS, distribution
from emo3d.face import RenderSettings
from emo3d.scoring import ScoreSettings, open_references, score, score_distributions
from emo3d_lab.audit import Audit, audit, card_section, verdict, write_audit
from emo3d_lab.audit.figures import Estimate, Gap
from emo3d_lab.readers import EmotionReader
from emo3d_lab.sample import make_rows

sys.path.append(str(Path(__file__).parents[2] / "fuzz"))
from doors.audit import make_audit as made_up_audit

SMALL = RenderSettings(size=112)  # to which the tower reduces pictures
QUICK = ScoreSettings(backbone="quickstart", render=SMALL)
BATCH = 20  # what is missing in a batch is filled up
JAW, BLINK = BLENDSHAPES.index("jawOpen"), BLENDSHAPES.index("eyeBlinkLeft")
HOSTILE = "The <script>window.ran = true</script> man & [red]his face"


class Blind:
    """The quickstart backbone for texts; all pictures look the same to it, whoever they show."""

    id, revision, dtype, image_size = "blind", "1", "float32", 16

    def encode_texts(self, descriptions):
        return load_backbone("quickstart").encode_texts(descriptions)

    def encode_pictures(self, pictures):
        return torch.nn.functional.normalize(torch.ones(len(pictures), 392), dim=1)


class AlwaysGlad(EmotionReader):
    """An emotion reader that sees happiness in every face."""

    name, signature, emotions = "always glad", "glad:1", EMOTIONS

    def _read(self, pictures, boxes):
        return np.tile(np.eye(8)[EMOTIONS.index("happiness")], (len(pictures), 1))


class Literal:
    """A generator that opens the jaw by 0.5 for women, and shuts an eye by 0.2 where there is a full stop."""

    config, name_or_path = SimpleNamespace(space="weights"), "literal"

    def to(self, device):
        return self

    def generate(self, descriptions, batch_size):
        expressions = np.zeros((len(descriptions), len(BLENDSHAPES)), np.float32)
        for expression, text in zip(expressions, descriptions, strict=True):
            expression[JAW] = 0.5 * bool(re.search(r"\b(woman|she|her)\b", text.lower()))
            expression[BLINK] = 0.2 * text.endswith(".")
        return expressions


def write_rows(file, rows, **columns):
    table = pa.table(
        {
            "description": [row.description for row in rows],
            "intensities": [row.intensities.tolist() for row in rows],
            "blendshapes": [row.blendshapes.tolist() for row in rows],
            **columns,
        }
    )
    parquet.write_table(table.replace_schema_metadata({"space": "weights"}), file)
    return str(file)


def emo3d(*arguments):
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


@pytest.fixture(scope="module")
def generated():
    return audit("sample", model="quickstart", settings=QUICK, faces=32)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("rows") / "few.parquet", make_rows("test", 40))


def test_the_numbers_are_those_of_score(few):
    """All rows are drawn, so those on other faces must be what `score` says of these faces, too."""
    found = audit(few, settings=QUICK, identities=3, batch_size=BATCH, readers=[AlwaysGlad()])
    references = open_references(few)
    alone, several, lit, child = (
        score(references.expressions, references, settings=settings, batch_size=BATCH)
        for settings in (
            QUICK,
            replace(QUICK, identities=3),
            replace(QUICK, render=replace(SMALL, light_yaw=60)),
            replace(QUICK, identity="boy"),
        )
    )
    assert (found.kl.value, found.emo3d.value) == (alone.kl_divergence, alone.emo3d)
    # Their means are of arrays that lie otherwise in memory, which on some processors shows in the last bit.
    assert (found.kl.low, found.kl.high) == pytest.approx(alone.intervals["kl_divergence"], rel=1e-14)
    assert found.references == alone.references
    assert found.signature == alone.signature
    assert found.identities.default.value == pytest.approx(alone.kl_divergence)
    assert found.identities.panel.value == pytest.approx(several.kl_divergence)
    conditions = {(one.kind, one.name): one.kl.value for one in found.identities.conditions}
    assert conditions["light", "+60°"] == pytest.approx(lit.kl_divergence)
    assert conditions["child", "boy"] == pytest.approx(child.kl_divergence)

    described = distribution(references.intensities)
    prior = score_distributions(described.mean(axis=0), references)
    neutral = score(np.zeros((len(described), 51)), references, settings=QUICK, batch_size=BATCH)
    beside = {sentinel.name: sentinel for sentinel in found.sentinels}
    assert list(beside) == ["constant prior", "neutral", "shuffled", "text-only", "picture-blind"]
    assert beside["constant prior"].kl_divergence == pytest.approx(prior.kl_divergence)
    assert beside["neutral"].kl_divergence == pytest.approx(neutral.kl_divergence)
    glad = (described.argmax(axis=1) == EMOTIONS.index("happiness")).mean()
    (reading,) = found.readings
    assert (reading.reader, reading.n, reading.top1.value) == ("always glad", len(described), pytest.approx(glad))
    assert beside["shuffled"].readings[0].top1 == pytest.approx(glad)


def test_predictions_that_fail_some_people_are_found():
    """The sample's own expressions, but for children, whose faces show something else.

    What is described strongly loses more by that, so intensities are looked at above, where they are crossed.
    """
    references = open_references("sample")
    rows = np.array([bool(re.search("child|girl|boy", text.lower())) for text in references.descriptions])
    predictions = references.expressions.copy()
    predictions[rows] = references.expressions[rows][:, ::-1]
    worse = [
        {
            (one.factor, one.name): one.gap.difference.value
            for one in audit("sample", predictions=given, settings=QUICK, faces=2, identities=2, batch_size=2).slices
            if one.gap and one.gap.is_claim and one.gap.difference.value > 0
        }
        for given in (predictions, None)
    ]
    assert max(worse[0], key=worse[0].get) == ("age words", "child")
    assert {factor for factor, _ in worse[0].keys() - worse[1].keys()} <= {"age words", "strongest intensity"}
    assert ("age words", "child") not in worse[1]


def test_an_eye_for_which_all_faces_are_one_makes_no_claim_about_faces():
    found = audit("sample", backbone=Blind(), faces=32, identities=2)
    assert {one.gap.difference.value for one in found.identities.conditions} == {0.0}
    assert {one.gap.p_value for one in found.identities.conditions} == {1.0}
    assert found.texts is None
    section = " ".join(card_section(found).split())
    assert "do not score differently beyond chance" in section
    assert "the panel 0" not in section


def test_words_that_move_an_expression_are_found(tmp_path):
    """By hand: 0.5 or 0.2 of one blendshape of 51; the jaw opens toward "female", whichever way the swap goes."""
    texts = ["A woman", "A man.", "She is sad", "He is sad", "A child"] * 8
    rows = [SimpleNamespace(description=text, intensities=row.intensities, blendshapes=row.blendshapes)
            for text, row in zip(texts, make_rows("test", 40), strict=True)]  # fmt: skip
    file = write_rows(tmp_path / "rows.parquet", rows)
    found = audit(file, model=Literal(), settings=QUICK, identities=2, batch_size=BATCH)
    assert (found.source, found.model, found.n) == ("model", "literal", 40)
    gender, age, stop, same = found.texts.swaps
    assert (gender.n, age.n, stop.n, same.n) == (32, 0, 40, 16)
    assert gender.moved.value == pytest.approx(0.5 / 51)
    assert (gender.shifts[0].blendshape, gender.shifts[0].mean.value) == ("jawOpen", pytest.approx(0.5))
    assert gender.shifts[1].mean.value == 0.0
    assert gender.examples[0] == ("A woman", "A man")
    assert stop.moved.value == pytest.approx(0.2 / 51)
    assert (stop.signed, stop.shifts) == (None, ())
    assert (age.moved, age.gap) == (None, None)
    assert "No description has age words to swap." in " ".join(card_section(found).split())
    assert same.moved.value == pytest.approx(0.5 / 51 / 2)  # "A lady" is no woman to it, a "gentleman" as much as a man
    assert same.gap.p_value is None  # 16 rows


def test_the_audit_goes_to_json_and_back(generated, tmp_path):
    generated.save(tmp_path / "folder" / "audit.json")
    assert Audit.load(tmp_path / "folder" / "audit.json") == generated
    earlier = {name: value for name, value in generated.to_dict().items() if name not in ("sentinels", "readings")}
    assert Audit.from_dict(earlier) == replace(generated, sentinels=(), readings=())
    plain = json.loads((tmp_path / "folder" / "audit.json").read_text(encoding="utf-8"))
    assert plain["signature"].startswith("variant:paper|k:10")
    assert len(plain["identities"]["conditions"]) == 12 + 10 + 2 + 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"identities": {}}, "expected 'n' in identities, got nothing"),
        ({"n": "many"}, "expected n as an audit has it, got 'many'"),
        ({"source": "elsewhere"}, "expected source as an audit has it, got 'elsewhere'"),
        ({"slices": [3]}, "expected slices as an audit has it, got 3"),
    ],
)
def test_json_that_is_no_audit(generated, tmp_path, change, message):
    file = tmp_path / "audit.json"
    file.write_text(json.dumps(generated.to_dict() | change))
    with pytest.raises(ValueError, match=re.escape(f"audit.json: {message}")):
        Audit.load(file)


def test_what_is_said_of_weak_and_strong(generated, tmp_path):
    gap = Gap(Estimate(-0.5, -0.6, -0.001), -1.0, 0.0004)
    happy, *others = generated.strengths
    one = replace(generated, strengths=(replace(happy, gap=gap), *others))
    (said,) = verdict.findings(one)["strength"]
    assert said.endswith("1 of 7 emotions; of these, 1 differs beyond chance: strong happiness -0.50 (-0.60 to 0.00).")
    write_audit(one, tmp_path / "page.html")
    assert "p &lt; 0.001" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_the_command(tmp_path, few):
    page, report = tmp_path / "pages" / "audit.html", tmp_path / "audit.json"
    options = ("--model", "quickstart", "--backbone", "quickstart", "--faces", 4, "--identities", 2, "--batch-size", 8)
    done = emo3d("--dataset", few, *options, "--out", page, "--json", report)
    assert done.exit_code == 0, done.output
    found = Audit.load(report)
    assert (found.model, found.n, found.identities.n) == ("quickstart", 40, 4)
    said = " ".join(done.stdout.split())
    assert f"40 rows have a KL of {found.kl.value:.2f}" in said
    assert "says nothing about anybody" in said
    assert "no claim is made about the score" in said
    assert "Of other faces, nothing is claimed with fewer than 30 expressions" in said
    assert page.is_file()


def test_without_a_generator_the_command_says_what_is_missing(tmp_path, few):
    done = emo3d("--dataset", few, "--backbone", "quickstart", "--faces", 2, "--identities", 2, "--batch-size", 8)
    said = " ".join(done.stdout.split())
    assert "this audits the data and the metric, not a model" in said
    assert "this takes a generator, so run the audit again with --model" in said


def test_bad_input_is_one_sentence(tmp_path, few):
    predictions = tmp_path / "part.npy"
    np.save(predictions, np.zeros((39, 51), np.float32))
    bare = tmp_path / "bare.parquet"
    parquet.write_table(pa.table({"description": ["A face"], "intensities": [[1.0] + [0.0] * 7]}), bare)
    unrated = tmp_path / "unrated.parquet"
    parquet.write_table(pa.table({"description": ["A face"]}), unrated)
    quick = ("--backbone", "quickstart")
    cases = [
        (
            (few, "--predictions", predictions),
            ", got 39: predict the rest, or audit a part, as in the split test[:100]",
        ),
        ((bare,), "expected predictions or a model, since "),
        ((unrated,), "expected references with 'intensities', got description"),
        ((few, "--model", "no/such"), "the generator no/such could not be loaded"),
        ((few, "--model", "quickstart", "--predictions", predictions), "expected predictions or a model, got both"),
        ((few, "--identities", "13"), "expected 2 to 12 identities, got 13"),
        ((few, "--faces", "1"), "expected at least 2 faces, got 1"),
        ((few, "--space", "reading"), "says that its space is weights, got reading"),
    ]
    for (dataset, *options), message in cases:
        done = emo3d("--dataset", dataset, *quick, *options)
        assert message in str(done.exception)
        assert "\n" not in str(done.exception)
    with pytest.raises(ValueError, match="expected settings of the default face, adult, got boy"):
        audit(few, settings=ScoreSettings(backbone="quickstart", identity="boy"))


def test_without_the_extra_it_says_how_to_get_it(few, monkeypatch):
    monkeypatch.setitem(sys.modules, "statsmodels", None)
    with pytest.raises(OSError, match=re.escape('pip install "emo3d[audit]"')):
        audit(few, settings=QUICK)


@pytest.fixture(scope="module")
def pages(generated, tmp_path_factory):
    """One with everything, and one of a dataset that means harm."""
    folder = tmp_path_factory.mktemp("pages")
    write_audit(generated, folder / "full.html")
    rows = [SimpleNamespace(description=HOSTILE, intensities=row.intensities, blendshapes=row.blendshapes)
            for row in make_rows("test", 12)]  # fmt: skip
    harmful = write_rows(folder / "harm.parquet", rows, prompt_type=[f"{HOSTILE}{'x' * 60}"] * 12)
    write_audit(audit(harmful, model=Literal(), settings=QUICK, identities=2, batch_size=12), folder / "harm.html")
    return folder


def test_what_the_page_says(generated, pages):
    page = (pages / "full.html").read_text(encoding="utf-8")
    assert re.findall(r"(?:src|href|url)\W+(?!data:)[\w/:.]+", page) == []
    assert page.count('<img src="data:image/jpeg') == 29
    assert "fewer than 30 rows here or among the others: no claim" in page
    assert f"{generated.kl.value:.2f} (" in page
    assert page.count("<h2>Beside sentinels</h2>") == 1
    assert "Beside systems that do not do the task, it is " in page
    assert generated.identities.worst.first in page
    assert not re.search(r"\bnan\b", page)
    assert "Intervals: studentised bootstrap (bootstrap-t) over rows, 1,000 resamples, seed 0" in page
    assert "of fewer than 10 rows there is none" in page


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["full", "harm"])
def test_the_page_asks_for_nothing_and_fits(visit, pages, name, width, scheme):
    page = visit((pages / f"{name}.html").as_uri(), width, scheme)
    assert page.evaluate("window.ran") is None
    clipped = """() => [...document.querySelectorAll(".row b, .row span, .row em, .row small, figcaption, .moves span")]
        .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"""
    assert page.evaluate(clipped) == []
    assert_readable(page)


MEN = [f"{age}-{ancestry}-man" for age in ("young", "old") for ancestry in ("african", "asian", "caucasian")]
PANEL_FACES = [("panel", name) for man in MEN for name in (man, man.replace("man", "woman"))]


def test_what_is_marked_in_the_plot_is_what_the_sentences_say(tmp_path):
    """Five of the six male faces are beyond chance, and no contrast of faces with each other is looked at."""
    one = made_up_audit((*PANEL_FACES, ("light", "+30°")), moved=MEN[:5])
    marked = [face.name for face in one.identities.conditions if face.gap.is_claim]
    assert marked == MEN[:5]
    said = " ".join(verdict.findings(one)["faces"])
    assert said.startswith("Rendered on another face, the same expressions score differently")
    assert "Of 12 faces of the panel, each against the default face, 5 differ beyond chance, the furthest:" in said
    assert (
        "(3 of 6 young, 2 of 6 old; 2 of 4 african, 2 of 4 asian, 1 of 4 caucasian; 5 of 6 man, 0 of 6 woman)" in said
    )
    assert "For other faces it is another number" in verdict.holds_for(one)
    write_audit(one, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    panel = page[page.index("<h3>Panel") : page.index("One thing changed")]
    faces, contrasts = (part.count('class="track worse"') + part.count('class="track better"')
                        for part in panel.split("<h3>What the panel"))  # fmt: skip
    assert faces == 5
    assert f"with each other (age, ancestry, gender, skin tone), {contrasts} differ beyond chance" in said


def test_another_light_is_no_other_face():
    one = made_up_audit((*PANEL_FACES, ("light", "+30°")), moved=["+30°"])
    said = " ".join(verdict.findings(one)["faces"])
    assert "do not score differently beyond chance" in said
    assert "Of 12 faces of the panel, each against the default face, none differs beyond chance" in said
    assert "1 differs beyond chance: light +30°" in said
    assert "No other face that was tried differs beyond chance" in verdict.holds_for(one)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["kl"].update(value=float("inf")), "got Infinity"),
        (lambda d: d.update(n=10**30), "expected integers of 64 bits"),
        (lambda d: d.update(n=-1), "expected n as an audit has it, got -1"),
        (lambda d: d["identities"]["shares"].clear(), "expected 'expression' in shares, got nothing"),
        (lambda d: d["identities"].update(costs=[]), "expected costs"),
        (lambda d: d.update(model=None), "expected the name of the model"),
        (
            lambda d: d["identities"]["conditions"][0].update(kind="<b>"),
            "expected conditions of panel, skin, child, light",
        ),
    ],
)
def test_an_audit_whose_parts_do_not_fit_is_refused(tmp_path, change, message):
    document = made_up_audit().to_dict()
    change(document)
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match=rf"^a\.json: .*{message}"):
        Audit.load(tmp_path / "a.json")
