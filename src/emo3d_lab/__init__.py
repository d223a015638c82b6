"""The workshop of Emo3D: what makes its data, trains its models and examines its scores. It stands on `emo3d`."""
