"""Boards: who stands where, in which text, and what is refused."""

import json
import re
from dataclasses import replace
from math import log

import numpy as np
import pytest
from typer.testing import CliRunner

from contrast import assert_readable
from emo3d.cli import app
from emo3d.scoring import ScoreSettings, score_distributions
from emo3d_lab.training import Evaluation, rank, to_markdown

REFERENCES = {
    "description": [f"face {row}" for row in range(20)],
    "intensities": np.random.default_rng(9).random((20, 8)),
}


def made(name, emo3d, settings=None, **fields):
    """An evaluation with a score and an interval that are easy to recognise, without the values of every face."""
    settings = settings or ScoreSettings()
    result = score_distributions(np.ones(8), REFERENCES, settings)
    kl, *kl_ends = (settings.divisor * log(score / (1 - score)) for score in (emo3d, emo3d - 0.01, emo3d + 0.02))
    numbers = {"emo3d": emo3d, "kl_divergence": kl}
    numbers["intervals"] = {"emo3d": (emo3d - 0.01, emo3d + 0.02), "kl_divergence": tuple(kl_ends)}
    groups = {"per_emotion": {"anger": {"n": 20, **numbers}}, "per_band": {"0.8-1.0": {"n": 20, **numbers}}}
    result = replace(result, per_sample={}, **{**groups, **numbers, **fields})
    return Evaluation(result, name, dataset="sample", split="test", date="2026-11-23")


def saved(folder, **evaluations):
    for name, evaluation in evaluations.items():
        evaluation.save(folder / f"{name}.json")
    return [str(folder / f"{name}.json") for name in evaluations]


def leaderboard(*arguments):
    return CliRunner().invoke(app, ["leaderboard", *map(str, arguments)])


def test_markdown_by_hand():
    """Sorted, lowest first; a pipe in a name stays in its cell; what was not measured is a dash.

    The divergence of a score s is ln(s / (1 - s)): ln 1.5 = 0.405, ln(59/41) = 0.364, ln(62/38) = 0.490, and so on.
    """
    best = made("mine|own", 0.6, mse=0.03125, amplitude=0.6412)
    tables = rank([made("theirs", 0.7), best])
    signature = best.result.signature
    assert to_markdown(tables) == (
        "| model | Emo3D ↓ | KL ↓ | MSE ↓ | amplitude → 1 | recall@10 ↑ | n | date |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| mine\\|own | 0.600 [0.590–0.620] | 0.405 [0.364–0.490] | 0.0312 | 0.64 | – | 20 | 2026-11-23 |\n"
        "| theirs | 0.700 [0.690–0.720] | 0.847 [0.800–0.944] | – | – | – | 20 | 2026-11-23 |\n"
        "\n"
        f"Signature: `{signature}`\n"
    )


HOSTILE = "[free](http://evil.example) <script>alert(1)</script> `x`|**b**"


def test_names_of_others_are_shown_as_text(tmp_path):
    evaluation = made(HOSTILE, 0.6, signature="backbone:/tmp/a`<b>x</b>|k:10")
    files = saved(tmp_path, a=replace(evaluation, dataset="<i>d</i>", split="[s](http://x)"))
    for name in ("board.MD", "board.HTML", "board.md", "board.html"):
        done = leaderboard(*files, "--out", tmp_path / name)
        assert done.exit_code == 0, done.output
    text = (tmp_path / "board.md").read_text()
    assert (
        r"| \[free\](http&#58;//evil.example) &lt;script&gt;alert(1)&lt;/script&gt; \`x\`\|\*\*b\*\* | 0.600 " in text
    )
    assert text.endswith("Signature: ``backbone:/tmp/a`<b>x</b>|k:10``\n")
    page = (tmp_path / "board.html").read_text()
    for markup in ("<script>alert", "<i>d", "<b>x"):
        assert markup not in page
    saved(tmp_path, b=replace(evaluation, model="a\x1b[31mred"))
    assert "expected a text as 'model'" in str(leaderboard(tmp_path / "b.json").exception)


def test_errors_against_other_reference_expressions_are_no_column():
    first, second = (made(name, 0.6, mse=0.03125, amplitude=0.6412, reference_expressions=name * 12) for name in "ab")
    markdown = to_markdown(rank([first, second]))
    assert "0.0312" not in markdown
    assert "0.64" not in markdown
    assert (
        "no MSE and amplitude: the references' expressions, which they compare with, are not all the same" in markdown
    )
    assert "0.0312 | 0.64" in to_markdown(rank([first, first]))


@pytest.mark.parametrize(("emo3d", "message"), [(-0.5, "expected emo3d in 0..1"), (float("nan"), "a finite emo3d")])
def test_no_score_tops_the_board(tmp_path, emo3d, message):
    evaluation = made("mine", 0.6)
    evaluation = replace(evaluation, result=replace(evaluation.result, emo3d=emo3d))
    with pytest.raises(ValueError, match=f"^mine: expected .*{message.removeprefix('expected ')}"):
        rank([evaluation])
    done = leaderboard(*saved(tmp_path, a=evaluation))
    assert isinstance(done.exception, ValueError)


