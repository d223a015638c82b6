"""Takes: weights over time from captures, onto any character and into files of other programs."""
