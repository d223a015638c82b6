"""Make docs/avatars.jpg: `python tools/avatar_pictures.py`, with `make viewers` and Debian's chromium.

People of a few words each, as three-vrm draws them whole, and as TalkingHead shows its moods.
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from emo3d_lab.avatars.avatar import write_avatar
from emo3d_lab.avatars.people import read_person

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "tests"))
PEOPLE = {  # description: what the face of the second row shows
    "a tired old fisherman": "sad",
    "a young woman with red hair in a green shirt": "happy",
    "a fat middle-aged man in a white shirt": "angry",
    "a tall young African woman in a yellow shirt": "surprised",
    "a boy in a red shirt and blue trousers": "happy",
    "an old Asian woman with a bun in a purple shirt": "relaxed",
}
MOODS = {"a tired old fisherman": "angry", "a young woman with red hair in a green shirt": "happy"}
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def main() -> None:
    """Write the picture: people, their faces, and two of them in TalkingHead."""
    from avatar_pages import TALKING_HEAD, THREE_VRM
    from viewers import serving_files

    whole, faces, moods = [], [], []
    with tempfile.TemporaryDirectory() as name, serving_files(name) as address, sync_playwright() as playwright:
        folder = Path(name)
        (folder / "node_modules").symlink_to((ROOT / ".viewers" / "node_modules").resolve())
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        view = browser.new_page(viewport={"width": 700, "height": 900})

        def open_page(page: str) -> None:
            (folder / "page.html").write_text(page, encoding="utf-8")
            view.goto(f"{address}/page.html")
            view.wait_for_function("window.ready || window.failed", timeout=240_000)

        def picture() -> Image.Image:
            return Image.open(io.BytesIO(view.screenshot())).convert("RGB")

        for number, (description, expression) in enumerate(PEOPLE.items()):
            person = read_person(description)
            write_avatar(folder / f"{number}.vrm", person)
            open_page(THREE_VRM.replace("NAME", f"{number}.vrm"))
            view.evaluate("arms(1.2); draw(0.92, 4.4)")
            whole.append(picture().crop((170, 0, 530, 900)))
            view.evaluate(f"vrm.expressionManager.setValue('{expression}', 1); drawFace()")
            faces.append(picture().crop((100, 150, 600, 750)).resize((360, 432)))
            if description in MOODS:
                write_avatar(folder / f"{number}.glb", person)
                open_page(TALKING_HEAD.replace("NAME", f"{number}.glb"))
                view.evaluate(f"head.setMood('{MOODS[description]}'); head.setView('upper')")
                view.wait_for_timeout(9000)
                moods.append(picture())
        browser.close()
    sheet = Image.new("RGB", (360 * len(PEOPLE), 900 + 432), "white")
    for number, (body, face) in enumerate(zip(whole, faces, strict=True)):
        sheet.paste(body, (360 * number, 0))
        sheet.paste(face, (360 * number, 900))
    sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.LANCZOS).save(
        ROOT / "docs" / "avatars.jpg", quality=85
    )
    pair = Image.new("RGB", (1400, 900))
    for number, mood in enumerate(moods):
        pair.paste(mood, (700 * number, 0))
    pair.resize((700, 450), Image.Resampling.LANCZOS).save(ROOT / "docs" / "avatars-talking.jpg", quality=85)


if __name__ == "__main__":
    main()
