"""How well clips show what their texts say: over time, beside references, and as motion."""
