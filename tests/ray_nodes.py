"""A Ray cluster on loopback: a head that does no work, and two nodes of one CPU that can be killed."""

import os
from contextlib import contextmanager
from pathlib import Path

import pytest

LOOPBACK = "127.0.0.2"  # Ray takes 127.0.0.1 for the address of the network card


class Nodes:
    """What `nodes` gives: its address, and the power to kill."""

    def __init__(self, cluster):
        self._cluster = cluster
        self.address = cluster.address
        self._working = [self._add(), self._add()]

    def replace_one(self):
        """SIGKILL a node with all that runs on it, and start another."""
        self._cluster.remove_node(self._working.pop(0), allow_graceful=False)
        self._working.append(self._add())

    def _add(self):
        return self._cluster.add_node(num_cpus=1, node_ip_address=LOOPBACK)


@contextmanager
def nodes():
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("RAY_USAGE_STATS_ENABLED", "0")
        here = Path(__file__).parent  # where the functions of tests are found
        variables.setenv(
            "PYTHONPATH", os.pathsep.join([str(here), str(here / "lab"), os.environ.get("PYTHONPATH", "")])
        )
        from ray.cluster_utils import Cluster

        notice = {"health_check_period_ms": 500}  # a dead node after five; slow ones have ten seconds to answer
        head = {"num_cpus": 0, "include_dashboard": False, "node_ip_address": LOOPBACK, "_system_config": notice}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            yield Nodes(cluster)
        finally:
            cluster.shutdown()
