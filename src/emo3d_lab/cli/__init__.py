"""The workshop's subcommands of `emo3d`, found by their entry points (`setup.cfg`, group `emo3d.commands`)."""
