import { Tokenizer } from "@huggingface/tokenizers";

/** Tokens of a text, as the encoder takes them. */
export interface Tokens {
  /** Ids of the tokens, special ones included, at most the window of the encoder. */
  ids: number[];
  /** All ids, before the window cut them. */
  whole: number[];
}


/** The tokenizer of a folder. */
export class TextTokenizer {
  readonly vocabularySize: number;
  readonly unknown: number | undefined;
  readonly special: ReadonlySet<number>;
  private readonly tokenizer: Tokenizer;

  /**
   * @param settings `tokenizer.json`, parsed
   * @param config `tokenizer_config.json`, parsed
   * @param window tokens that the encoder takes, special ones included
   */
  constructor(
    settings: object,
    config: object,
    private readonly window: number,
  ) {
    this.tokenizer = new Tokenizer(settings, config);
    this.vocabularySize = this.tokenizer.get_vocab().size;
    const added = [...this.tokenizer.get_added_tokens_decoder()];
    this.special = new Set(added.filter(([, token]) => token.special).map(([id]) => id));
    const unknown = (config as { unk_token?: string | { content: string } }).unk_token;
    const name = typeof unknown === "object" ? unknown.content : unknown;
    this.unknown = name === undefined ? undefined : this.tokenizer.token_to_id(name);
  }

  /** Tokens of a text; of one beyond the window the last but the closing token are left out. */
  encode(text: string): Tokens {
    const whole = this.tokenizer.encode(text).ids;
    const ids = whole.length > this.window ? [...whole.slice(0, this.window - 1), whole[whole.length - 1]] : whole;
    return { ids, whole };
  }
}
