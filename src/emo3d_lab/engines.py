"""Where calls are made: processes of this machine, or a Ray cluster, by Ray Data."""

from __future__ import annotations

import logging
import multiprocessing
import os
import pickle
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, TypeVar
from urllib.parse import urlsplit

import emo3d

T = TypeVar("T")

ENGINES: tuple[str, ...] = ("processes", "ray")

_TIMEOUT = 5  # seconds for a port to answer
_SETTINGS = b"\4"  # RFC 9113: type of the frame that either side of HTTP/2, and so of gRPC, begins with
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + bytes(5)
_VARIABLES = ("HF_", "EMO3D_")  # of the Hub's libraries and ours, which workers get


class ClusterUnavailableError(OSError):
    """Ray is not installed, no cluster answers, or it has no place for the work; the message says which."""


def choose_engine(
    engine: str, *, num_proc: int = 1, address: str | None = None, device: str = "cpu"
) -> ProcessPool | Ray:
    """Make an engine by its name; see `ProcessPool` and `Ray`.

    Raises:
        ValueError: an engine not of `ENGINES`, or an address for one that has none.
    """
    if engine not in ENGINES:
        raise ValueError(f"expected an engine of {', '.join(ENGINES)}, got {engine!r}")
    if engine == "ray":
        return Ray(num_proc, address, device)
    if address:
        raise ValueError(f"expected no address with the engine {engine}, got {address!r}; it is for ray")
    return ProcessPool(num_proc)


@dataclass(frozen=True)
class ProcessPool:
    """Processes of this machine, which end when this one does.

    Attributes:
        num_proc: processes; with one of them or one call, functions are called here.
    """

    num_proc: int = 1

    def run(self, function: Callable[..., T], calls: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, T]]:
        """Call a function once for each tuple of arguments.

        Args:
            function: of a module, so that other processes find it.
            calls: arguments, which are pickled.

        Yields:
            Place in `calls` and the result, in the order in which they finish; an error ends all.
        """
        if self.num_proc <= 1 or len(calls) <= 1:
            for place, arguments in enumerate(calls):
                yield place, function(*arguments)
            return
        before = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(
            min(self.num_proc, len(calls)),
            mp_context=multiprocessing.get_context("spawn"),  # forking a process that has threads can hang
            initializer=_end_with_parent,
        )
        try:
            futures = {pool.submit(function, *arguments): place for place, arguments in enumerate(calls)}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            for worker in set(multiprocessing.active_children()) - before:
                worker.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """End this worker when its parent has ended, even by SIGKILL."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@dataclass(frozen=True)
class Ray:
    """A process for each CPU or GPU of a Ray cluster.

    The processes get this one's variables `HF_*` and `EMO3D_*`; every node needs this package in this version.

    Attributes:
        num_proc: processes of a Ray that is started here; one per processor when None.
        address: of a running cluster of which this machine is a node: `"auto"`, or `"host:port"` of its head. None
            starts Ray on this machine, without dashboard, and stops it at the end. Where this process is connected to a
            cluster already, that one is used, and stays connected.
        device: `"cpu"`, or `"cuda"` for a process per GPU, each with its share of its machine's CPUs.
    """

    num_proc: int | None = None
    address: str | None = None
    device: str = "cpu"

    def run(self, function: Callable[..., T], calls: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, T]]:
        """Call a function once for each tuple of arguments, as `ProcessPool.run` does.

        A call that is lost with its process or machine is made again elsewhere, so it must be one that may be made
        twice.

        Raises:
            ClusterUnavailableError: no Ray, no cluster at the address, none with a CPU or GPU, or one that broke down.
            ValueError: another device; or what the function raised.
            OSError: what the function raised, or a node without this package; the message names the node.
        """
        if self.device not in ("cpu", "cuda"):
            raise ValueError(
                f"expected a device of cpu or cuda on Ray, which chooses among GPUs itself, got {self.device!r}"
            )
        if not calls:
            return
        ray = _import_ray()
        items = [{"place": place, "call": pickle.dumps((function, call))} for place, call in enumerate(calls)]
        with _connection(self.num_proc, self.address):
            slots, resources = _slots(self.device)
            dataset = ray.data.from_items(items, override_num_blocks=len(items)).map(
                _caller(),
                # One call at a time for each: those that wait in a queue would wait there while another process idles.
                compute=ray.data.ActorPoolStrategy(size=min(slots, len(calls)), max_tasks_in_flight_per_actor=1),
                **resources,
            )
            dataset.context.enable_progress_bars = False
            try:
                for row in dataset.iter_rows():
                    outcome = pickle.loads(row["outcome"])  # from our own processes
                    if isinstance(outcome, Exception):
                        raise outcome
                    yield row["place"], outcome
            except ray.exceptions.RayError as error:
                raise ClusterUnavailableError(f"the Ray cluster broke down: {str(error).splitlines()[0]}") from error


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "3")  # to reach a cluster: half a minute, instead of four
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ClusterUnavailableError('the engine ray needs Ray: install it with `pip install "emo3d[ray]"`') from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


@contextmanager
def _connection(num_proc: int | None, address: str | None) -> Iterator[None]:
    import ray

    if ray.is_initialized():
        yield
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address:
            _reach(address)
        else:
            quiet |= {"num_cpus": num_proc, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        with _without_stderr():
            ray.init(address or "local", **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        where = f"a running Ray cluster at {address}" if address else "Ray to start on this machine"
        raise ClusterUnavailableError(f"expected {where}: {str(error).splitlines()[0]}") from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Silence Ray's C++, which writes to standard error whatever its settings."""
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _reach(address: str) -> None:
    """Raise an OSError where no gRPC server answers at a host and port; Ray itself tries for minutes, then aborts."""
    if address.startswith("ray://"):
        raise OSError("Ray Data takes no ray://; run this on a node, or send it to one with `ray job submit`")
    at = urlsplit(f"//{address}")
    if at.hostname and at.port:
        with socket.create_connection((at.hostname, at.port), timeout=_TIMEOUT) as connection:
            connection.sendall(_HELLO)
            if connection.recv(4)[3:] != _SETTINGS:
                raise OSError("what answers there is another server")


