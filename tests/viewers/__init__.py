"""Pages on which other people's viewers show our files: served from a folder, with npm's packages at hand."""

import functools
import http.server
import threading
from contextlib import contextmanager

# Bare names of modules, as npm packages import one another; a page starts with it.
IMPORTS = """<script type="importmap">{"imports": {
"three": "./node_modules/three/build/three.module.js",
"three/addons/": "./node_modules/three/examples/jsm/",
"@pixiv/three-vrm": "./node_modules/@pixiv/three-vrm/lib/three-vrm.module.js",
"@pixiv/three-vrm-animation": "./node_modules/@pixiv/three-vrm-animation/lib/three-vrm-animation.module.js",
"talkinghead": "./node_modules/@met4citizen/talkinghead/modules/talkinghead.mjs"
}}</script>"""


class _Files(http.server.SimpleHTTPRequestHandler):
    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

    def log_message(self, *_):
        pass


@contextmanager
def serving_files(folder):
    """Serve a folder on loopback; gives its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Files, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
