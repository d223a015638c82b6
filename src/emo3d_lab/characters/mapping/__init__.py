"""The map of a rig without ARKit names: what its morph targets do is measured, and ARKit's units are made of them."""

from emo3d_lab.characters.mapping.morphs import Morphs, read_basis, read_morphs
from emo3d_lab.characters.mapping.run import Measurement, make_combinations, make_map, measure

__all__ = ["Measurement", "Morphs", "make_combinations", "make_map", "measure", "read_basis", "read_morphs"]
