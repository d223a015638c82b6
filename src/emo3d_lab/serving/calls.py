"""The tools as plain calls, for a page that has a queue of its own: input checked, and answered, as by the server."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from emo3d.loading import loaded_once
from emo3d_lab.serving.checks import check_input
from emo3d_lab.serving.faces import Generation, Wish, act, score_faces
from emo3d_lab.serving.tools import TOOLS, Schema


def call(name: str, request: dict[str, Any], open_generator: Callable[[], Any]) -> dict[str, Any]:
    """Answer `express`, `act` or `score`; see `TOOLS` for what goes in and comes out.

    Args:
        name: of the tool.
        request: its input; what is None counts as left out.
        open_generator: gives the generator, always the same one.

    Raises:
        ValueError: not as the tool's schema says, or what the generator, the actor or the score refuses.
    """
    request = check_input(TOOLS[name], request)
    if name == "score":
        return score_faces(request)
    generation = _generation(open_generator)
    if name == "express":
        wish = generation.check(Wish(request["text"], float(request["strength"]), int(request["seed"])))
        return generation.answer([wish])[0].to_dict() | {"space": "weights"}
    return act(generation.generate, request)


def describe(function: Callable[..., Any]) -> list[Schema]:
    """Give a function that is called as a tool the tool's descriptions as its docstring.

    Returns:
        JSON schemas of its parameters, which are fields of the tool, as Gradio reads them.
    """
    tool = TOOLS[function.__name__]
    fields = {name: tool.fields[name] for name in inspect.signature(function).parameters}
    lines = [f"    {name}: {schema.get('description', '')}" for name, schema in fields.items()]
    answer = ", ".join(name for name in tool.answer or {} if name != "faces" or "texts" in fields)
    function.__doc__ = "\n".join([tool.description, "", "Args:", *lines, "", "Returns:", f"    JSON with {answer}."])
    return [_open(schema) for schema in fields.values()]


def _open(schema: Any) -> Any:
    """A schema without `additionalProperties: false`, which Gradio's client cannot read."""
    if isinstance(schema, dict):
        return {
            name: _open(value) for name, value in schema.items() if (name, value) != ("additionalProperties", False)
        }
    return [_open(entry) for entry in schema] if isinstance(schema, list) else schema


@loaded_once(maxsize=1)
def _generation(open_generator: Callable[[], Any]) -> Generation:
    return Generation(open_generator())
