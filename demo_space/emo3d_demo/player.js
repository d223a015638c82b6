// A clip as one picture of tiles: played, scrubbed, and its beats moved; see player.py.
// Called with: element (of the page), tell(name, data) for its server. Returns show(value), see player_value.

const HOLD = 0.7;  // seconds in which the last frame stands before it starts again
const STILL = matchMedia("(prefers-reduced-motion: reduce)");

// Clocks by group: players of one group begin, stop and turn together.
function clockOf(group) {
  const clocks = window.emo3dClocks ??= new Map();
  if (!group || !clocks.has(group)) {
    const clock = {players: new Set(), ready: new Set(), playing: false, since: 0, at: 0, length: 0, key: null};
    if (!group) return clock;
    clocks.set(group, clock);
  }
  return clocks.get(group);
}

function timeOf(clock) {
  if (!clock.playing) return clock.at;
  return (clock.at + (performance.now() - clock.since) / 1000) % (clock.length + HOLD);
}

function setClock(clock, playing, at = timeOf(clock)) {
  Object.assign(clock, {playing, at, since: performance.now()});
  if (!clock.waiting) tick(clock);
}

function tick(clock) {
  clock.waiting = false;
  const time = Math.min(timeOf(clock), clock.length);
  clock.players.forEach(player => player.isConnected() ? player.paint(time) : clock.players.delete(player));
  if (clock.playing && clock.players.size) clock.waiting = Boolean(requestAnimationFrame(() => tick(clock)));
}

