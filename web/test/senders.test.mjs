// What other programs get: lines of iFacialMocap, datagrams of VMC, frames over a WebSocket.
import assert from "node:assert";
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";
import { sources } from "./bundle.mjs";
import { CHROMIUM, launch, open, WEB } from "./support/browser.mjs";
import { serve } from "./support/server.mjs";

const { iFacialMocap, vmc } = await sources("senders");
const { TARGETS } = await sources("weights");
const STAIRS = Object.fromEntries(TARGETS.map((name, place) => [name, place / 51]));
const PYTHON = `${WEB}../.venv/bin/python`;

/** Messages of an OSC bundle, each an address and its arguments; after the specification 1.0, for the types s and f. */
function decode(bytes) {
  let place = 0;
  const text = () => {
    const end = bytes.indexOf(0, place);
    const value = bytes.toString("utf8", place, end);
    place = end + 4 - (end % 4);
    return value;
  };
  assert.equal(text(), "#bundle");
  assert.equal(bytes.readBigUInt64BE(place), 1n); // immediately
  const messages = [];
  for (place += 8; place < bytes.length; ) {
    const end = place + 4 + bytes.readUInt32BE(place);
    place += 4;
    const [address, types] = [text(), text()];
    const values = [...types.slice(1)].map((type) => (type === "s" ? text() : bytes.readFloatBE((place += 4) - 4)));
    assert.equal(place, end);
    messages.push([address, ...values]);
  }
  return messages;
}

test("a datagram of VMC is what python-osc makes of the same messages", () => {
  // python-osc 1.10.2: OscBundleBuilder(IMMEDIATELY) of 52 messages ("s", "f") and the one that applies them, STAIRS.
  const bytes = Buffer.from(vmc(STAIRS));
  assert.equal(bytes.length, 2524);
  assert.equal(createHash("sha256").update(bytes).digest("hex"), "a0b442d4c9d09eaf37d3107e98886ef267b2b9deb644750173b914fc43c9a8e0");
  const messages = decode(bytes);
  assert.equal(messages.length, 53);
  assert.deepEqual(messages[0], ["/VMC/Ext/Blend/Val", "BrowDownLeft", 0]);
  assert.deepEqual(messages[52], ["/VMC/Ext/Blend/Apply"]);
  assert.deepEqual(decode(Buffer.from(vmc({ jawOpen: 1 }, (name) => name)))[TARGETS.indexOf("jawOpen")], ["/VMC/Ext/Blend/Val", "jawOpen", 1]);
});

test("the example sends it by UDP", { skip: !existsSync(`${WEB}dist/senders.js`) && "not built: npm run build" }, async () => {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const port = String(socket.address().port);
  const child = spawn(process.execPath, [`${WEB}examples/send.mjs`, '{"jawOpen": 0.25}', port, "2"], { stdio: "inherit" });
  const [bytes] = await once(socket, "message", { signal: AbortSignal.timeout(20_000) });
  const values = Object.fromEntries(decode(bytes).slice(0, 52).map(([, name, value]) => [name, value]));
  assert.deepEqual(Object.entries(values).filter(([, value]) => value > 0), [["JawOpen", 0.25]]);
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
  socket.close();
});

