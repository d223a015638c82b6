"""Publishing: what is wrong with this machine, what goes to the Hub, and a release from its version to its Spaces."""
