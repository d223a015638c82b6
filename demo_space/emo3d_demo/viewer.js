// A head from a GLB file that we wrote under the renderer's light, that one turns by hand; see viewer.py.
// Called with: element (of the page), light (as viewer.py gives it). Returns show({glb, frame, weights}).

const VERTEX = `#version 300 es
in vec3 position, normal; in vec4 color; in vec2 uv; in float gloss;
uniform mat3 turn; uniform vec3 target; uniform vec2 scale; uniform vec3 depth;  // distance, nearest, farthest
out vec3 vNormal, vView; out vec4 vColor; out vec2 vUv; out float vGloss;
void main() {
  vec3 place = turn * (position - target);
  float away = depth.x - place.z;
  vNormal = turn * (normal / max(length(normal), 1e-9)); vColor = color; vUv = uv; vGloss = gloss;
  vView = vec3(-place.xy, away);
  float middle = (depth.z + depth.y) / 2.0, half_ = (depth.z - depth.y) / 2.0;
  gl_Position = vec4(place.xy * scale, away * (away - middle) / half_, away);
}`;

// The light of emo3d.face.shading, line by line; wraps and shine are explained there.
const FRAGMENT = `#version 300 es
precision highp float;
in vec3 vNormal, vView; in vec4 vColor; in vec2 vUv; in float vGloss;
uniform sampler2D skin; uniform float cutoff; uniform mat3x4 ambient; uniform vec3 mirroredTint;
uniform vec3 direction[COUNT], tint[COUNT], wrap[COUNT]; uniform vec2 spot[COUNT];
out vec4 pixel;
void main() {
  vec4 base = texture(skin, vUv) * vColor;
  if (base.a < cutoff) discard;  // between the hairs of a card
  vec3 n = normalize(vNormal), v = normalize(vView);
  float facing = dot(n, v), slant = pow(max(0.0, 1.0 - abs(facing)), 4.0);
  vec3 mirrored = 2.0 * facing * n - v, lit = vec4(n, 1.0) * ambient;
  float gloss = clamp(vGloss, 0.0, 1.0), rough = gloss * (1.0 - gloss), shine = 0.0;
  for (int k = 0; k < COUNT; k++) {
    lit += tint[k] / (1.0 + wrap[k]) * max(vec3(0.0), dot(n, direction[k]) + wrap[k]);
    float power = pow(max(0.0, dot(mirrored, direction[k])), 4.0);
    shine += rough * spot[k].x * power + gloss * gloss * gloss * gloss * spot[k].y * pow(power, 16.0);
  }
  vec3 color = base.rgb * lit;
  color += max(vColor.r, max(vColor.g, vColor.b)) * (shine + slant * rough) * mirroredTint * (1.0 - min(color, 1.0));
  color = clamp(color, 0.0, 1.0);
  pixel = vec4(mix(12.92 * color, 1.055 * pow(color, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, color)), 1.0);
}`;

const SAMPLES = 2;  // per pixel and axis, as in pictures; the page scales them down
const FLOATS = 5126, UINT32 = 5125, WIDTHS = {SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4};

async function fetchHead(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`the head came with status ${answer.status}`);
  const bytes = await answer.arrayBuffer();
  const length = new DataView(bytes).getUint32(12, true);
  const gltf = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 20, length)));
  const view = number => {
    const {byteOffset, byteLength} = gltf.bufferViews[number];
    return [bytes, 28 + length + byteOffset, byteLength];
  };
  const numbers = (number, kind, count) => {
    const Kind = kind === FLOATS ? Float32Array : kind === UINT32 ? Uint32Array : Uint16Array;
    return new Kind(bytes, view(number)[1], count);
  };
  const array = number => {
    const {bufferView, componentType, count, type} = gltf.accessors[number];
    return numbers(bufferView, componentType, count * WIDTHS[type]);
  };
  const [mesh] = gltf.meshes, [primitive] = mesh.primitives;
  const attributes = Object.fromEntries(Object.entries(primitive.attributes).map(([name, k]) => [name, array(k)]));
  const targets = primitive.targets.map(target => {
    const {sparse, componentType} = gltf.accessors[target.POSITION];
    return {
      rows: numbers(sparse.indices.bufferView, sparse.indices.componentType, sparse.count),
      by: numbers(sparse.values.bufferView, componentType, 3 * sparse.count),
    };
  });
  const {bufferView, mimeType} = gltf.images[0];
  const blob = new Blob([new Uint8Array(...view(bufferView))], {type: mimeType});
  const picture = await createImageBitmap(blob, {premultiplyAlpha: "none", colorSpaceConversion: "none"});
  const cutoff = gltf.materials[0].alphaCutoff ?? 0, rest = attributes.POSITION;
  const indices = array(primitive.indices), welds = weld(attributes);
  return {address, attributes, indices, welds, rest, targets, picture, cutoff};
}

