"""A calibration of an instrument on a rig: sample faces of known weights, render and read them, fit two networks."""
