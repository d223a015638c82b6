"""Emotion readers: strangers that say which emotion a face shows. They measure; nothing is trained on them."""

from emo3d.scoring.readers import known_shares as known_shares
from emo3d_lab.readers.base import EmotionReader as EmotionReader
from emo3d_lab.readers.face_api import FaceApiReader as FaceApiReader
from emo3d_lab.readers.load import load_reader as load_reader
from emo3d_lab.readers.rendered import read_expressions as read_expressions
