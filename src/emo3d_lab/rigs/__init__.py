"""Rigs and files: any glTF head with ARKit's morph targets becomes the arrays of a `FaceRig`, and a `FaceRig` a GLB."""

from emo3d_lab.rigs.writing import glb_bytes

__all__ = ["glb_bytes"]
