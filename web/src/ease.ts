/** From 0 to 1 with velocity and acceleration 0 at both ends: 10x^3 - 15x^4 + 6x^5 (Flash and Hogan 1985). */
export function ease(share: number): number {
  const x = Math.min(Math.max(share, 0), 1);
  return Math.min(x * x * x * (10 + x * (6 * x - 15)), 1); // rounding would lead beyond
}
