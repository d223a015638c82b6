"""`transformers.pipeline("text-to-expression", model=...)`, for generators of every kind."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from transformers import Pipeline
from transformers.image_transforms import to_pil_image
from transformers.pipelines.pt_utils import PipelineDataset, PipelineIterator

from emo3d.blendshapes import Space, as_dicts
from emo3d.encoders import check_descriptions
from emo3d.loading import workshop_part

logger = logging.getLogger(__name__)

TASK = "text-to-expression"

_INPUTS = ("descriptions", "pictures", "batch_size")  # of `generate`, which the pipeline itself gives
_FACE_OPTIONS = ("return_picture", "return_glb", "identity", "character")


class ExpressionPipeline(Pipeline):
    """Descriptions or pictures -> the 51 scores by name, and the face that they make.

    Its model is one of this package's generators, which also tokenises and reads pictures. `import emo3d.generation`
    registers the task.

    Example:
        >>> from transformers import pipeline
        >>> from emo3d import load_generator
        >>> face = pipeline(TASK, model=load_generator())("She cannot stop laughing")
        >>> len(face["scores"]), face["space"]
        (51, 'weights')
    """

    model: Any
    _load_tokenizer: Any = False
    _load_image_processor: Any = False
    _load_video_processor: Any = False
    _load_feature_extractor: Any = False
    _load_processor: Any = False

    def __call__(self, inputs: Any, *args: Any, **options: Any) -> Any:
        """Generate.

        Args:
            inputs: a description (str), or, for a generator that starts from CLIP, a picture: a `Path`, an RGB PIL
                image or an array (H, W, 3) uint8. Or a list, a dataset or an iterator of one of the two.
            options: what the model's `generate` takes; `batch_size` and `num_workers` as everywhere; `return_picture`,
                for a rendered face (PIL), `return_glb`, for the bytes of a GLB file, and `identity`, whose face those
                show, a name of `emo3d.face.IDENTITIES` ("adult"). Or `character`, your own, a file or an
                `emo3d.Character`: then the GLB is its whole file.

        Returns:
            For each input `{"scores": {blendshape: 0..1, 51 of them}, "space": ...}`, and `"picture"` and `"glb"` where
            asked for; a list of them for several samples. A list has a list as its answer, a dataset an iterator.

        Raises:
            ValueError: an unknown option, no inputs, a bad one, or a picture for a generator that starts from text.
        """
        if isinstance(inputs, (list, tuple)):
            is_text = not inputs or any(isinstance(entry, str) for entry in inputs)
            inputs = check_descriptions(inputs) if is_text else list(inputs)  # here a message can tell the row
        if isinstance(inputs, Iterator):
            inputs = (entry for entry in inputs)  # of iterators, transformers knows generators only
        return super().__call__(inputs, *args, **options)

    def _sanitize_parameters(self, **options: Any) -> tuple[dict, dict, dict]:
        face_options = {name: options.pop(name) for name in _FACE_OPTIONS if name in options}
        if (character := face_options.get("character")) is not None:  # opened once for all inputs
            open_ = workshop_part("characters").as_character
            face_options["character"] = open_(character, face_options.get("identity"))
        names = [name for name in inspect.signature(self.model.generate).parameters if name not in _INPUTS]
        for name in options:
            if name not in names:
                expected = ", ".join([*names, *_FACE_OPTIONS])
                raise ValueError(f"expected options of {expected} with {type(self.model).__name__}, got {name}")
        return {}, options, face_options | {name: options[name] for name in ("space",) if name in options}

    def preprocess(self, input_: Any, **_: Any) -> dict[str, Any]:
        """One input as a batch, under the argument of `generate` that takes it."""
        if isinstance(input_, str):
            return {"descriptions": check_descriptions([input_])}
        if "pictures" not in inspect.signature(self.model.generate).parameters:
            got = type(input_).__name__
            raise ValueError(f"expected a description for {type(self.model).__name__}, got something of type {got}")
        return {"pictures": [input_]}

    def _forward(self, input_tensors: dict[str, Any], **options: Any) -> Any:
        (batch,) = input_tensors.values()
        expressions = self.model.generate(**input_tensors, batch_size=len(batch), **options)
        return {"expressions": torch.from_numpy(expressions)}

    def postprocess(self, model_outputs: Any, **face_options: Any) -> Any:
        """The answer for one input; see `__call__`."""
        space: Space = face_options.pop("space", None) or self.model.config.space
        expressions = model_outputs["expressions"][0].numpy()
        answers: list[dict[str, Any]] = [{"scores": scores, "space": space} for scores in as_dicts(expressions)]
        if face_options.get("return_picture") or face_options.get("return_glb"):
            faces = _faces(expressions.reshape(-1, expressions.shape[-1]), space, **face_options)
            answers = [answer | face for answer, face in zip(answers, faces, strict=True)]
        return answers[0] if expressions.ndim == 1 else answers

    def get_iterator(self, inputs: Any, num_workers: int, batch_size: int, *parameters: dict) -> PipelineIterator:
        """Work through inputs in batches; transformers' own way joins nothing but what a tokenizer can pad."""
        preprocess, forward, postprocess = parameters  # of these three steps
        kind = PipelineDataset if hasattr(inputs, "__len__") else PipelineIterator
        if kind is PipelineIterator and num_workers:
            logger.warning("an iterator cannot be shared by workers: it is read without, num_workers=0")
            num_workers = 0  # each of several would go through all of it
        rows = kind(inputs, self.preprocess, preprocess)
        batches = DataLoader(rows, batch_size=batch_size, num_workers=num_workers, collate_fn=_join)
        outputs = PipelineIterator(batches, self.forward, forward, loader_batch_size=batch_size)
        return PipelineIterator(outputs, self.postprocess, postprocess)

    def save_pretrained(self, save_directory: Any, **kwargs: Any) -> None:
        """Save the model, whose folder has all that the pipeline needs."""
        self.model.save_pretrained(save_directory, **kwargs)


def _join(batches: Sequence[dict[str, list]]) -> dict[str, list]:
    kinds = {kind for batch in batches for kind in batch}
    if len(kinds) > 1:
        raise ValueError("expected descriptions or pictures in a batch, got both")
    return {kind: [entry for batch in batches for entry in batch[kind]] for kind in kinds}


def _faces(
    expressions: np.ndarray,
    space: Space,
    identity: str = "adult",
    return_picture: bool = False,
    return_glb: bool = False,
    character: Any = None,
) -> list[dict[str, Any]]:
    """What is asked for of expressions (N, 51): a dict each."""
    from emo3d.face import FaceRig, render

    rig = character.rig if character else FaceRig.from_anny(identity)
    faces: list[dict[str, Any]] = [{} for _ in expressions]
    if return_picture:
        for face, pixels in zip(faces, render(expressions, space=space, rig=rig), strict=True):
            face["picture"] = to_pil_image(pixels)
    if return_glb:
        write = workshop_part("rigs").glb_bytes
        for face, expression in zip(faces, expressions, strict=True):
            whole = character.glb_bytes(expression, space=space) if character else None
            face["glb"] = whole or write(expression, rig=rig, space=space)
    return faces
