"""One door for pictures: nothing else is opened, and one picture gives one score, however it comes in."""

import io
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emo3d.pictures import FORMATS, LargePictureError, identify_picture, open_picture, read_picture
from emo3d.scoring import ScoreSettings, score
from squares import Square

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
ROWS = [{"description": f"a {word} face", "intensities": np.eye(8)[k].tolist()} for k, word in ((0, "sad"), (1, "mad"))]
QUICK = ScoreSettings(backbone="quickstart", k=1)


def file_of(picture, form="PNG", **options):
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


@pytest.fixture
def ghostscript(tmp_path, monkeypatch):
    """A `gs` that leaves a trace where it is started; whether one was."""
    from PIL import EpsImagePlugin

    program, trace = tmp_path / "bin" / "gs", tmp_path / "trace"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nopen({str(trace)!r}, 'w')\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # looked up anew
    return trace.exists


def test_the_trap_works(ghostscript):
    """Pillow by itself starts it."""
    with pytest.raises(OSError):  # noqa: PT011 (it writes no picture)
        Image.open(io.BytesIO(POSTSCRIPT)).load()
    assert ghostscript()


def glb(data, tmp_path):
    from emo3d.face import FaceRig

    square = Square()
    square.document |= {
        "images": [{"bufferView": square.view(data)}],
        "textures": [{"source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
    }
    square.primitive["material"] = 0
    return FaceRig.from_glb(square.write(tmp_path / "face.gltf"))


def beside(data, tmp_path):
    from emo3d.face import FaceRig

    (tmp_path / "face.png").write_bytes(data)
    square = Square()
    square.document |= {
        "images": [{"uri": "face.png", "mimeType": "image/png"}],
        "textures": [{"source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
    }
    square.primitive["material"] = 0
    return FaceRig.from_glb(square.write(tmp_path / "face.gltf"))


def as_file(data, tmp_path):
    (tmp_path / "face.png").write_bytes(data)
    return tmp_path / "face.png"


def metric_module(data, tmp_path):
    evaluate = pytest.importorskip("evaluate", reason="needs the extra [metric]")
    import emo3d

    row = {"description": "a happy face", "intensities": [1] * 8}
    metric = evaluate.load(emo3d.metric_path(), keep_in_memory=True)
    return metric.compute(
        predictions=[{"bytes": data, "path": None}] * 2, references=[row] * 2, backbone="quickstart", k=1
    )


def explored(data, tmp_path):
    pytest.importorskip("gradio", reason="needs the extra [demo]")
    from emo3d_demo.explore import _picture

    if "cannot be shown" in _picture(data, "picture", 0):
        raise ValueError("a sentence")


def photographed(data, tmp_path):
    pytest.importorskip("gradio", reason="needs the extra [demo]")
    from emo3d_demo.picture import read_photograph

    return read_photograph(str(as_file(data, tmp_path)))


def lazily(data, tmp_path):
    return open_picture(Image.open(io.BytesIO(data)))


def reported(data, tmp_path):
    from emo3d.pictures import encode_picture

    return encode_picture(data)


def extracted(data, tmp_path):
    from emo3d_lab.extract.run import decode_picture

    return decode_picture(data)


def archived(data, tmp_path):
    from emo3d.dataset.archives import check_picture

    return check_picture(data, "face.png")


DOORS = [
    lambda data, tmp_path: open_picture(data),
    lambda data, tmp_path: open_picture(as_file(data, tmp_path)),
    lambda data, tmp_path: read_picture({"bytes": data, "path": None}, 0),
    lambda data, tmp_path: read_picture(str(as_file(data, tmp_path)), 0),
    lambda data, tmp_path: score(
        [as_file(data, tmp_path)], ROWS[:1], settings=ScoreSettings(backbone="quickstart", k=1)
    ),
    *(glb, beside, metric_module, explored, photographed, lazily, reported, extracted, archived),
]


@pytest.mark.parametrize("door", DOORS)
def test_postscript_starts_no_program(door, ghostscript, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "face"))
    with pytest.raises(ValueError, match=r"."):
        door(POSTSCRIPT, tmp_path)
    assert not ghostscript()


def test_open_images_of_other_formats_are_refused_until_they_are_decoded(tmp_path):
    pixels = Image.new("RGB", (4, 4), "red")
    data = file_of(pixels, "PPM")
    with pytest.raises(ValueError, match="expected a JPEG, PNG or WebP, got PPM"):
        open_picture(Image.open(io.BytesIO(data)))
    decoded = Image.open(io.BytesIO(data))
    decoded.load()
    assert open_picture(decoded).getpixel((0, 0)) == (255, 0, 0)
    assert open_picture(pixels).size == (4, 4)


def test_limits_come_before_decoding():
    data = file_of(Image.new("L", (300, 200)))
    with pytest.raises(LargePictureError, match="expected a picture of at most 59999 pixels, got 300 x 200"):
        open_picture(data, largest=59_999)
    assert open_picture(data, longest=150).size == (150, 100)
    with identify_picture(data) as opened:
        assert (opened.format, opened.size) == ("PNG", (300, 200))
    with pytest.raises(ZeroDivisionError):
        open_picture(data, check=lambda opened: 1 // 0)


def test_formats_are_listed_in_the_refusal():
    for formats, listed in ((FORMATS, "JPEG, PNG or WebP"), (("PNG",), "PNG")):
        with pytest.raises(ValueError, match=f"cannot identify image file, expected a {listed}$"):
            open_picture(b"GIF89a" + bytes(20), formats=formats)


@pytest.fixture
def photographs(tmp_path):
    """Two pictures that their EXIF turns, as cameras write them, and the same pixels upright."""
    rng = np.random.default_rng(0)
    upright = [Image.fromarray(rng.integers(0, 256, (3, 4, 3), np.uint8)).resize((64, 48)) for _ in range(2)]
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise
    for row, picture in enumerate(upright):
        picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / f"{row}.png", exif=exif)
    return [np.asarray(picture) for picture in upright], sorted(tmp_path.glob("*.png"))


def forms(files):
    datasets = pytest.importorskip("datasets")
    embedded = datasets.Dataset.from_dict(
        {"x": [{"bytes": file.read_bytes(), "path": None} for file in files]},
        datasets.Features({"x": datasets.Image()}),
    )
    return {
        "str": [str(file) for file in files],
        "Path": files,
        "bytes": [file.read_bytes() for file in files],
        "Image.open": [Image.open(file) for file in files],
        "datasets": [row["x"] for row in embedded],
        "embedded": [row["x"] for row in embedded.cast_column("x", datasets.Image(decode=False))],
        "embedded path": [{"bytes": None, "path": str(file)} for file in files],
    }


KINDS = ("str", "Path", "bytes", "Image.open", "datasets", "embedded", "embedded path")


@pytest.mark.parametrize("kind", KINDS)
def test_one_photograph_one_score(kind, photographs, clip_folder):
    """By the pixels as they are seen, which are given as arrays."""
    arrays, files = photographs
    settings = ScoreSettings(backbone=str(clip_folder), k=1, variant="release")
    expected = score(arrays, ROWS, settings=settings)
    assert score(forms(files)[kind], ROWS, settings=settings).kl_divergence == expected.kl_divergence
    for picture, array in zip(forms(files)[kind], arrays, strict=True):  # scores of so few may be equal by chance
        assert np.array_equal(read_picture(picture, 0), array)


@pytest.mark.parametrize("kind", KINDS)
def test_one_photograph_one_score_in_the_evaluate_module(kind, photographs, clip_folder):
    evaluate = pytest.importorskip("evaluate", reason="needs the extra [metric]")
    import emo3d

    arrays, files = photographs
    settings = {"backbone": str(clip_folder), "k": 1, "variant": "release"}
    metric = evaluate.load(emo3d.metric_path(), keep_in_memory=True)
    result = metric.compute(predictions=forms(files)[kind], references=ROWS, **settings)
    assert result["kl_divergence"] == score(arrays, ROWS, settings=ScoreSettings(**settings)).kl_divergence


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "CMYK", "1", "I;16"])
def test_other_modes_are_refused_alike(mode, tmp_path):
    form = "TIFF" if mode in ("CMYK", "I;16") else "PNG"
    picture = Image.new(mode, (8, 8))
    path = tmp_path / "picture"
    path.write_bytes(file_of(picture, form))
    for given in (path, str(path), path.read_bytes(), picture, Image.open(path), {"bytes": None, "path": str(path)}):
        with pytest.raises(ValueError, match=f"expected an RGB picture in row 3, got mode {mode}"):
            read_picture(given, 3)
