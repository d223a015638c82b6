/** What a visitor may begin with: feelings, movements, both, symbols. */
export const EXAMPLES = [
  "she is thrilled, and winks with her left eye",
  "utterly revolted by the smell",
  "He smirks at their clumsy attempt",
  "frightened, but trying to smile",
  "What on earth is that?!",
  "sticks out his tongue and crosses his fingers",
  "in deep despair",
  "puffs up her cheeks and looks up",
];
