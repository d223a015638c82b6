"""Avatars: a person with a body, clothes and a skeleton, whose face has all shapes that viewers ask for."""

from emo3d_lab.avatars.avatar import write_avatar
from emo3d_lab.avatars.people import Person, named_person, read_person

__all__ = ["Person", "named_person", "read_person", "write_avatar"]
