"""Rigs from files: any glTF head with ARKit's morph targets becomes the arrays of a `FaceRig`."""

from emo3d_lab.rigs.glb import read_glb

__all__ = ["read_glb"]
