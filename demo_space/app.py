"""Type a feeling, see a face, take it with you: the demo Space of Emo3D."""

import os

# The page and its process ask no outside host. These are read on import, so they stand before any.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

from functools import lru_cache
from pathlib import Path
from uuid import uuid4

import gradio as gr
import numpy as np
from gradio.utils import get_upload_folder
from PIL import Image

from emo3d import BLENDSHAPES, EMOTIONS, load_generator
from emo3d.dataset import make_rows
from emo3d.face import IDENTITIES, FaceRig, RenderSettings, render
from emo3d.face.export import write_glb
from emo3d.face.spaces import name_calibration, rig_weights
from emo3d.scoring import QUICKSTART, Backbone, Bank, load_backbone, retrieved_distribution

GENERATOR = os.environ.get("EMO3D_GENERATOR", QUICKSTART)  # or a folder, or an id on the Hub
EXAMPLES = (
    "She just won the lottery",
    "An elderly man in deep despair",
    "utterly revolted by the smell",
    "Frightened, but trying to smile",
    "He raises an eyebrow, amused and a little contemptuous",
)
LONGEST = 2000  # characters; the encoder reads about the first 1,000
BANK_SIZE = 2000
NEAREST = 10
LEADING = 8  # blendshapes shown
PICTURE_SIZE = 512
FACE_HEIGHT = 330
KEPT_SECONDS = 3600

INTRODUCTION = """# Emo3D
Describe a feeling and see it on a face that you can turn, measure and take with you."""

ABOUT = """{parts} {space} The GLB holds Apple's 52 ARKit blendshapes by name and opens in Blender, Unity, Unreal and
three.js."""
QUICKSTART_PARTS = """The generator and the reader of the picture are Emo3D's *quickstart* parts: small, and trained on
a synthetic sample. They know situations and emotions; negation, irony and physical detail are beyond them."""
OTHER_PARTS = """The generator is `{generator}`. The reader of the picture is a *quickstart* part of Emo3D: small, and
trained on a synthetic sample."""
SPACES = {
    "weights": "The generator writes *weights* for a rig.",
    "reading": """The generator writes *readings*, what MediaPipe says of a face; the face, the GLB and the numbers
shown are the weights that it would read that way (calibration `{calibration}`).""",
}

THEME = gr.themes.Soft(
    primary_hue="indigo",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
)
CSS = """
.gradio-container {max-width: 1180px !important; margin: auto}
#page {display: grid; grid-template: "ask face" auto "choose face" 1fr / minmax(0, 2fr) minmax(0, 3fr)}
#ask {grid-area: ask} #face {grid-area: face} #choose {grid-area: choose}
#ask, #face, #choose {min-width: 0 !important}
@media (max-width: 760px) {#page {grid-template: "ask" "face" "choose" / minmax(0, 1fr)}}
"""  # on a phone the face comes right after the question

LOOK_AT_FACE = """(...inputs) => {
    if (innerWidth <= 760) document.getElementById("face").scrollIntoView({behavior: "smooth"});
    return inputs;
}"""


def generate(description: str, identity: str, strength: float) -> tuple[str, str, dict[str, float], dict[str, float]]:
    """Describe a feeling, get a face.

    Args:
        description: a sentence, in English.
        identity: whose face, a name of `emo3d.face.IDENTITIES`.
        strength: 0 for the neutral face, 1 for the expression as generated, up to 1.5 for more of it.

    Returns:
        The face as GLB and as PNG, the emotion distribution read off the picture, and the blendshapes as weights.
    """
    if not description.strip():
        raise gr.Error("Please describe a feeling first.", print_exception=False)
    if len(description) > LONGEST:
        raise gr.Error(f"Please use at most {LONGEST:,} characters.", print_exception=False)
    try:
        generator = load_generator(GENERATOR)
        rig = FaceRig.from_anny(identity)
        generated = generator.generate([description])
        # Before it is made stronger or weaker: a reading of 0 is no face at rest.
        weights = rig_weights(generated, generator.config.space, calibration=rig.calibration)
        expression = strengthen(weights[0], strength)
        emotions = read_emotions(expression, rig)
    except OSError as error:  # an encoder that is not to be had; the message says what to do
        raise gr.Error(str(error), print_exception=False) from error
    name = Path(get_upload_folder(), f"emo3d-face-{uuid4().hex}")  # not to be guessed by other visitors
    name.parent.mkdir(parents=True, exist_ok=True)
    glb, picture = name.with_suffix(".glb"), name.with_suffix(".png")
    write_glb(glb, expression, rig=rig, description=description)
    portrait = render(expression, rig=rig, settings=RenderSettings(size=PICTURE_SIZE))[0]
    Image.fromarray(portrait).save(picture)
    return str(glb), str(picture), emotions, dict(zip(BLENDSHAPES, expression.tolist(), strict=True))