test("a line of iFacialMocap is read by Python as the same expression", { skip: !existsSync(PYTHON) && "no .venv" }, () => {
  const line = iFacialMocap(STAIRS);
  assert.match(line, /^browDown_L-0\|browDown_R-2\|/);
  assert.match(line, /\|jawLeft-\d+\|.*\|mouthLeft-\d+\|.*\|tongueOut-100\|=head#0,0,0,0,0,0\|rightEye#0,0,0\|leftEye#0,0,0\|$/);
  const folder = mkdtempSync(`${tmpdir()}/emo3d-`);
  writeFileSync(`${folder}/face.txt`, line);
  const script = "import sys; from emo3d.expressions import read_expressions; print(read_expressions(sys.argv[1])[0].tolist()[0])";
  const row = JSON.parse(execFileSync(PYTHON, ["-c", script, `${folder}/face.txt`], { encoding: "utf8" }));
  rmSync(folder, { recursive: true });
  assert.equal(row.length, 51);
  for (const [place, value] of row.entries()) assert.ok(Math.abs(value - place / 51) <= 0.005 + 1e-9, `${TARGETS[place]} ${value}`);
});

test("weights that are none are refused", () => {
  for (const make of [iFacialMocap, vmc]) {
    assert.throws(() => make({ smile: 1 }), /expected names of ARKit's 52 blendshapes, got "smile"/);
    assert.throws(() => make({ jawOpen: 1.5 }), /expected a weight in 0..1 of jawOpen, got 1.5/);
    for (const [weight, got] of [["0.5", '"0.5"'], [null, "null"], [true, "true"], [NaN, "NaN"]])
      assert.throws(() => make({ jawOpen: weight }), { message: `expected a weight in 0..1 of jawOpen, got ${got}` });
    for (const [weights, got] of [[Promise.resolve({}), "Promise"], [[], "Array"], [null, "Null"], [new Map(), "Map"], [7, "Number"]])
      assert.throws(() => make(weights), { name: "RangeError", message: `expected weights by name, got ${got}` });
    assert.throws(() => make(JSON.parse('{"__proto__": 1}')), /got "__proto__"/);
  }
});

/** A WebSocket server of few lines (RFC 6455): texts of clients, unmasked; `refuse` closes what connects. */
async function listen(port = 0) {
  const texts = [];
  const server = createServer();
  const sockets = new Set();
  server.on("upgrade", (request, socket) => {
    sockets.add(socket);
    const magic = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(magic).digest("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
    let bytes = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      bytes = Buffer.concat([bytes, data]);
      while (bytes.length >= 8) {
        const long = (bytes[1] & 127) === 126;
        const [size, head] = long ? [bytes.readUInt16BE(2), 8] : [bytes[1] & 127, 6];
        if (bytes.length < head + size) break;
        const mask = bytes.subarray(head - 4, head);
        const content = bytes.subarray(head, head + size).map((byte, k) => byte ^ mask[k % 4]);
        if ((bytes[0] & 15) < 3) texts.push(Buffer.from(content).toString());
        bytes = bytes.subarray(head + size);
      }
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const stop = () => (sockets.forEach((socket) => socket.destroy()), new Promise((done) => server.close(done)));
  return { texts, port: server.address().port, stop };
}

const until = async (condition) => {
  for (let k = 0; k < 500 && !condition(); k++) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(condition());
};
const noBrowser = !existsSync(CHROMIUM) && `no ${CHROMIUM}`;
let server, browser, page;

before(async () => {
  if (noBrowser) return;
  server = await serve({ "/dist/": `${WEB}dist` }, { pages: { "/": "<!doctype html><title>senders</title>" } });
  browser = await launch();
  page = await open(browser, `${server.origin}/`);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

/** A sender in the page; `send` and `close` of it. */
async function connect(url, options) {
  await page.evaluate(
    async ([url, options]) => {
      const { webSocketSender } = await import("/dist/senders.js");
      globalThis.said = undefined;
      globalThis.sender = webSocketSender(url, { ...options, onError: (error) => (globalThis.said = error.message) });
    },
    [url, options],
  );
}
const send = (...frames) => page.evaluate((frames) => frames.forEach((frame) => sender.send(frame)), frames);

test("frames go over a WebSocket, which is connected again when it breaks", { skip: noBrowser }, async () => {
  const first = await listen();
  await connect(`ws://127.0.0.1:${first.port}`, { wait: 0.05, attempts: 8 });
  await send({ jawOpen: 0.2 });
  await until(() => first.texts.length === 1);
  assert.deepEqual(JSON.parse(first.texts[0]), { weights: { jawOpen: 0.2 } });
  await first.stop();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await send({ jawOpen: 0.3 }, { jawOpen: 0.4 }); // while there is nobody: the newest counts
  const second = await listen(first.port);
  await until(() => second.texts.length === 1);
  assert.deepEqual(JSON.parse(second.texts[0]), { weights: { jawOpen: 0.4 } });
  assert.equal(await page.evaluate("sender.skipped"), 1);
  await page.evaluate("sender.close()");
  await assert.rejects(send({}), /got one that was closed/);
  await second.stop();
});

test("it gives up after its attempts, in a sentence", { skip: noBrowser }, async () => {
  const nobody = await listen();
  await nobody.stop();
  await connect(`ws://127.0.0.1:${nobody.port}`, { wait: 0.01, attempts: 3 });
  await page.waitForFunction("said");
  assert.match(await page.evaluate("said"), /^expected a WebSocket at ws:.*, got none in 3 attempts$/);
  await assert.rejects(send({}), /got none in 3 attempts/);
  await assert.rejects(connect("http://127.0.0.1", {}), /expected a ws:\/\/ or wss:\/\/ URL, got "http/);
});
