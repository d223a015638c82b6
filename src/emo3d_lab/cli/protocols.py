"""`--protocol`: one name in place of the settings of a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from emo3d.cli.app import console

if TYPE_CHECKING:
    from emo3d.scoring import ScoreSettings
    from emo3d.scoring.protocols import Protocol
    from emo3d_lab.readers import EmotionReader


def _list_protocols(name: str | None) -> str | None:
    if name != "list":
        return name
    from emo3d.scoring.protocols import PROTOCOLS

    for protocol in PROTOCOLS.values():
        console.print(f"[bold]{protocol.name}[/], by emo3d {protocol.version}", highlight=False)
        for label, value in describe(protocol).items():
            console.print(f"  {label}: {escape(value)}", highlight=False, soft_wrap=True)
    raise typer.Exit


ProtocolName = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        callback=_list_protocols,
        is_eager=True,
        help="Frozen settings that papers cite: emo3d-2026, or emo3d-2026-quickstart (offline); list shows them.",
    ),
]


def describe(protocol: Protocol) -> dict[str, str]:
    """What a protocol holds, by name."""
    settings, bank = protocol.settings, "the references"
    _, _, calibration = protocol.parts
    names = ("variant", "k", "epsilon", "divisor", "backbone", "revision", "dtype")
    values = {("alpha" if name == "divisor" else name): str(getattr(settings, name)) for name in names}
    values |= {"bank": bank, "faces": f"the {settings.identities} of {protocol.parts[1]}"}
    values |= {"render": str(settings.render), "calibration": f"{calibration}, of readings"}
    interval = f"{settings.confidence:.0%}, {settings.n_bootstrap} resamples, seed {settings.seed}"
    readers = "; ".join(protocol.readers.values()) or "none"
    return values | {"interval": interval, "readers": readers}


def apply_protocol(
    ctx: typer.Context, name: str | None, settings: ScoreSettings, names: Mapping[str, str] | None = None
) -> ScoreSettings:
    """The settings of a protocol, in the space of others; those others where no protocol is asked for.

    Args:
        ctx: of the command; its options that are settings may be given, if they say what the protocol says.
        names: settings whose options are called otherwise: option -> setting.

    Raises:
        ValueError: an unknown protocol, one that this version cannot compute, or an option that contradicts it.
    """
    if name is None:
        return settings
    from dataclasses import replace

    from emo3d.scoring import load_protocol

    own = load_protocol(name).settings
    for option, value in ctx.params.items():
        source: Any = ctx.get_parameter_source(option)
        field = (names or {}).get(option, option)
        if source is None or source.name == "DEFAULT" or option == "space":
            continue
        flag = "--" + option.replace("_", "-")
        if option in ("bank", "index"):
            raise ValueError(f"{flag} {value} with --protocol {name}, whose bank is the references")
        if option == "character":
            raise ValueError(f"{flag} {value} with --protocol {name}, whose faces are the panel's")
        if field in type(settings).__dataclass_fields__ and field not in {"space", "bank"}:
            expected = own.divisor if field == "alpha" else getattr(own, field)
            if value != expected:
                raise ValueError(f"{flag} {value} with --protocol {name}, whose {field} is {expected}")
    return replace(own, space=settings.space)


def protocol_readers(name: str | None, readers: str | None) -> str | None:
    """Names of the readers to ask: those of `--readers`, which may be "" for none, else those of the protocol."""
    if name is None or readers is not None:
        return readers
    from emo3d.scoring import load_protocol

    return ",".join(load_protocol(name).readers)


def check_readers(name: str | None, readers: Sequence[EmotionReader]) -> None:
    """Raise a ValueError where a reader is one of the protocol, and not as the protocol has it."""
    from emo3d.scoring import load_protocol

    pinned = load_protocol(name).readers if name else {}
    for reader in readers:
        signature = pinned.get(reader.name, reader.signature)
        if not signature.startswith(reader.signature):
            raise ValueError(f"expected {signature} with --protocol {name}, got {reader.signature}")
