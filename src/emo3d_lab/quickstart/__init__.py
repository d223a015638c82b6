"""The whole path in one run, and the training of the packaged parts."""
