"""Calibrating an instrument on a rig: faces of known weights are sampled, rendered and read, and two networks fitted."""
