import { ordered, TARGETS, type Weights } from "./weights.ts";

const WHOLE = ["jawLeft", "jawRight", "mouthLeft", "mouthRight"]; // here the side is the movement

/**
 * A line as iFacialMocap sends it by UDP to port 49983: `mouthSmile_R-12|...|=head#0,...`, whole percent, head and eyes
 * at rest. `emo3d render` reads it in a `.txt`.
 *
 * Source: https://www.ifacialmocap.com/for-developer
 */
export function iFacialMocap(weights: Weights): string {
  const parts = [...ordered(weights)].map((weight, place) => {
    const name = TARGETS[place];
    const spelt = WHOLE.includes(name) ? name : name.replace(/Left$/, "_L").replace(/Right$/, "_R");
    return `${spelt}-${Math.round(100 * weight)}`;
  });
  return `${parts.join("|")}|=head#0,0,0,0,0,0|rightEye#0,0,0|leftEye#0,0,0|`;
}

/**
 * A datagram of the VMC protocol, for UDP port 39539 or 39540: a bundle of OSC with `/VMC/Ext/Blend/Val` for each of
 * the 52 and `/VMC/Ext/Blend/Apply`.
 *
 * @param title what an expression is called; as Perfect Sync by default: `JawOpen`.
 * Source: https://protocol.vmc.info/specification, https://opensoundcontrol.stanford.edu/spec-1_0.html
 */
export function vmc(weights: Weights, title = (name: string) => name[0].toUpperCase() + name.slice(1)): Uint8Array {
  const messages = [...ordered(weights)].map((weight, place) =>
    joined([text("/VMC/Ext/Blend/Val"), text(",sf"), text(title(TARGETS[place])), number(weight, "setFloat32")]),
  );
  messages.push(joined([text("/VMC/Ext/Blend/Apply"), text(",")]));
  const now = [number(0, "setInt32"), number(1, "setInt32")]; // OSC's time tag for "immediately"
  return joined([text("#bundle"), ...now, ...messages.flatMap((part) => [number(part.length, "setInt32"), part])]);
}

/** A text of OSC: it ends in a zero, and zeros fill it up to four bytes. */
function text(content: string): Uint8Array {
  const bytes = new TextEncoder().encode(content);
  const filled = new Uint8Array((bytes.length >> 2) * 4 + 4);
  filled.set(bytes);
  return filled;
}

function number(value: number, setter: "setFloat32" | "setInt32"): Uint8Array {
  const view = new DataView(new ArrayBuffer(4));
  view[setter](0, value);
  return new Uint8Array(view.buffer);
}

function joined(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}

export interface SenderOptions {
  /** Weights to what is sent; `{"weights": {...}}` as JSON by default, or `iFacialMocap`, `vmc`. */
  format?: (weights: Weights) => string | Uint8Array;
  /** Attempts to connect in a row before it gives up; 5 by default. */
  attempts?: number;
  /** Seconds before the second attempt, doubled before each that follows; 0.5 by default. */
  wait?: number;
  /** Told once, when it has given up. */
  onError?: (error: Error) => void;
}

export interface Sender {
  send(weights: Weights): void;
  close(): void;
  /** Frames that were replaced by a later one before they could go. */
  readonly skipped: number;
}

const BEHIND = 1 << 16; // bytes that wait in the socket: the reader is slower than the frames come

/**
 * Sends frames of weights over a WebSocket and connects again when it breaks, a bounded number of times.
 *
 * A frame is a state: while the socket is not open, or its reader is behind, only the newest is kept and sent later;
 * `skipped` counts the others. After the last attempt `send` throws.
 *
 * @throws RangeError for a URL that is no ws: or wss:.
 */
export function webSocketSender(url: string, options: SenderOptions = {}): Sender {
  const { format = (weights: Weights) => JSON.stringify({ weights }), attempts = 5, wait = 0.5, onError } = options;
  if (!/^wss?:\/\//.test(url)) throw new RangeError(`expected a ws:// or wss:// URL, got ${JSON.stringify(url)}`);
  let socket: WebSocket;
  let failures = 0;
  let skipped = 0;
  let waiting: Weights | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let end: Error | undefined;

  const flush = () => {
    if (!waiting || socket.readyState !== WebSocket.OPEN) return;
    if (socket.bufferedAmount > BEHIND) timer ??= setTimeout(() => ((timer = undefined), flush()), 20);
    else {
      socket.send(format(waiting) as string | Uint8Array<ArrayBuffer>);
      waiting = undefined;
    }
  };
  const connect = () => {
    timer = undefined;
    socket = new WebSocket(url);
    socket.onopen = () => {
      failures = 0;
      flush();
    };
    socket.onclose = () => {
      clearTimeout(timer);
      timer = undefined;
      if (end) return;
      failures += 1;
      if (failures < attempts) timer = setTimeout(connect, 1000 * wait * 2 ** (failures - 1));
      else {
        end = new Error(`expected a WebSocket at ${url}, got none in ${attempts} attempts`);
        onError?.(end);
      }
    };
  };
  connect();
  return {
    send(weights) {
      if (end) throw end;
      ordered(weights);
      if (waiting) skipped += 1;
      waiting = weights;
      flush();
    },
    close() {
      end ??= new Error("expected an open sender, got one that was closed");
      clearTimeout(timer);
      socket.close();
    },
    get skipped() {
      return skipped;
    },
  };
}