// The head with its vertices where weights move them.
function pose(head, weights) {
  const places = head.rest.slice();
  weights.forEach((weight, target) => {
    if (!weight) return;
    const {rows, by} = head.targets[target];
    rows.forEach((vertex, k) => {
      for (let axis = 0; axis < 3; axis++) places[3 * vertex + axis] += weight * by[3 * k + axis];
    });
  });
  const attributes = {...head.attributes, POSITION: places, NORMAL: normals(places, head.indices, head.welds)};
  return {...head, attributes};
}

// For each vertex the first at the same place with the same normal: both are one where the texture has a seam.
function weld({POSITION, NORMAL}) {
  const first = new Map();
  return Uint32Array.from({length: POSITION.length / 3}, (_, k) => {
    const key = [...POSITION.subarray(3 * k, 3 * k + 3), ...NORMAL.subarray(3 * k, 3 * k + 3)].join();
    if (!first.has(key)) first.set(key, k);
    return first.get(key);
  });
}

// Smooth normals of the face that is shown; sums of the targets' own would show facets where several meet.
function normals(places, indices, welds) {
  const sums = new Float32Array(places.length);
  const edge = (from, to) => [0, 1, 2].map(axis => places[3 * to + axis] - places[3 * from + axis]);
  for (let t = 0; t < indices.length; t += 3) {
    const [a, b, c] = indices.subarray(t, t + 3), [ux, uy, uz] = edge(a, b), [vx, vy, vz] = edge(a, c);
    const normal = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    for (const corner of [a, b, c]) normal.forEach((value, axis) => { sums[3 * welds[corner] + axis] += 1e6 * value; });
  }
  welds.forEach((weld, k) => { if (weld !== k) sums.copyWithin(3 * k, 3 * weld, 3 * weld + 3); });
  return sums;
}

function compile(gl, count) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source.replaceAll("COUNT", count));
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost())
    throw new Error(gl.getProgramInfoLog(program) || "the shaders do not link");
  return program;
}

function upload(gl, program, head) {
  const names = {position: "POSITION", normal: "NORMAL", color: "COLOR_0", uv: "TEXCOORD_0", gloss: "_GLOSS"};
  const count = head.attributes.POSITION.length / 3, buffers = [];
  const fill = (target, data) => {
    buffers.push(gl.createBuffer());
    gl.bindBuffer(target, buffers.at(-1));
    gl.bufferData(target, data, gl.STATIC_DRAW);
  };
  for (const [name, attribute] of Object.entries(names)) {
    const place = gl.getAttribLocation(program, name);
    fill(gl.ARRAY_BUFFER, head.attributes[attribute]);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, head.attributes[attribute].length / count, gl.FLOAT, false, 0, 0);
  }
  fill(gl.ELEMENT_ARRAY_BUFFER, head.indices);
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.SRGB8_ALPHA8, gl.RGBA, gl.UNSIGNED_BYTE, head.picture);
  gl.generateMipmap(gl.TEXTURE_2D);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
  for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
  return () => { buffers.forEach(buffer => gl.deleteBuffer(buffer)); gl.deleteTexture(texture); };
}

