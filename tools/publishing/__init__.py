"""Publishing: what is wrong with this machine, what goes to the Hub, and a release from its version to its Spaces."""

from publishing.plan import PARTS, Artifact, plan
from publishing.publish import Change, PublishError, publish

__all__ = ["PARTS", "Artifact", "Change", "PublishError", "plan", "publish"]