def strengthen(expression: np.ndarray, strength: float) -> np.ndarray:
    """Scale weights (51,) so that they stay in 0..1 without clipping: 1 - (1 - weight) ** strength."""
    return (1 - (1 - expression) ** strength).astype(np.float32)


def read_emotions(expression: np.ndarray, rig: FaceRig) -> dict[str, float]:
    """What a picture of the face says to one who never saw the description: emotions of the nearest known ones."""
    backbone, bank = _backbone_and_bank()
    picture = render(expression, rig=rig, settings=RenderSettings(size=backbone.image_size))
    nearest = bank.nearest(backbone.encode_pictures(picture), NEAREST)
    (shown,) = retrieved_distribution(bank.intensities[nearest])
    return dict(zip(EMOTIONS, shown.tolist(), strict=True))


@lru_cache(maxsize=1)
def _backbone_and_bank() -> tuple[Backbone, Bank]:
    backbone = load_backbone(QUICKSTART)
    rows = make_rows("train", BANK_SIZE, seed=0)
    return backbone, Bank.encode([row.description for row in rows], [row.intensities for row in rows], backbone)


def about() -> str:
    """What stands below the face: which generator it is, and in which space it writes."""
    parts = QUICKSTART_PARTS if GENERATOR == QUICKSTART else OTHER_PARTS.format(generator=GENERATOR)
    space = load_generator(GENERATOR).config.space
    return ABOUT.format(parts=parts, space=SPACES[space].format(calibration=name_calibration(space)))


def build() -> gr.Blocks:
    """The page; `LOOK` goes to its `launch`."""
    with gr.Blocks(title="Emo3D", delete_cache=(KEPT_SECONDS, KEPT_SECONDS)) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row(elem_id="page"):
            with gr.Column(elem_id="ask"):
                description = gr.Textbox(
                    EXAMPLES[0], label="Description", placeholder="What does the face feel?", lines=2, autofocus=True
                )
                show = gr.Button("Show the face", variant="primary")
            with gr.Column(elem_id="face"):
                with gr.Row():
                    model = gr.Model3D(
                        label="Turn it",
                        interactive=False,
                        height=FACE_HEIGHT,
                        min_width=240,
                        camera_position=(90, 90, None),
                    )
                    picture = gr.Image(
                        label="Picture",
                        type="filepath",
                        format="png",
                        interactive=False,
                        height=FACE_HEIGHT,
                        min_width=240,
                        buttons=["fullscreen"],
                        alt_text="The generated face, seen from the front",
                    )
                with gr.Row():
                    take_glb = gr.DownloadButton("Take the GLB", interactive=False)
                    take_picture = gr.DownloadButton("Take the picture", interactive=False)
                with gr.Row():
                    emotions = gr.Label(label="Emotions read off the picture", show_heading=False, min_width=240)
                    blendshapes = gr.Label(
                        label="Leading blendshapes (weights)",
                        num_top_classes=LEADING,
                        show_heading=False,
                        min_width=240,
                    )
            with gr.Column(elem_id="choose"):
                examples = gr.Examples([[text] for text in EXAMPLES], [description], label="Or try one of these")
                with gr.Row():
                    identity = gr.Dropdown(list(IDENTITIES), value="adult", label="Identity", min_width=140)
                    strength = gr.Slider(0, 1.5, value=1, step=0.05, label="Strength", min_width=140)
        gr.Markdown(about())

        inputs, outputs = [description, identity, strength], [model, picture, emotions, blendshapes]
        asked = gr.on([show.click, description.submit], generate, inputs, outputs, api_name="generate", js=LOOK_AT_FACE)
        chosen = examples.load_input_event.then(generate, inputs, outputs, api_visibility="private", js=LOOK_AT_FACE)
        opened = page.load(generate, inputs, outputs, api_visibility="private")
        for event in (asked, chosen, opened):
            event.success(_downloads, [model, picture], [take_glb, take_picture], api_visibility="private", queue=False)
    return page


def _downloads(glb: str, picture: str) -> list[gr.DownloadButton]:
    return [gr.DownloadButton(value=path, interactive=True) for path in (glb, picture)]


LOOK = {"theme": THEME, "css": CSS}

if __name__ == "__main__":
    _backbone_and_bank()  # before the first visitor, not with him
    build().launch(**LOOK)