function draw(gl, program, light, head, frame, look) {
  const {width, height} = gl.canvas, [x, y, z, half] = frame, at = name => gl.getUniformLocation(program, name);
  const near = light.nearness * look.zoom, side = Math.min(width, height), distance = half * light.nearness;
  const [sy, cy, sp, cp] = [Math.sin(look.yaw), Math.cos(look.yaw), Math.sin(look.pitch), Math.cos(look.pitch)];
  gl.viewport(0, 0, width, height);
  gl.clearColor(...light.background, 1);
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  gl.uniformMatrix3fv(at("turn"), false, [cy, sp * sy, -cp * sy, 0, cp, sp, sy, -sp * cy, cp * cy]);  // by columns
  gl.uniform3f(at("target"), x, y, z);
  gl.uniform2f(at("scale"), near * side / width, near * side / height);
  gl.uniform3f(at("depth"), distance, distance - 3 * half, distance + 3 * half);
  gl.uniformMatrix3x4fv(at("ambient"), false, light.ambient);
  gl.uniform3fv(at("mirroredTint"), light.mirrored);
  gl.uniform1f(at("cutoff"), head.cutoff);
  for (const [name, width] of Object.entries({direction: 3, tint: 3, wrap: 3, spot: 2}))
    gl[`uniform${width}fv`](at(name), light[name]);
  const kind = head.indices instanceof Uint32Array ? gl.UNSIGNED_INT : gl.UNSIGNED_SHORT;
  gl.drawElements(gl.TRIANGLES, head.indices.length, kind, 0);
}

function startViewer(element, light) {
  const canvas = element.querySelector("canvas"), note = element.querySelector("p");
  const rest = () => ({yaw: 0, pitch: 0, zoom: 1});
  let gl, program, head = null, frame, look = rest(), asked = 0, waiting = false, release = () => {};

  function paint() {
    waiting = false;
    if (!head || gl.isContextLost()) return;
    for (const side of ["Width", "Height"])
      canvas[side.toLowerCase()] = Math.max(1, SAMPLES * canvas[`client${side}`]);
    draw(gl, program, light, head, frame, look);
  }
  const repaint = () => waiting ||= Boolean(requestAnimationFrame(paint));

  function begin() {
    gl = canvas.getContext("webgl2", {antialias: false});
    if (!gl) throw new Error("this browser has no WebGL 2");
    program = compile(gl, light.direction.length / 3);
    gl.useProgram(program);
    gl.enable(gl.DEPTH_TEST);
    gl.enable(gl.CULL_FACE);
    if (head) release = upload(gl, program, head);
    repaint();
  }
  function turn(yaw, pitch, zoom = 1) {
    look.yaw += yaw;
    look.pitch = Math.min(1.2, Math.max(-1.2, look.pitch + pitch));
    look.zoom = Math.min(4, Math.max(0.5, look.zoom * zoom));
    repaint();
  }
  const complain = error => { note.textContent = `No 3D view: ${error.message}.`; note.hidden = false; };

  canvas.addEventListener("webglcontextlost", event => event.preventDefault());
  canvas.addEventListener("webglcontextrestored", begin);
  canvas.addEventListener("pointerdown", event => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", event => {
    if (canvas.hasPointerCapture(event.pointerId)) turn(event.movementX / 120, event.movementY / 120);
  });
  canvas.addEventListener("dblclick", () => { look = rest(); repaint(); });
  canvas.addEventListener("wheel", event => {  // the page scrolls on until one has chosen the view
    if (document.activeElement !== canvas && !event.ctrlKey) return;
    event.preventDefault();
    turn(0, 0, Math.exp(-event.deltaY / 500));
  }, {passive: false});
  const keys = {
    ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15],
    "+": [0, 0, 1.15], "-": [0, 0, 1 / 1.15],
  };
  canvas.addEventListener("keydown", event => {
    if (event.key === "Home") look = rest();
    else if (!(event.key in keys)) return;
    event.preventDefault();
    turn(...(keys[event.key] ?? [0, 0]));
  });
  new ResizeObserver(repaint).observe(canvas);
  try { begin(); } catch (error) { complain(error); }

  return async value => {  // what is asked for last is shown, whatever comes last
    const turn = ++asked;
    try {
      const fetched = head?.address === value.glb ? head : await fetchHead(value.glb);
      if (turn !== asked || !program) return;
      head = pose(fetched, value.weights);
      frame = value.frame;
      release();
      release = upload(gl, program, head);
      note.hidden = true;
      canvas.dataset.shown = value.glb;
      repaint();
    } catch (error) {
      if (turn === asked) complain(error);
    }
  };
}
