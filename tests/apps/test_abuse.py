"""What strangers send: every answer is a message, and no file but one's own is ever read."""

import io
import json
import struct
import urllib.error
import urllib.request
import zlib
from uuid import uuid4

import pytest
from PIL import Image

from hanging import HANGS

gradio_client = pytest.importorskip("gradio_client", reason="the demo needs the extra [demo]")
httpx = pytest.importorskip("httpx")

SECRET = "nobody may read this"


@pytest.fixture
def untroubled(demo, demo_folder):
    """A test after which the server's log has no stack trace."""
    file = demo_folder / "log"
    before = len(file.read_text())
    yield
    assert "Traceback" not in file.read_text()[before:]


@pytest.fixture(scope="module")
def secret(demo_folder):
    """A file beside those that the server writes, in the folder in which it was started."""
    path = demo_folder / "secret.csv"
    path.write_text(f"description\n{SECRET}\n")
    return path


def call(client, demo, label, values):
    """Call what the page itself calls, which has no name: by the label of one of its inputs.

    Args:
        values: label of an input -> what is sent; the others get the page's own values.

    Returns:
        Whether it went well, and what came.
    """
    components = {one["id"]: one["props"] for one in client.config["components"]}
    function = next(
        one
        for one in client.config["dependencies"]
        if one["backend_fn"] and label in [components[id].get("label") for id in one["inputs"]]
    )
    data = [values.get(components[id].get("label"), components[id].get("value")) for id in function["inputs"]]
    session = uuid4().hex
    sent = {"fn_index": function["id"], "data": data, "session_hash": session}
    httpx.post(f"{demo}/gradio_api/queue/join", json=sent, timeout=HANGS).raise_for_status()
    address = f"{demo}/gradio_api/queue/data?session_hash={session}"
    with httpx.stream("GET", address, timeout=HANGS) as answer:
        for line in answer.iter_lines():
            message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
            if message.get("msg") == "process_completed":
                return message["success"], json.dumps(message["output"], ensure_ascii=False)
    pytest.fail("no answer came")


def file_data(path, **others):
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}, **others}


def upload(demo, content, name):
    return httpx.post(f"{demo}/gradio_api/upload", files={"files": (name, content)}, timeout=HANGS)


def show(client, demo, content, name="picture.png"):
    """What the tab Picture says to a file."""
    (path,) = upload(demo, content, name).json()
    return call(client, demo, "Photograph", {"Photograph": file_data(path)})


