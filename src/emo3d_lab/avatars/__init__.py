"""Avatars: a person with a body, clothes and a skeleton, whose face has all shapes that viewers ask for."""