function startPlayer(element, tell) {
  const part = name => element.querySelector(`.clip-${name}`);
  const [canvas, play, scrub, clockFace, strip, words, note] =
    ["face", "play", "time", "clock", "beats", "words", "note"].map(part);
  const context = canvas.getContext("2d");
  let value = null, sheet = null, clock = clockOf(""), asked = 0, starts = [], later = null, isHeld = false;
  const head = document.createElement("i");
  head.className = "clip-head";

  const player = {isConnected: () => element.isConnected, paint};
  const seconds = time => `${time.toFixed(1)} s`;
  const setUse = isReady => element.querySelectorAll(".clip-play, .clip-time, .clip-take").forEach(part => {
    part.disabled = !isReady;
  });
  setUse(false);

  function clear(next) {  // nothing of another clip is seen while this one comes
    [value, sheet] = [value?.key === next.key ? value : null, null];
    clock.players.delete(player);
    clock = next.group ? clockOf(next.group) : clock;
    if (clock.key !== next.key) Object.assign(clock, {key: next.key, ready: new Set(), length: 0, playing: false, at: 0});
    context.clearRect(0, 0, canvas.width, canvas.height);
    delete canvas.dataset.frame;
    delete canvas.dataset.sheet;
    strip.replaceChildren();
    strip.hidden = words.hidden = note.hidden = true;
    clockFace.textContent = "";
    [play.textContent, scrub.value] = ["Play", 0];
    setUse(false);
  }

  function offer(next) {  // another try
    const button = document.createElement("button");
    Object.assign(button, {type: "button", textContent: "Try again"});
    button.addEventListener("click", () => show(next));
    note.replaceChildren("The pictures of this clip did not come. ", button);
    note.hidden = false;
  }

  function paint(time) {
    if (!value || !sheet) return;
    const frame = Math.min(value.count - 1, Math.floor(time * value.rate + 1e-6)), {side, columns} = value;
    if (canvas.dataset.frame !== String(frame)) {
      context.drawImage(sheet, frame % columns * side, Math.floor(frame / columns) * side, side, side, 0, 0, side, side);
      canvas.dataset.frame = frame;
    }
    if (Number(scrub.max) !== clock.length) scrub.max = clock.length;
    if (document.activeElement !== scrub || clock.playing) scrub.value = time;
    scrub.setAttribute("aria-valuetext", seconds(time));
    clockFace.textContent = `${Math.min(time, value.duration).toFixed(1)} of ${seconds(value.duration)}`;
    head.style.left = `${100 * Math.min(1, time / value.duration)}%`;
    const now = value.beats.findLastIndex((beat, k) => time >= (starts[k] ?? beat.start));
    const said = value.beats[now]?.description ?? "";
    if (words.textContent !== said) words.textContent = said;
    play.textContent = clock.playing ? "Pause" : "Play";
  }

  function place() {  // where beats and their boundaries are drawn
    const ends = [...starts.slice(1), value.duration], percent = time => `${100 * time / value.duration}%`;
    strip.querySelectorAll("button").forEach((button, k) => {
      button.style.left = percent(starts[k]);
      button.style.width = percent(ends[k] - starts[k]);
    });
    strip.querySelectorAll("[role=slider]").forEach((handle, k) => {
      const room = Math.min(starts[k + 1] - starts[k], ends[k + 1] - starts[k + 1]), [low, high] = limits(k + 1);
      handle.hidden = high - low < 0.01;
      handle.style.left = percent(starts[k + 1]);
      handle.style.width = `clamp(8px, ${percent(room)}, 24px)`;
      handle.setAttribute("aria-valuemin", low.toFixed(2));
      handle.setAttribute("aria-valuemax", high.toFixed(2));
      handle.setAttribute("aria-valuenow", starts[k + 1].toFixed(2));
      handle.setAttribute("aria-valuetext", seconds(starts[k + 1]));
    });
  }

  const limits = k => [starts[k - 1] + value.least, (starts[k + 1] ?? value.duration) - value.least];
  function move(k, time) {
    const [low, high] = limits(k);
    starts[k] = Math.max(low, Math.min(high, time));
    place();
    setClock(clock, false, starts[k]);
  }
  const isMoved = () => starts.some((start, k) => Math.abs(start - value.beats[k].start) > 0.005);
  const send = () => {
    clearTimeout(later);
    later = null;
    if (isMoved()) tell("release", {starts});  // lost while another answer is awaited, and then sent again
  };

  function drawBeats() {
    strip.hidden = words.hidden = !value.beats.length;
    strip.replaceChildren();
    value.beats.forEach((beat, k) => {
      const button = document.createElement("button"), [label, number] = [0, 0].map(() => document.createElement("span"));
      Object.assign(button, {type: "button", title: beat.description});
      [label.textContent, number.textContent] = [beat.description, k + 1];
      button.append(label, number);
      button.setAttribute("aria-label", `Go to ${beat.description}`);
      button.addEventListener("click", () => setClock(clock, clock.playing, starts[k]));
      strip.append(button);
    });
    if (value.least) value.beats.slice(1).forEach((beat, k) => strip.append(makeHandle(beat, k + 1)));
    strip.append(head);
    place();
  }

  function makeHandle(beat, k) {
    const handle = document.createElement("span");
    Object.assign(handle, {role: "slider", tabIndex: 0});
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-label", `Start of ${beat.description}`);
    handle.addEventListener("pointerdown", event => {
      handle.setPointerCapture(event.pointerId);
      isHeld = true;
      handle.focus();
      event.preventDefault();
    });
    handle.addEventListener("pointermove", event => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = strip.getBoundingClientRect();
      move(k, (event.clientX - box.left) / box.width * value.duration);
    });
    handle.addEventListener("lostpointercapture", () => {
      isHeld = false;
      if (value) send();
    });
    handle.addEventListener("keydown", event => {
      const step = event.shiftKey ? 0.5 : 0.1;
      const by = {ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step, PageDown: -0.5, PageUp: 0.5,
        Home: -Infinity, End: Infinity}[event.key];
      if (by === undefined) return;
      event.preventDefault();
      move(k, starts[k] + by);
      clearTimeout(later);
      later = setTimeout(send, 600);  // when no key follows
    });
    handle.addEventListener("blur", () => { if (value) send(); });
    return handle;
  }

  play.addEventListener("click", () => {
    const ended = clock.at >= clock.length;
    setClock(clock, !clock.playing, !clock.playing && ended ? 0 : undefined);
  });
  scrub.addEventListener("input", () => setClock(clock, false, Number(scrub.value)));
  element.addEventListener("click", event => {
    if (event.target.closest(".clip-take")) tell("select", {time: Math.min(timeOf(clock), clock.length)});
  });

  async function show(next) {  // what is asked for last is shown, whatever comes last
    const turn = ++asked, picture = new Image();
    if (value?.key !== next.key) clear(next);
    note.hidden = true;
    picture.src = next.sheet;
    try { await picture.decode(); } catch {
      if (turn !== asked) return;
      clear(next);
      offer(next);
      return;
    }
    if (turn !== asked) return;
    const again = value?.key === next.key, isKept = again && !next.refused && isMoved();
    [value, sheet] = [next, picture];
    if (!isKept) starts = next.beats.map(beat => beat.start);
    canvas.width = canvas.height = next.side;
    delete canvas.dataset.frame;
    canvas.dataset.sheet = next.sheet;
    clock.players.add(player);
    clock.ready.add(player);
    clock.length = Math.max(again && !next.group ? 0 : clock.length, next.duration);
    setUse(true);
    if (strip.firstChild) place();
    else drawBeats();
    const areReady = [...clock.ready].filter(other => other.isConnected()).length >= next.together;
    if (again) setClock(clock, clock.playing, Math.min(clock.at, clock.length));
    else setClock(clock, areReady && !STILL.matches, 0);
    if (areReady && !again) tell("play", {key: next.key});
    if (isKept && !isHeld && !later) send();
  }
  return show;
}
