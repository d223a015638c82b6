import pytest

from emo3d.hints import did_you_mean


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("sampel", ["sample", "train"], "; did you mean 'sample'?"),
        ("Blendshapes", ["description", "blendshapes"], "; did you mean 'blendshapes'?"),
        ("identitiy", ["identities", "identity"], "; did you mean 'identity'?"),
        ("adlut", ["adult", "child", "elder"], "; did you mean 'adult'?"),
        ("xyz", ["sample", "train"], ""),
        ("", ["sample"], ""),
        ("sample", [], ""),
    ],
)
def test_the_nearest_known_name_is_offered(name, known, hint):
    assert did_you_mean(name, known) == hint


def test_a_synonym_is_offered_where_it_is_known_here():
    synonyms = {"text": "description", "predictions": "blendshapes"}
    assert did_you_mean("Text", ["description", "intensities"], synonyms) == "; did you mean 'description'?"
    assert did_you_mean("predictions", ["description"], synonyms) == ""
