import pytest
from huggingface_hub import constants

from emo3d.hints import did_you_mean, unwritable_cache


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


def _wrapped(error):
    """As transformers does it: the error of the disk lies below one that blames the network."""
    try:
        try:
            raise error
        except OSError as cause:
            raise OSError("We couldn't connect to 'https://huggingface.co' to load the files") from cause
    except OSError as wrapped:
        return wrapped


def test_a_full_disk_names_the_folder_and_the_variable(small_disk):
    folder = small_disk(16)
    with pytest.raises(OSError, match="No space left") as full:
        (folder / "blob").write_bytes(bytes(100_000))
    for error in (full.value, _wrapped(full.value)):
        said = unwritable_cache(error)
        assert f"{constants.HF_HUB_CACHE} cannot be written (No space left on device)" in said
        assert "set HF_HOME" in said


def test_a_folder_of_another_user_names_the_variable():
    assert "(Permission denied): set HF_HOME" in unwritable_cache(_wrapped(PermissionError(13, "Permission denied")))


@pytest.mark.parametrize("error", [FileNotFoundError(2, "No such file"), ConnectionError("refused"), ValueError("no")])
def test_other_errors_are_no_matter_of_the_cache(error):
    assert unwritable_cache(error) is None
