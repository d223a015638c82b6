from dataclasses import replace
from hashlib import sha256

import pytest

from emo3d import __version__
from emo3d.backbones import dual
from emo3d.scoring import ScoreSettings, load_protocol, protocols
from emo3d.scoring.protocols import PROTOCOLS

REFERENCES = "c39bce621357"


def signed(protocol, **changes):
    settings = replace(protocol.settings, bank=REFERENCES, **changes)
    calibration = protocol.parts[2] if settings.space == "reading" else None
    return settings.sign(calibration=calibration)


@pytest.mark.parametrize(
    ("name", "digest"), [("emo3d-2026", "3204ce7a4d9d916a"), ("emo3d-2026-quickstart", "d536c2938801f4cb")]
)
def test_what_a_protocol_holds_is_frozen(name, digest):
    """By hand: papers cite these names, so what they hold never changes."""
    protocol = PROTOCOLS[name]
    signature = protocol.settings.signature.rpartition("|version:")[0]
    content = [protocol.name, signature, *protocol.readers, *protocol.readers.values(), *protocol.parts]
    assert sha256("\n".join(content).encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize("space", ["weights", "reading"])
def test_a_result_of_these_settings_has_the_name(space):
    protocol = load_protocol("emo3d-2026-quickstart")
    assert protocol.holds(signed(protocol, space=space), REFERENCES, {})
    assert not PROTOCOLS["emo3d-2026"].holds(signed(protocol, space=space), REFERENCES, {})


@pytest.mark.parametrize(
    "changes",
    [
        {"k": 5},
        {"variant": "release"},
        {"epsilon": 0.1},
        {"alpha": 2.0},
        {"backbone": "other/clip"},
        {"revision": "0123456789ab"},
        {"dtype": "bfloat16"},
        {"identities": 11},
        {"identities": 1},
        {"render": replace(PROTOCOLS["emo3d-2026"].settings.render, yaw=5.0)},
        {"n_bootstrap": 100},
        {"confidence": 0.9},
        {"seed": 1},
    ],
)
def test_any_other_setting_takes_the_name_away(changes):
    protocol = PROTOCOLS["emo3d-2026-quickstart"]
    assert not protocol.holds(signed(protocol, **changes), REFERENCES, {})


def test_other_banks_calibrations_and_readers_take_the_name_away():
    protocol = PROTOCOLS["emo3d-2026"]
    assert not protocol.holds(signed(protocol), "0123456789ab", {})
    readings = replace(protocol.settings, bank=REFERENCES, space="reading")
    assert not protocol.holds(readings.sign(calibration="none"), REFERENCES, {})
    assert protocol.holds(signed(protocol), REFERENCES, dict(protocol.readers))
    assert protocol.holds(signed(protocol), REFERENCES, {"another": "of one's own"})
    assert not protocol.holds(signed(protocol), REFERENCES, {"face-api": "face-api:0123456789ab"})


def test_pictures_have_no_protocol():
    signature = signed(PROTOCOLS["emo3d-2026"]).replace("space:weights", "space:-")
    assert not PROTOCOLS["emo3d-2026"].holds(signature, REFERENCES, {})


def test_unknown_names():
    with pytest.raises(ValueError, match="emo3d-2026-quickstart, got 'emo3d-2025'; did you mean 'emo3d-2026'"):
        load_protocol("emo3d-2025")


def test_another_renderer_refuses_it(monkeypatch):
    class Later(ScoreSettings):
        name = "portrait-9"

    monkeypatch.setattr(protocols, "RenderSettings", Later)
    wrong = f"emo3d-2026 has portrait-3, and emo3d {__version__} has portrait-9 in its place; emo3d 0.1.0 can: pip"
    with pytest.raises(ValueError, match=wrong):
        load_protocol("emo3d-2026")


def test_another_minilm_is_signed(monkeypatch):
    """What the Hub has under the name, where the package is missing, need not be what the package carries."""
    own = dual.QuickstartBackbone().revision
    monkeypatch.setattr(dual, "_PACKAGED_TEXTS", "of other weights")
    assert dual.QuickstartBackbone().revision.startswith(f"{own}+texts-")