def test_page(tmp_path):
    files = saved(tmp_path, a=made("<b>bold</b>", 0.7), b=made("mine", 0.6))
    done = leaderboard(*files, "--out", tmp_path / "board.html")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "board.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert page.index("mine") < page.index("bold")
    assert re.findall(r"(?:src|href|url)\W+[\w/:.]+", page) == []
    # The axis goes from 0.59 to 0.72, of which 0.6 to 0.62 and 0.69 to 0.72 are 0.01 / 0.13 and 0.1 / 0.13 in.
    assert [span.groups() for span in re.finditer(r"left: ([\d.]+)%; width: ([\d.]+)%", page)] == [
        ("0.0", "23.1"),
        ("76.9", "23.1"),
    ]
    assert re.findall(r"<b style=\"left: ([\d.]+)%", page) == ["7.7", "84.6"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (made("b", 0.6, ScoreSettings(k=5)), "signatures differ in k: 10, 5"),
        (made("b", 0.6, ScoreSettings(variant="release")), "signatures differ in variant: paper, release"),
        (made("b", 0.6, references="0123456789ab"), "references differ: their content hashes are"),
    ],
)
def test_mixed_settings_are_refused_or_grouped(tmp_path, other, message):
    files = saved(tmp_path, a=made("mine", 0.7), b=other, c=made("third", 0.5))
    done = leaderboard(*files, "--out", tmp_path / "board.md")
    assert str(done.exception).startswith("mine and b cannot be in one table: ")
    assert message in str(done.exception)
    assert not (tmp_path / "board.md").exists()
    assert leaderboard(*files, "--out", tmp_path / "board.md", "--group").exit_code == 0
    first, second = (tmp_path / "board.md").read_text().split("Signature")[:2]
    assert "third" in first
    assert first.index("third") < first.index("mine")
    assert "| b |" in second
    leaderboard(*files, "--out", tmp_path / "board.html", "--group")
    page = (tmp_path / "board.html").read_text(encoding="utf-8")
    if message.startswith("signatures"):
        assert page.count(message.partition(" in ")[2]) == 1
    assert "mine" not in second


def test_a_plain_score_is_named_by_its_file(tmp_path):
    made("unsaid", 0.6).result.save(tmp_path / "from-score.json")
    done = leaderboard(tmp_path / "from-score.json", "--out", tmp_path / "board.md")
    assert done.exit_code == 0, done.output
    assert "from-score" in done.output
    assert "| from-score | 0.600 [0.590–0.620] " in (tmp_path / "board.md").read_text()


def test_a_signature_of_another_make(tmp_path):
    """Nothing is looked up in it that need not be there."""
    saved(tmp_path, a=made("mine", 0.7, signature="v2"))
    done = leaderboard(tmp_path / "a.json", "--out", tmp_path / "board.html")
    assert done.exit_code == 0, done.output
    assert "recall@k" in (tmp_path / "board.html").read_text(encoding="utf-8")


def changed(**fields):
    return json.dumps(made("a", 0.6).result.to_dict() | fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting property name"),
        ("[1]", "expected a result, got a list"),
        ('{"loss": 1}', "expected a result with 'emo3d', got loss"),
        (changed(emo3d="low"), "expected 'emo3d' as a result has it, got 'low'"),
        (changed(signature=None), "expected 'signature' as a result has it, got None"),
        (changed(intervals={"emo3d": 1}), "expected intervals and values as a result has them"),
        (changed(per_emotion=[]), "expected intervals and values as a result has them"),
        (changed(model=5), "expected a text as 'model', got 5"),
        ("\udcff", "expected text in UTF-8"),
    ],
)
def test_foreign_files(tmp_path, text, message):
    (tmp_path / "it.json").write_bytes(text.encode(errors="surrogateescape"))
    done = leaderboard(tmp_path / "it.json")
    assert isinstance(done.exception, ValueError)
    assert "it.json" in str(done.exception)
    assert message in str(done.exception)


def test_other_mistakes(tmp_path):
    files = saved(tmp_path, a=made("mine", 0.7))
    assert "expected a file of .md, .html, got board.pdf" in str(leaderboard(*files, "--out", "board.pdf").exception)
    assert isinstance(leaderboard(tmp_path / "missing.json").exception, FileNotFoundError)
    with pytest.raises(ValueError, match="at least one"):
        rank([])


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark"), (390, "light")])
def test_page_can_be_read_and_names_are_text(tmp_path, visit, width, scheme):
    names = ['<img src=x onerror="window.ran=1">', "[x](javascript:window.ran=1)", "![](http://outside.example/x.png)"]
    files = saved(tmp_path, **{f"f{place}": made(name, 0.6 + place / 10) for place, name in enumerate(names)})
    leaderboard(*files, "--out", tmp_path / "board.html")
    page = visit((tmp_path / "board.html").as_uri(), width, scheme)
    page.click("summary")
    assert [page.get_by_text(name, exact=True).is_visible() for name in names] == [True] * 3
    assert page.evaluate("window.ran") is None
    assert_readable(page)


@pytest.mark.browser
def test_page_in_a_browser(tmp_path, chromium):
    """On a telephone the table scrolls, the page does not."""
    long = made("someone/" + "a-long-name-" * 6, 0.6)
    leaderboard(*saved(tmp_path, a=made("mine", 0.7), b=long), "--out", tmp_path / "board.html")
    page = chromium.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
    failures = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("requestfailed", lambda request: failures.append(request.url))
    page.goto((tmp_path / "board.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.click("summary")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.get_by_text("epsilon").is_visible()
    assert failures == []
    page.close()
