"""`--protocol` of `emo3d score` and `emo3d evaluate`."""

import pytest
from typer.testing import CliRunner

from emo3d.cli.app import app
from emo3d.scoring import ScoreSettings
from emo3d_lab.cli import evaluate, score  # noqa: F401  they add their commands to `app`
from emo3d_lab.cli.protocols import check_readers

SAMPLE = "dataset_script/data/sample/test.parquet"
QUICKSTART = ["score", SAMPLE, "--references", "sample", "--protocol", "emo3d-2026-quickstart"]


def refused(*arguments):
    return str(CliRunner().invoke(app, arguments).exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--k", "5"], "--k 5 with --protocol emo3d-2026-quickstart, whose k is 10"),
        (["--alpha", "2"], "--alpha 2.0 with --protocol emo3d-2026-quickstart, whose alpha is 1.0"),
        (["--identities", "1"], "--identities 1 with --protocol emo3d-2026-quickstart, whose identities is 12"),
        (["--calibration", "none"], "whose calibration is network"),
        (["--revision", "0123"], "whose revision is 0d569ba8334f"),
    ],
)
def test_options_that_contradict_it_are_refused(options, message):
    assert message in refused(*QUICKSTART, *options)


def test_other_readers_may_be_asked_and_its_own_are_as_it_has_them():
    class Reader:
        name, signature = "face-api", "face-api:9a9840f2cf1f|crop:square/1.0/area112"

    class Changed(Reader):
        signature = "face-api:9a9840f2cf1f|crop:square/1.2/area112"

    class Other(Changed):
        name = "other"

    check_readers("emo3d-2026", [Reader(), Other()])
    check_readers("emo3d-2026-quickstart", [Changed()])
    with pytest.raises(ValueError, match=r"expected face-api:.*/1.0/area112.* with --protocol emo3d-2026, got .*/1.2/"):
        check_readers("emo3d-2026", [Changed()])


def test_an_unknown_one_has_the_nearest_name():
    wrong = refused(*QUICKSTART[:-1], "emo3d-2025")
    assert "did you mean 'emo3d-2026'" in wrong


def test_list_shows_what_they_hold():
    printed = CliRunner().invoke(app, ["score", "--protocol", "list"]).stdout
    assert "revision: 3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268" in printed
    assert "faces: the 12 of panel-2" in printed


def test_evaluate_scores_by_it(monkeypatch):
    asked = {}

    def record(*arguments, **options):
        asked.update(options)
        raise ValueError("stop")

    monkeypatch.setattr("emo3d_lab.training.evaluate_model", record)
    protocol = ["--protocol", "emo3d-2026-quickstart"]
    arguments = ["evaluate", "--model", "quickstart", "--dataset", "sample", "--revision", "main"]
    assert refused(*arguments, *protocol) == "stop"  # the model's revision is none of the score's settings
    assert asked["settings"].identities == 12
    assert ScoreSettings().identities == 1
    wrong = refused(*arguments, *protocol, "--backbone-revision", "0123")
    assert "--backbone-revision 0123 with --protocol emo3d-2026-quickstart, whose revision is 0d569ba8334f" in wrong
