import { Vector3, type Mesh, type Object3D, type SkinnedMesh } from "three";

/** What a camera shows: the centre of the face and half the height about it, in the scene's units. */
export interface Frame {
  center: [x: number, y: number, z: number];
  half: number;
}

/** A morph target of a mesh in the scene. */
export interface Slot {
  mesh: Mesh;
  target: number;
  weight: number;
}

// A head by the distance from lids to lips, as Python's `emo3d_lab.rigs.glb` frames it: chin below and depth behind the
// lids, the unit of height, and how many units away something is no head any more.
const [CHIN, BACK, UNIT, NEAR] = [1.77, 0.13, 1.76, 2.5];
const FIELD = Math.tan((10 * Math.PI) / 180); // tangent of half the field of view
const MOST = 10_000; // vertices of a mesh that are looked at; of more, every second, third and so on

/**
 * Turns a character's root to the camera (+z, y up) and says what to show of it.
 *
 * @param lids what closes the lids, `lips` what moves the lips: all of `slots` is shown where one is empty.
 * @throws RangeError where nothing moves, or the eyes are below the mouth.
 */
export function frameHead(root: Object3D, lids: Slot[], lips: Slot[], slots: Slot[]): Frame {
  for (let turns = 0; turns < 3; turns++) {
    root.updateMatrixWorld(true);
    const eyes = centre(lids);
    const mouth = centre(lips);
    if (!eyes || !mouth) return whole(slots);
    const [side, up, depth] = [eyes.x - mouth.x, eyes.y - mouth.y, eyes.z - mouth.z];
    const distance = Math.hypot(side, up, depth);
    const middle = eyes.clone().add(mouth).divideScalar(2);
    const all = points(root);
    const head = all.filter((point) => point.distanceTo(middle) < 3 * distance);
    const bulk = head.reduce((sum, point) => sum + point.z, 0) / head.length;
    if (depth > Math.abs(up))
      root.rotation.x -= Math.PI / 2; // z up
    else if (middle.z - bulk < -0.1 * distance)
      root.rotation.y += Math.PI; // seen from behind
    else if (up <= 0) break;
    else return byHead(eyes, up, all);
  }
  throw new RangeError("expected a face with y up, got eyes below the mouth");
}

function byHead(eyes: Vector3, unit: number, all: Vector3[]): Frame {
  const [chin, depth, height] = [eyes.y - CHIN * unit, eyes.z - BACK * unit, UNIT * unit];
  const reach = NEAR * height;
  const near = all.filter(
    ({ x, y, z }) => Math.max(Math.abs(x - eyes.x), Math.abs(y - eyes.y), Math.abs(z - eyes.z)) < reach,
  );
  let half = height;
  let middle = 0;
  for (let round = 0; round < 20; round++) {
    middle = chin - 0.15 * height + 0.97 * half;
    const top = Math.max(...near.map(({ y, z }) => (y - middle) / (1 - ((z - depth) * FIELD) / half)).filter(isFinite));
    half = Math.min(1.2 * height, Math.max(0.9 * height, half + (top - 0.97 * half) / 2));
  }
  return { center: [eyes.x, middle, depth], half };
}

function whole(slots: Slot[]): Frame {
  const low = new Vector3(Infinity, Infinity, Infinity);
  const high = new Vector3(-Infinity, -Infinity, -Infinity);
  for (const slot of slots)
    for (const { point } of moves(slot)) {
      low.min(point);
      high.max(point);
    }
  const size = high.clone().sub(low);
  const half = 0.7 * Math.max(size.x, size.y, size.z);
  if (!(half > 0 && half < 1e6))
    throw new RangeError("expected morph targets that move a face, got ones that move nothing");
  const { x, y, z } = low.add(high).divideScalar(2);
  return { center: [x, y, z], half };
}

/** Where what targets move has its centre, each vertex by how far it moves; undefined where nothing does. */
function centre(slots: Slot[]): Vector3 | undefined {
  const sum = new Vector3();
  let total = 0;
  for (const slot of slots)
    for (const { point, far } of moves(slot)) {
      sum.addScaledVector(point, far);
      total += far;
    }
  return total > 0 && total < Infinity ? sum.divideScalar(total) : undefined;
}

/** Vertices that a target moves, where they are at rest, and how far it moves each. */
function* moves({ mesh, target, weight }: Slot): Generator<{ point: Vector3; far: number }> {
  const delta = mesh.geometry.morphAttributes.position?.[target];
  const scale = weight * mesh.matrixWorld.getMaxScaleOnAxis();
  for (let k = 0; delta && k < delta.count; k += Math.ceil(delta.count / MOST)) {
    const far = scale * Math.hypot(delta.getX(k), delta.getY(k), delta.getZ(k));
    if (far > 0) yield { point: place(mesh, k), far };
  }
}

function points(root: Object3D): Vector3[] {
  const all: Vector3[] = [];
  root.traverse((thing) => {
    const mesh = thing as Mesh;
    const count = mesh.isMesh ? mesh.geometry.attributes.position.count : 0;
    for (let k = 0; k < count; k += Math.ceil(count / MOST)) all.push(place(mesh, k));
  });
  return all;
}

function place(mesh: Mesh, index: number): Vector3 {
  const point = new Vector3().fromBufferAttribute(mesh.geometry.attributes.position, index);
  const skinned = mesh as SkinnedMesh;
  if (skinned.isSkinnedMesh) skinned.applyBoneTransform(index, point);
  return point.applyMatrix4(mesh.matrixWorld);
}
