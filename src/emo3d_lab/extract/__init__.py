"""Pictures with annotations -> a dataset of readings."""
