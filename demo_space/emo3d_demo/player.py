"""The player of clips: a face that moves, a slider of its time, and its beats as a strip whose boundaries one drags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from emo3d.loading import workshop_part
from emo3d_lab.apps.look import own_folder

if TYPE_CHECKING:
    from emo3d.clips import Clip
    from emo3d.face import FaceRig

CSS = """
.clip {display: flex; flex-direction: column; gap: 8px; color: var(--body-text-color)}
.clip-face {width: 100%; max-width: 384px; aspect-ratio: 1; margin: 0 auto; border-radius: 10px;
  background: var(--background-fill-secondary)}
.clip-controls {display: flex; flex-wrap: wrap; align-items: center; gap: 4px 10px; font-size: 13px}
.clip-controls input {flex: 1 1 110px; min-width: 0; accent-color: var(--color-accent)}
.clip-clock {white-space: nowrap; font-variant-numeric: tabular-nums}
.clip button {cursor: pointer; color: var(--button-secondary-text-color); font-size: 13px;
  background: var(--button-secondary-background-fill); border: 1px solid var(--border-color-primary)}
.clip-play, .clip-take {padding: 4px 12px; border-radius: 6px; font-weight: 500; min-width: 64px;
  flex: none}
.clip :focus-visible {outline: 2px solid var(--color-accent); outline-offset: 2px}
.clip-beats {position: relative; height: 44px; border-radius: 6px; touch-action: pan-y}
.clip-beats button {position: absolute; top: 0; bottom: 0; padding: 0; overflow: hidden;
  white-space: nowrap; text-align: left; container-type: inline-size; min-width: 0;
  background: var(--neutral-200); color: var(--neutral-900)}
.clip-beats button:nth-of-type(even) {background: var(--primary-200)}
.dark .clip-beats button {background: var(--neutral-700); color: var(--neutral-50)}
.dark .clip-beats button:nth-of-type(even) {background: var(--primary-800)}
.clip-beats span {display: block; padding: 0 14px 0 10px; overflow: hidden; text-overflow: ellipsis}
.clip-beats button span + span {display: none; padding: 0; text-align: center; font-size: 11px}
@container (max-width: 44px) {  /* the number of a short beat */
  .clip-beats button span {display: none}
  .clip-beats button span + span {display: block}
}
.clip-beats [role=slider] {position: absolute; top: -4px; bottom: -4px; width: 24px; padding: 0; z-index: 1;
  transform: translateX(-50%); cursor: ew-resize; touch-action: none; border-radius: 6px}
.clip-beats [role=slider]::after {content: ""; position: absolute; inset: 0 calc(50% - 3px); border-radius: 3px;
  background: var(--color-accent); border: 1px solid var(--background-fill-primary)}
.clip-head {position: absolute; top: 0; bottom: 0; width: 2px; margin-left: -1px; background: var(--body-text-color);
  pointer-events: none}
.clip-foot {display: flex; justify-content: space-between; align-items: start; gap: 10px}
.clip-words {margin: 0; min-height: 1.4em; max-height: 4.2em; overflow: auto; font-size: 14px; overflow-wrap: anywhere}
.clip-note {margin: 0; font-size: 14px}
.clip-note button {padding: 4px 12px; border-radius: 6px}
.clip button:disabled {cursor: default; opacity: 0.5}
.clip [hidden] {display: none}
"""

_TEMPLATE = """<div class="clip"><canvas class="clip-face" role="img" aria-label="LABEL"></canvas>
<div class="clip-controls"><button type="button" class="clip-play" aria-label="Play or pause: LABEL">Play</button>
<input type="range" class="clip-time" min="0" max="1" step="0.01" value="0" aria-label="Time: LABEL">
<span class="clip-clock"></span></div>
<div class="clip-beats" role="group" aria-label="Beats"></div>
<div class="clip-foot"><p class="clip-words"></p>TAKE</div>
<p class="clip-note" role="status" hidden></p></div>"""
_TAKE = '<button type="button" class="clip-take">Use this face</button>'
_START = """
const show = startPlayer(element, (name, data) => trigger(name, data));
const root = window.gradio_config?.root ?? location.origin;
const update = () => {
  if (!props.value) return;
  const value = JSON.parse(props.value);
  show({...value, sheet: `${root}/gradio_api/file=${value.sheet}`});
};
watch("value", update);
update();
"""


def clip_player(label: str, take: bool = False, **options: Any) -> gr.HTML:
    """The component; its values come from `player_value`.

    Its event `release` has the beats' `starts` (seconds) after a boundary was moved, `play` the `key` when all players
    of a group have their pictures, `select` the `time` whose face a visitor wants, for which there is a button with
    `take`.
    """
    script = Path(__file__).with_name("player.js").read_text(encoding="utf-8")
    template = _TEMPLATE.replace("LABEL", label).replace("TAKE", _TAKE if take else "")
    return gr.HTML(
        html_template=template, js_on_load=script + _START, apply_default_css=False, container=False, **options
    )


def player_value(
    clip: Clip,
    rig: FaceRig,
    key: str,
    *,
    least: float | None = None,
    refused: bool = False,
    group: str = "",
    together: int = 1,
) -> str:
    """What a player shows.

    Args:
        clip: its frames become pictures in a file that the page may serve.
        rig: whose face.
        key: a clip with the same one goes on where the last one stood, another one starts.
        least: seconds of a beat whose boundaries are moved; None is that they may not be.
        refused: whether boundaries that were moved go back to those of the clip.
        group: players of one group play together.
        together: players of the group that must be there before they start.
    """
    sprite = workshop_part("clips").make_sprite(clip, rig)
    path = own_folder() / "clip.jpeg"
    path.write_bytes(sprite.jpeg)
    beats = [{"description": beat.description, "start": beat.start, "end": beat.end} for beat in clip.beats]
    numbers = {name: getattr(sprite, name) for name in ("side", "columns", "count", "rate")}
    more = {"least": least, "refused": refused, "group": group, "together": together, "key": key}
    return json.dumps({"sheet": str(path), "duration": clip.duration, "beats": beats, **numbers, **more})
