import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-web";
import { checkDescription, checkStrength, isForeign } from "./descriptions.ts";
import { applyInstructions, type Interpretation, readInstructions, type Table } from "./instructions/index.ts";
import type { Manifest } from "./manifest.ts";
import type { Expression } from "./messages.ts";
import type { TextTokenizer, Tokens } from "./tokens.ts";
import { TARGETS } from "./weights.ts";

const CLOSE = TARGETS.indexOf("mouthClose");
const JAW = TARGETS.indexOf("jawOpen");

/** Description -> weights: the twin of Python's `ExpressionModel.generate`. */
export class Model {
  constructor(
    private readonly manifest: Manifest,
    private readonly tokenizer: TextTokenizer,
    private readonly session: InferenceSession,
    private readonly tensor: TensorConstructor,
    private readonly table: Table | undefined, // of physical instructions, where the model reads them
  ) {}

  /** What a description is understood as; a RangeError says what is none. */
  interpret(text: string): Interpretation {
    const reading = this.read(text);
    if (reading.rest) reading.notes.push(...this.notesOf(reading.rest, this.tokenizer.encode(reading.rest)));
    return reading;
  }

  /**
   * Weights of one description, and notes.
   *
   * One at a time, so that the numbers never depend on what else waits: on one core a batch is hardly faster
   * (docs/web.md).
   */
  async express(text: string, strength: number): Promise<Expression> {
    checkStrength(strength, this.manifest.takesStrength);
    const { rest, instructions, notes } = this.read(text);
    let values: Float64Array = new Float64Array(TARGETS.length);
    if (rest) {
      const tokens = this.tokenizer.encode(rest);
      notes.push(...this.notesOf(rest, tokens));
      values.set(await this.answer(tokens.ids, strength));
    }
    if (instructions.length) values = applyInstructions(values, instructions, strength);
    values[CLOSE] = Math.min(values[CLOSE], values[JAW]);
    return { values, notes };
  }

  /** Compute what nobody asked for, so that the browser optimises the runtime. */
  async warmUp(): Promise<void> {
    await this.answer(this.tokenizer.encode("a wry smile with a hint of contempt for everyone around").ids, 1);
  }

  private read(text: string): Interpretation {
    checkDescription(text);
    if (this.table) return readInstructions(text, this.table);
    return { description: text, rest: text, instructions: [], notes: [] };
  }

  private async answer(ids: number[], strength: number): Promise<Float32Array> {
    const shape = [1, ids.length];
    const feeds: Record<string, Tensor> = {
      input_ids: new this.tensor("int64", BigInt64Array.from(ids, BigInt), shape),
      attention_mask: new this.tensor("int64", new BigInt64Array(ids.length).fill(1n), shape),
    };
    if (this.manifest.takesStrength) feeds.strength = new this.tensor("float32", [strength], [1]);
    const { expressions, weights = expressions } = await this.session.run(feeds);
    return weights.data as Float32Array;
  }

  private notesOf(text: string, tokens: Tokens): string[] {
    const notes = [];
    if (tokens.whole.length > tokens.ids.length)
      notes.push(
        `a description of ${tokens.whole.length} tokens was longer than the encoder's window of ` +
          `${tokens.ids.length} and lost its end`,
      );
    if (isForeign(text, tokens.whole, this.tokenizer))
      notes.push(
        `${JSON.stringify(text.slice(0, 80))} is of words or a script that the encoder hardly knows: ` +
          "what comes of it means little, English is expected",
      );
    return notes;
  }
}
