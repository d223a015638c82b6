"""Anybody's character: its file opened, driven by expressions, and written back whole."""

from emo3d_lab.characters.character import Character, CharacterMesh, as_character
from emo3d_lab.characters.file import EditedFile
from emo3d_lab.characters.maps import CharacterMap, read_map

__all__ = ["Character", "CharacterMap", "CharacterMesh", "EditedFile", "as_character", "read_map"]
