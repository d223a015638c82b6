"""Croissant 1.1 metadata (JSON-LD) of a folder of Parquet files: what lies there, how it was made, how to read it.

Written from the files' names, sizes and checksums alone. https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from emo3d.blendshapes import BLENDSHAPES
from emo3d.dataset.builder import Emo3D
from emo3d.dataset.schema import FEATURES
from emo3d.dataset.tally import Tally
from emo3d.emotions import EMOTIONS
from emo3d.parquet import open_parquet
from emo3d_lab.building.card import authors, citation
from emo3d_lab.building.reports import ShardFile
from emo3d_lab.sample.rows import SPLITS

_MIT, _APACHE = "https://spdx.org/licenses/MIT", "https://spdx.org/licenses/Apache-2.0"
_LANDMARKER = "https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker"

# The standard's terms: a name that is spelt otherwise, and one that carries a type or a language.
_TERMS = """arrayShape citeAs column containedIn equivalentProperty extract field fileProperty fileObject fileSet format
    includes isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace
    samplingRate separator source subField transform""".split()
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    **{term: f"cr:{term}" for term in _TERMS},
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "description": {"@container": "@language"},
    "name": {"@container": "@language"},
}

_CONFIGS = {
    "default": "One row per picture: its descriptions, emotion intensities and expression.",
    "pairs": "One row per description and expression, without pictures: the published 150,000 instances.",
    "primitive": "The release's primitive emotions, one row per picture.",
    "sample": "A small synthetic stand-in made by the package emo3d; nothing in it is from the published release.",
}
_COLUMNS = {
    "sample_id": "The row of the release; in the sample a number unique over the splits.",
    "variant": "Which of the row's pictures this is, 1 to 4.",
    "prompt_type": "The release's name for the prompt that the row comes from.",
    "description": "English description of a facial expression.",
    "descriptions": "One to three English descriptions of the same facial expression.",
    "intensities": f"Eight numbers in 0..1 that need not sum to one, in this order: {', '.join(EMOTIONS)}.",
    "image": "The picture of the face.",
    "identity": "Name of the rendered face.",
    "readings": "Scores in 0..1 that MediaPipe FaceLandmarker gave to the picture; null where it found no face. In the "
    "order of blendshapes.",
}
_SPACES = {
    "reading": "Scores in 0..1 that MediaPipe FaceLandmarker gave to the picture; null where it found no face. Order: ",
    "weights": "Weights in 0..1 that the rig of the picture was given. Order: ",
}

_ABOUT_RELEASE: dict[str, Any] = {
    "name": "Emo3D",
    "description": "Descriptions of facial expressions with emotion intensities, generated pictures of them, and the "
    "blendshape scores that MediaPipe read off these pictures: the release of Dehghani et al. (2025), typed.",
    "datePublished": "2025-04",
    "url": "https://huggingface.co/datasets/llm-lab/Emo3D",
    "rai:dataCollection": "Descriptions and intensities were generated with GPT-3.5, pictures with DALL-E 3.",
    "rai:machineAnnotationTools": ["GPT-3.5 (intensities)", f"MediaPipe FaceLandmarker (blendshapes), {_LANDMARKER}"],
    "rai:dataAnnotationAnalysis": ["People agreed with the emotion distributions in 81% of cases, as published."],
    "rai:dataCollectionMissingData": "blendshapes is null where no face was found in the picture.",
    "rai:dataBiases": [
        "MediaPipe hardly reads noseSneer, mouthFrown or cheekPuff; it reads mouthPucker where none is to be seen.",
        "Who is described and pictured is what two generative models chose; it has not been measured here.",
    ],
    "rai:dataLimitations": [
        "The blendshapes are readings of an instrument, not the weights that a rig needs.",
        "English only; eight emotion words; generated pictures, not photographs of people.",
    ],
    "rai:dataUseCases": ["Training and scoring generators of facial expressions for characters from text."],
    "rai:dataSocialImpact": "Not for judging what real people feel, nor for decisions about them.",
    "rai:personalSensitiveInformation": [
        "None known: the faces and texts are generated. Descriptions name age and sex."
    ],
}
_ABOUT_SAMPLE: dict[str, Any] = {
    "name": "Emo3D synthetic sample",
    "description": "Descriptions from a grammar, emotion intensities, rig weights and rendered pictures, in the shape "
    "of Emo3D's data. A stand-in for trying the path; no row of the published release is in it.",
    "creator": [{"@type": "sc:Organization", "name": "The authors of the package emo3d"}],
    "datePublished": "2026-11-22",
    "license": [_APACHE],
    "rai:dataCollection": "Made by a program: sentences from a grammar, expressions from facial action prototypes, "
    "pictures rendered of a head model.",
    "rai:dataBiases": ["One prototype set per emotion, from one school of research; eleven faces of one head model."],
    "rai:dataLimitations": ["A result on it is not a result on Emo3D."],
    "rai:dataUseCases": ["Trying the software without the release."],
    "rai:personalSensitiveInformation": ["None: no person is described or shown."],
}


def croissant(files: Sequence[ShardFile], url: str | None = None) -> dict[str, Any]:
    """Describe the Parquet files of a build of the release, of the synthetic sample, or of both.

    Args:
        files: as `write_dataset` hands them to `finish`. Nothing but their fields is looked at.
        url: page of the dataset; without it that of the release, and none for the sample.

    Returns:
        A JSON-LD document for `croissant.json` beside the folder `data`: a checksum per file, a file set and a record
        set per config, every column with its type. The same files give the same document.

    Raises:
        ValueError: no files.

    Example:
        >>> file = ShardFile("pairs", "test", "data/pairs/test-00000-of-00001.parquet", 3, 99, "ab", Tally())
        >>> [field["name"] for field in croissant([file])["recordSet"][0]["field"]][:3]
        ['split', 'sample_id', 'variant']
    """
    if not files:
        raise ValueError("expected at least one file to describe, got none")
    configs = list(dict.fromkeys(file.config for file in files))
    if configs == ["sample"]:
        about = _ABOUT_SAMPLE
    else:
        licences = [_MIT, _APACHE] if "sample" in configs else [_MIT]
        creators = [{"@type": "sc:Person", "name": name} for name in authors()]
        about = {**_ABOUT_RELEASE, "creator": creators, "license": licences}
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        **about,
        **({"url": url} if url else {}),
        "citeAs": citation(),
        "inLanguage": ["en"],
        "keywords": ["blendshapes", "ARKit", "facial expression", "emotion", "text-to-3D"],
        "version": str(Emo3D.VERSION),
        "distribution": [_file_object(file) for file in files] + [_file_set(config) for config in configs],
        "recordSet": [_record_set(config, [file for file in files if file.config == config]) for config in configs],
    }


def write_croissant(folder: str | os.PathLike[str], url: str | None = None) -> Path:
    """Write `croissant.json` for the Parquet files that lie in a folder, as `data/CONFIG/SPLIT*.parquet`.

    Raises:
        ValueError: no such files.
    """
    root = Path(folder)
    path = root / "croissant.json"
    files = [_found(root, file) for file in sorted(root.glob("data/*/*.parquet"))]
    for file in files:
        if file.config not in _CONFIGS or file.split not in SPLITS:
            expected = f"data/CONFIG/SPLIT*.parquet with a config of {', '.join(_CONFIGS)} and a split of"
            raise ValueError(f"expected {expected} {', '.join(SPLITS)}, got {file.path}")
    files.sort(key=lambda file: (file.config, SPLITS.index(file.split)))
    path.write_text(json.dumps(croissant(files, url), indent=2) + "\n", encoding="utf-8")
    return path


def _found(root: Path, path: Path) -> ShardFile:
    from huggingface_hub.utils.sha import sha_fileobj

    with path.open("rb") as file:
        digest = sha_fileobj(file).hex()
    try:
        with open_parquet(path) as opened:
            rows = opened.metadata.num_rows
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    split = path.stem.partition("-")[0]
    name = path.relative_to(root).as_posix()
    return ShardFile(path.parent.name, split, name, rows, path.stat().st_size, digest, Tally())


def _file_object(file: ShardFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path.rpartition("/")[2],
        "contentUrl": file.path,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file.sha256,
    }


def _file_set(config: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{config}-files",
        "name": f"{config}-files",
        "description": f"The Parquet files of the config {config}.",
        "encodingFormat": "application/x-parquet",
        "includes": f"data/{config}/*.parquet",
    }


def _record_set(config: str, files: Sequence[ShardFile]) -> dict[str, Any]:
    splits = list(dict.fromkeys(file.split for file in files))
    rows = {split: sum(file.rows for file in files if file.split == split) for split in splits}
    counted = ", ".join(f"{split} {count:,}" for split, count in rows.items())
    space = "weights" if config == "sample" else "reading"
    columns = {**_COLUMNS, "blendshapes": _SPACES[space] + ", ".join(BLENDSHAPES) + "."}
    # The split is read off the file's name. It refers to no record set of splits: mlcroissant would then join the two,
    # with all the pictures in memory, instead of reading file by file.
    split = {
        "dataType": ["sc:Text", "cr:Split"],
        "source": {
            "fileSet": {"@id": f"{config}-files"},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": rf"data/{config}/({'|'.join(splits)})[-.].*parquet"},
        },
    }
    fields = {"split": ("The split.", split)}
    for column in FEATURES[config].arrow_schema:
        fields[column.name] = (columns[column.name], _typed(column, config))
    return {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "description": f"{_CONFIGS[config]} Rows: {counted}.",
        "field": [
            {"@type": "cr:Field", "@id": f"{config}/{name}", "name": name, "description": description, **rest}
            for name, (description, rest) in fields.items()
        ],
    }


def _typed(column: pa.Field, config: str) -> dict[str, Any]:
    source: dict[str, Any] = {"fileSet": {"@id": f"{config}-files"}, "extract": {"column": column.name}}
    kind, shape = column.type, {}
    if pa.types.is_struct(kind):  # an image: its bytes and its name
        return {"dataType": "sc:ImageObject", "source": {**source, "transform": {"jsonPath": "bytes"}}}
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        length = kind.list_size if pa.types.is_fixed_size_list(kind) else -1
        kind, shape = kind.value_type, {"isArray": True, "arrayShape": str(length)}
    types = {pa.int64(): "cr:Int64", pa.float32(): "cr:Float32", pa.string(): "sc:Text"}
    return {"dataType": types[kind], **shape, "source": source}


__all__ = ["croissant", "write_croissant"]
