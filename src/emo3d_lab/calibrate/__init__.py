"""Calibrating an instrument on a rig: faces of known weights are sampled, pictured, read, and two networks fitted."""
