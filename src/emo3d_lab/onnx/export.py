"""A generator as a folder that a browser, or `OnnxGenerator`, loads: graph, tokenizer, instructions, head, manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import emo3d
from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.calibration import load_calibration
from emo3d.generation.load import load_generator
from emo3d.hints import extra_named
from emo3d_lab.instructions.portable import write_table
from emo3d_lab.onnx.folder import check_model_folder, whole_folder, write_manifest
from emo3d_lab.rigs.small import small_glb_bytes

Precision = Literal["int8", "float32"]

_SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


def write_folder(
    generator: str | os.PathLike[str] = "quickstart",
    out: str | os.PathLike[str] = "face",
    *,
    precision: Precision = "int8",
    head: bool = False,
) -> dict[str, Any]:
    """Write a generator as a folder of files for other runtimes; see docs/web.md.

    Args:
        generator: what `load_generator` takes.
        out: a new or empty folder, or one that this function wrote.
        precision: of the weights of the graph.
        head: export the head alone, whose input are embeddings.

    Returns:
        The manifest, as it stands in `face.json`.

    Raises:
        ValueError: an unknown precision, a folder with other files, or a generator that cannot be exported; the message
            says what can.
        MissingExtraError: onnx is not installed.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"expected a precision of {' or '.join(get_args(Precision))}, got {precision!r}")
    out = check_model_folder(out)
    with extra_named():
        from emo3d_lab.onnx.graphs import OPSET, make_graph
        from emo3d_lab.onnx.parts import LICENCES, read_parts
        from emo3d_lab.onnx.quantization import quantize
    source = os.fspath(generator)
    parts = read_parts(load_generator(source), head)
    advice = f"its head alone can be exported, and takes embeddings of {parts.width} numbers: add --head"
    if parts.obstacle:
        raise ValueError(f"{parts.obstacle}; {advice}")
    tokenizer = None if parts.encoder is None else tokenizer_files(parts.encoder.tokenizer)
    try:
        graph = make_graph(parts)
    except ValueError as error:
        raise ValueError(f"{source}: {error}{'' if head else f'; {advice}'}") from error
    if precision == "int8":
        graph = quantize(graph)
    name = Path(source).name if Path(source).is_dir() else source
    licence = LICENCES.get(parts.encoder_name, f"see that of {Path(parts.encoder_name).name}")
    about = {
        "generator": name,
        "version": emo3d.__version__,
        "precision": precision,
        "opset": OPSET,
        "space": parts.space,
        "calibration": f"network/{load_calibration().name}" if parts.space == "reading" else None,
        "blendshapes": list(BLENDSHAPES),
        "input": "embeddings" if head else "tokens",
        "embeddingSize": parts.width,
        "maxLength": None if parts.encoder is None else parts.encoder.window,
        "takesStrength": parts.takes_strength,
        "readsInstructions": parts.reads_instructions,
        "encoder": Path(parts.encoder_name).name if Path(parts.encoder_name).is_dir() else parts.encoder_name,
        "licence": f"encoder: {licence}; head, instructions and 3D head: Apache-2.0",
    }
    with whole_folder(out) as folder:
        (folder / ("head.onnx" if head else "model.onnx")).write_bytes(graph.SerializeToString(deterministic=True))
        for file, content in (tokenizer or {}).items():
            (folder / file).write_text(content, encoding="utf-8")
        if parts.reads_instructions:
            write_table(folder / "instructions.json")
        if not head:
            (folder / "head.glb").write_bytes(small_glb_bytes())
        return write_manifest(folder, about)


def tokenizer_files(tokenizer: Any) -> Mapping[str, str]:
    """A tokenizer as the two files that `@huggingface/tokenizers` and `tokenizers` read, file name -> content.

    Raises:
        ValueError: a tokenizer that is Python code.
    """
    from tokenizers import Tokenizer

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(
            f"expected a tokenizer with a tokenizer.json, got {type(tokenizer).__name__}, which is Python code: "
            "export the head alone, with --head"
        )
    plain = Tokenizer.from_str(backend.to_str())
    plain.no_padding()
    plain.no_truncation()
    settings: dict[str, Any] = {
        name: str(token) for name in _SPECIAL if (token := getattr(tokenizer, name, None)) is not None
    }
    settings |= {"model_max_length": min(int(tokenizer.model_max_length), 2**31), "clean_up_tokenization_spaces": False}
    return {"tokenizer.json": plain.to_str(), "tokenizer_config.json": json.dumps(settings, indent=1) + "\n"}