def _slots(device: str) -> tuple[int, dict[str, int]]:
    """How many processes the cluster has room for, and the resources of each."""
    import ray

    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    nodes = [(int(node.get("CPU", 0)), int(node.get("GPU", 0))) for node in resources]
    if device == "cpu":
        slots, share = sum(cpus for cpus, _ in nodes), {"num_cpus": 1}
    else:
        machines = [(cpus, gpus) for cpus, gpus in nodes if cpus and gpus]
        slots = sum(gpus for _, gpus in machines)
        share = {"num_gpus": 1, "num_cpus": max(1, min((cpus // gpus for cpus, gpus in machines), default=1))}
    if not slots:
        processor = "CPU" if device == "cpu" else "GPU (and CPU beside it)"
        raise ClusterUnavailableError(
            f"expected a Ray cluster with a {processor} for the device {device}, its {len(nodes)} nodes have none"
        )
    return slots, share


def _caller() -> type:
    """A class of which Ray sends the code, since it is local: so that a node without this package can report it."""
    version = emo3d.__version__
    environment = {name: value for name, value in os.environ.items() if name.startswith(_VARIABLES)}

    class Caller:
        def __init__(self) -> None:
            os.environ.update(environment)  # not in Ray's runtime_env, which dashboards show, tokens and all

        def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
            import ray

            node = f"node {socket.gethostname()} ({ray.util.get_node_ip_address()})"
            outcome: Any
            try:
                import emo3d

                if emo3d.__version__ != version:
                    raise ImportError(f"it has {emo3d.__version__}")
                function, arguments = pickle.loads(row["call"])
                outcome = function(*arguments)
            except ImportError as error:
                outcome = OSError(f"expected emo3d {version} on {node}: {error}; install it there")
            except ValueError as error:
                outcome = error
            except OSError as error:
                outcome = OSError(f"{node}: {error}; files and models must be there as they are here")
            except Exception:  # a bug; with its traceback, since the node's is lost on the way
                outcome = RuntimeError(f"on {node}: {traceback.format_exc()}")
            return {"place": row["place"], "outcome": pickle.dumps(outcome)}

    return Caller
