"""Emotion readers: strangers that say which emotion a face shows. They measure; nothing is trained on them."""

from emo3d_lab.readers.base import EmotionReader as EmotionReader
from emo3d_lab.readers.face_api import FaceApiReader as FaceApiReader
from emo3d_lab.readers.judging import known_shares as known_shares
from emo3d_lab.readers.judging import read_faces as read_faces
from emo3d_lab.readers.judging import with_readers as with_readers
from emo3d_lab.readers.load import load_reader as load_reader
from emo3d_lab.readers.load import load_readers as load_readers
from emo3d_lab.readers.rendered import read_expressions as read_expressions
from emo3d_lab.readers.table import KNOWN_READERS as KNOWN_READERS
