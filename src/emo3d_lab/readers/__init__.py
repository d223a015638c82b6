"""Emotion readers: strangers that say which emotion a face shows. They measure; nothing is trained on them."""

from emo3d_lab.readers.face_api import FaceApiReader as FaceApiReader