def png(width, height):
    """A PNG that is all one grey, and small whatever its size; written from the specification."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packed = zlib.compressobj(1)
    rows = b"".join(packed.compress(bytes(width + 1)) for _ in range(height)) + packed.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def gif(frames, size):
    pictures = [Image.new("L", size, number % 256) for number in range(frames)]
    file = io.BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:])
    return file.getvalue()


GIF_OF_64K = b"GIF89a" + struct.pack("<HH", 65535, 65535) + gif(1, (8, 8))[10:]
NO_PICTURE, NO_FACE, TOO_LARGE = "This file is no picture", "No face was found", "megapixels"
NOT_ON_THE_HUB = "on the Hub, as in namespace/name"


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (lambda: png(10_000, 5000), "large.png", TOO_LARGE),
        (lambda: png(8, 8)[:16] + struct.pack(">II", 60_000, 60_000) + png(8, 8)[24:], "bomb.png", NO_PICTURE),
        (lambda: gif(3000, (64, 64)), "frames.gif", NO_FACE),
        (lambda: GIF_OF_64K, "canvas.gif", TOO_LARGE),
        (lambda: b"", "empty.png", NO_PICTURE),
        (lambda: b"no picture", "text.png", NO_PICTURE),
        (
            lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>ran = true</script></svg>",
            "script.svg",
            NO_PICTURE,
        ),
        (lambda: b"%!PS\nshowpage\n", "post.eps", NO_PICTURE),
    ],
)
def test_pictures_that_are_none(client, demo, content, name, message, untroubled):
    went_well, said = show(client, demo, content(), name)
    assert not went_well
    assert message in said


def test_files_beyond_the_limit_are_refused(demo):
    assert upload(demo, bytes(21_000_000), "large.png").status_code == 413


@pytest.mark.parametrize("text", ["joy " * 2_500_000, "😀" * 2_500_000])
def test_ten_megabytes_of_text(client, text, untroubled):
    with pytest.raises(gradio_client.exceptions.AppError, match="at most 2,000 characters"):
        client.predict(text, api_name="/generate")


@pytest.mark.parametrize(
    "text", ["😀🎭", "<script>ran = true</script>", "\x00\x1b[31m", "‮evil", "%s {0} ${x}", "'; --"]
)
def test_odd_text_is_a_description(client, text):
    glb, *_ = client.predict(text, api_name="/generate")
    assert glb.endswith(".glb")


@pytest.mark.parametrize("model", ["/etc", "../model", "file:///etc/passwd", ".", "~/model", "a/../../b", "C:\\model"])
def test_models_that_are_paths(client, demo, model, untroubled):
    with pytest.raises(gradio_client.exceptions.AppError, match=NOT_ON_THE_HUB):
        client.predict("joy", model=model, api_name="/generate")
    went_well, said = call(client, demo, "Model", {"Model": model, "Description": "joy"})
    assert not went_well
    assert NOT_ON_THE_HUB in said


def paths_of(secret):
    """Ways to say which file of the machine one would like."""
    there = str(secret)
    return [
        there,
        f"file://{there}",
        f"../{secret.name}",
        f"{secret.parent}/cache/../{secret.name}",
        secret.name,
        "/etc/passwd",
        "file:///etc/passwd",
        "/proc/self/environ",
    ]


def test_paths_sent_as_uploads_are_refused(client, demo, secret):
    for path in paths_of(secret):
        for sent in (file_data(path), file_data("", url=path), file_data(path, url=path), path):
            for label in ("Photograph", "Predictions", "Character"):
                went_well, said = call(client, demo, label, {label: sent})
                assert not went_well, (label, sent)
                assert SECRET not in said
                assert "root:" not in said
    assert secret.read_text().endswith(f"{SECRET}\n")  # and nothing was deleted


def test_files_of_the_machine_are_not_served(demo, demo_folder, secret):
    client = gradio_client.Client(demo, download_files=False, verbose=False)
    own = client.predict("joy", api_name="/generate")[0]["path"]
    (demo_folder / "answers").mkdir(exist_ok=True)
    (demo_folder / "answers" / "answers-x.jsonl").touch()
    assert httpx.get(f"{demo}/gradio_api/file={own}").status_code == 200
    folder = demo_folder / "cache"
    for path in [
        *paths_of(secret),
        demo_folder / "answers" / "answers-x.jsonl",
        demo_folder / "log",
        folder,
        own + "/..",
    ]:
        with pytest.raises(urllib.error.HTTPError) as refused:  # urllib sends what it is given, dots and all
            urllib.request.urlopen(f"{demo}/gradio_api/file={path}", timeout=HANGS)
        assert refused.value.code in (403, 404), path


def test_names_of_uploads_stay_in_their_folder(demo, demo_folder):
    for name in ("../../evil.png", "/tmp/evil.png", "..%2f..%2fevil.png"):
        (path,) = upload(demo, b"x", name).json()
        assert path.startswith(str(demo_folder / "cache"))
        assert ".." not in path.split("/")


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(1)", "+1", "-1", '=HYPERLINK("http://x")'])
def test_tables_with_formulas(client, tmp_path, cell, untroubled):
    """As numbers they are refused; what answers say of them starts no formula."""
    from emo3d import BLENDSHAPES

    path = tmp_path / "predictions.csv"
    path.write_text(",".join(BLENDSHAPES) + "\n" + ",".join([json.dumps(cell).replace("\\", "")] * 51) + "\n")
    with pytest.raises(gradio_client.exceptions.AppError) as refused:
        client.predict(gradio_client.handle_file(str(path)), api_name="/score")
    assert str(tmp_path) not in str(refused.value)
    assert "show_error" not in str(refused.value)  # which is what Gradio says of a stack trace


def test_agents_send_no_paths(demo, secret):
    pytest.importorskip("mcp", reason="needs gradio[mcp]")
    import asyncio

    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def visit():
        async with (
            streamable_http_client(f"{demo}/gradio_api/mcp/") as (receive, send, _),
            ClientSession(receive, send) as session,
        ):
            await session.initialize()
            return [await session.call_tool("score_file", {"predictions": path}) for path in paths_of(secret)]

    for answer in asyncio.run(visit()):
        assert answer.isError
        assert SECRET not in str(answer.content)
        assert "root:" not in str(answer.content)
