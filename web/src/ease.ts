import { TARGETS, type Weights } from "./weights.ts";
export class Animator {
  private now = new Float64Array(52);
  private goal = new Float64Array(52);
  constructor(private readonly options: { blinks?: boolean; smoothing?: number } = {}) {}
  target(weights: Weights): void {
    this.goal = Float64Array.from(TARGETS, (name) => weights[name] ?? 0);
  }
  step(seconds: number): Weights {
    const share = 1 - Math.exp(-seconds / (this.options.smoothing ?? 0.15));
    this.now = this.now.map((value, place) => {
      const next = value + share * (this.goal[place] - value);
      return Math.abs(next - this.goal[place]) < 1e-3 ? this.goal[place] : next;
    });
    return Object.fromEntries(TARGETS.map((name, place) => [name, this.now[place]]));
  }
}
