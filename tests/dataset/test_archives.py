"""Pictures are checked without being decoded: what Pillow itself writes passes, what is cut or damaged does not."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from emo3d.dataset.archives import Archives, PictureError, check_picture

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8))


def written(form, **options):
    buffer = io.BytesIO()
    NOISE.save(buffer, form, **options)
    return buffer.getvalue()


WHOLE = {
    "baseline": written("JPEG"),
    "progressive": written("JPEG", progressive=True),
    "restarts": written("JPEG", restart_marker_blocks=2),
    "multi-picture": written("MPO", save_all=True, append_images=[NOISE]),
    "png": written("PNG"),
    "webp": written("WEBP"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_pictures_pass(name):
    check_picture(WHOLE[name], name)


@pytest.mark.parametrize("name", WHOLE)
def test_a_picture_that_is_cut_off_does_not(name):
    with pytest.raises(PictureError, match=name) as error:
        check_picture(WHOLE[name][: len(WHOLE[name]) * 2 // 5], name)
    assert error.value.kind == "broken picture"


def test_bytes_after_the_end_are_borne():
    check_picture(WHOLE["baseline"] + b"\xff\x17 notes of a camera \xff\xd9", "trailing")


def test_damage_inside_is_seen():
    damaged = bytearray(WHOLE["baseline"])
    damaged[-600:-400] = bytes(range(56, 256)) + b""
    damaged[-500:-498] = b"\xff\x17"
    with pytest.raises(PictureError, match="damaged"):
        check_picture(bytes(damaged), "damaged")


@pytest.mark.parametrize("limit", [90 * 120 - 1, 10])
def test_the_limit_is_of_pixels(limit):
    check_picture(WHOLE["png"], "small", 90 * 120)
    with pytest.raises(PictureError, match=rf"at most {limit} pixels, small has 120 x 90") as error:
        check_picture(WHOLE["png"], "small", limit)
    assert error.value.kind == "oversized picture"


@pytest.mark.parametrize("data", [b"", b"<html>", b"GIF89a" + bytes(20)])
def test_other_files_are_no_pictures(data):
    with pytest.raises(PictureError, match="expected a JPEG, PNG or WebP"):
        check_picture(data, "page")


def test_a_member_without_a_name_is_passed_over(tmp_path):
    """Which `zipfile` itself stumbles over before Python 3.12."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/1.png", WHOLE["png"])
        archive.writestr(zipfile.ZipInfo(""), b"nameless")
    with Archives({"a": str(tmp_path / "a.zip")}) as archives:
        assert archives.size("a/a/1.png") == len(WHOLE["png"])
        assert archives.read("a/a/1.png") == WHOLE["png"]
