// The curves that meters sign with, and ECDSA on them. WebCrypto has the three of NIST that it knows;
// for the others this is plain arithmetic. It handles public numbers only, so it need not take the same time for each.
import { big, bigBytes, bytesOf, concat, hexOf, need } from "./encoding.js";

// Domain parameters: SEC 2 v2.0 (secp…), RFC 5639 (brainpool…). `web`: what WebCrypto calls it. a, b, x, y, n in hex.
const NAMED = {
  "secp192k1": {
    oid: "2b8104001f",
    p: 2n ** 192n - 2n ** 32n - 2n ** 12n - 2n ** 8n - 2n ** 7n - 2n ** 6n - 2n ** 3n - 1n,
    a: "0",
    b: "3",
    x: "db4ff10ec057e9ae26b07d0280b7f4341da5d1b1eae06c7d",
    y: "9b2f2f6d9c5628a7844163d015be86344082aa88d95e2f9d",
    n: "fffffffffffffffffffffffe26f2fc170f69466a74defd8d",
  },
  "secp192r1": {
    oid: "2a8648ce3d030101",
    p: 2n ** 192n - 2n ** 64n - 1n,
    a: "fffffffffffffffffffffffffffffffefffffffffffffffc",
    b: "64210519e59c80e70fa7e9ab72243049feb8deecc146b9b1",
    x: "188da80eb03090f67cbf20eb43a18800f4ff0afd82ff1012",
    y: "07192b95ffc8da78631011ed6b24cdd573f977a11e794811",
    n: "ffffffffffffffffffffffff99def836146bc9b1b4d22831",
  },
  "secp256k1": {
    oid: "2b8104000a",
    p: 2n ** 256n - 2n ** 32n - 977n,
    a: "0",
    b: "7",
    x: "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    y: "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
    n: "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
  },
  "secp256r1": {
    oid: "2a8648ce3d030107",
    web: "P-256",
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    a: "ffffffff00000001000000000000000000000000fffffffffffffffffffffffc",
    b: "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
    x: "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
    y: "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    n: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
  },
  "secp384r1": {
    oid: "2b81040022",
    web: "P-384",
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    a: "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000fffffffc",
    b: "b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
    x: "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
    y: "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
    n: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
  },
  "secp521r1": {
    oid: "2b81040023",
    web: "P-521",
    p: 2n ** 521n - 1n,
    a: `1${"f".repeat(129)}c`,
    b: "51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00",
    x: "c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66",
    y: "11839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650",
    n: "1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
  },
  "brainpoolP256r1": {
    oid: "2b2403030208010107",
    p: 0xa9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377n,
    a: "7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9",
    b: "26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6",
    x: "8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262",
    y: "547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997",
    n: "a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7",
  },
  "brainpoolP384r1": {
    oid: "2b240303020801010b",
    p: 0x8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec53n,
    a: "7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa5814a503ad4eb04a8c7dd22ce2826",
    b: "04a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d57cb4390295dbc9943ab78696fa504c11",
    x: "1d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d646aaef87b2e247d4af1e",
    y: "8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff99129280e4646217791811142820341263c5315",
    n: "8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7cf3ab6af6b7fc3103b883202e9046565",
  },
};

class Curve {
  constructor(name, { oid, web, p, ...rest }) {
    const numbers = Object.fromEntries(Object.entries(rest).map(([which, hex]) => [which, BigInt(`0x${hex}`)]));
    Object.assign(this, { name, oid, web: web ?? null, p, ...numbers });
    this.size = Math.ceil(p.toString(2).length / 8); // bytes of a coordinate
    this.orderBits = this.n.toString(2).length;
  }

  has(x, y) {
    return x < this.p && y < this.p && modulo(y * y - (x * x + this.a) * x - this.b, this.p) === 0n;
  }
}

export const CURVES = Object.entries(NAMED).map(([name, numbers]) => new Curve(name, numbers));
export const curveOfOid = (oid) => CURVES.find((curve) => curve.oid === oid) ?? null;

function modulo(number, by) {
  const rest = number % by;
  return rest < 0n ? rest + by : rest;
}

function inverse(number, by) { // by is a prime, number no multiple of it
  let [low, high, at, next] = [modulo(number, by), by, 1n, 0n];
  while (low > 1n) {
    const times = high / low;
    [high, low] = [low, high - times * low];
    [next, at] = [at, next - times * at];
  }
  return modulo(at, by);
}

function power(base, exponent, by) {
  let result = 1n;
  for (let square = modulo(base, by), rest = exponent; rest > 0n; rest >>= 1n, square = (square * square) % by) {
    if (rest & 1n) result = (result * square) % by;
  }
  return result;
}

// --- points: [X, Y, Z] of x = X/Z², y = Y/Z³; Z = 0 is the point at infinity

const INFINITY = [1n, 1n, 0n];

function doubled([x, y, z], { p, a }) {
  if (z === 0n || y === 0n) return INFINITY;
  const [yy, zz] = [(y * y) % p, (z * z) % p];
  const s = (4n * x * yy) % p;
  const m = (3n * x * x + a * zz * zz) % p;
  const newX = modulo(m * m - 2n * s, p);
  return [newX, modulo(m * (s - newX) - 8n * yy * yy, p), (2n * y * z) % p];
}

function sum(first, second, curve) {
  const [[x1, y1, z1], [x2, y2, z2], { p }] = [first, second, curve];
  if (z1 === 0n) return second;
  if (z2 === 0n) return first;
  const [zz1, zz2] = [(z1 * z1) % p, (z2 * z2) % p];
  const [u1, u2] = [(x1 * zz2) % p, (x2 * zz1) % p];
  const [s1, s2] = [(y1 * zz2 * z2) % p, (y2 * zz1 * z1) % p];
  if (u1 === u2) return s1 === s2 ? doubled(first, curve) : INFINITY;
  const [h, r] = [modulo(u2 - u1, p), modulo(s2 - s1, p)];
  const hh = (h * h) % p;
  const [hhh, v] = [(h * hh) % p, (u1 * hh) % p];
  const newX = modulo(r * r - hhh - 2n * v, p);
  return [newX, modulo(r * (v - newX) - s1 * hhh, p), (z1 * z2 * h) % p];
}

function combined(u, base, v, point, curve) { // u * base + v * point, both in one walk over the bits
  const both = sum(base, point, curve);
  let found = INFINITY;
  for (let bit = BigInt(curve.orderBits) - 1n; bit >= 0n; bit--) {
    found = doubled(found, curve);
    const [inU, inV] = [(u >> bit) & 1n, (v >> bit) & 1n];
    if (inU || inV) found = sum(found, inU && inV ? both : inU ? base : point, curve);
  }
  return found;
}

// --- keys: { curve, x, y }

// A point as X9.62 writes it: 04 x y, or 02/03 x.
export function keyOfPoint(data, curve) {
  const { size, p, a, b } = curve;
  const isShort = data.length === 1 + size && (data[0] === 2 || data[0] === 3);
  need(isShort || (data.length === 1 + 2 * size && data[0] === 4), "not a point of this curve");
  const x = big(data.slice(1, 1 + size));
  if (!isShort) {
    const y = big(data.slice(1 + size));
    need(curve.has(x, y), "not a point of this curve");
    return { curve, x, y };
  }
  const root = power((x * x + a) * x + b, (p + 1n) / 4n, p); // each p here is 3 mod 4
  const y = (root & 1n) === BigInt(data[0] & 1) ? root : p - root;
  need(root !== 0n && curve.has(x, y), "not a point of this curve");
  return { curve, x, y };
}

const ECDSA_KEY = "06072a8648ce3d0201"; // id-ecPublicKey

// A SubjectPublicKeyInfo (RFC 5480) of one of these curves by its name, in its one encoding (DER).
export function keyOfSpki(data) {
  const whole = element(data, 0, 0x30, "public key");
  need(whole.end === data.length, "public key: something follows it");
  const algorithm = element(data, whole.at, 0x30, "public key");
  const bits = element(data, algorithm.end, 0x03, "public key");
  need(bits.end === data.length && data[bits.at] === 0, "public key: no bits of a point");
  const named = hexOf(data.slice(algorithm.at, algorithm.end));
  need(named.startsWith(`${ECDSA_KEY}06`), "public key: not one of an elliptic curve by its name");
  const oid = element(data, algorithm.at + ECDSA_KEY.length / 2, 0x06, "public key");
  need(oid.end === algorithm.end, "public key: not one of an elliptic curve by its name");
  const curve = curveOfOid(hexOf(data.slice(oid.at, oid.end)));
  need(curve, "public key: of a curve that is not known here");
  return keyOfPoint(data.slice(bits.at + 1), curve);
}

// The same key as a SubjectPublicKeyInfo, its point in full.
export function spkiOf({ curve, x, y }) {
  const wrap = (tag, ...parts) => {
    const inner = concat(...parts);
    const size = inner.length < 128 ? [inner.length] : [0x81, inner.length];
    return concat(Uint8Array.of(tag, ...size), inner);
  };
  const point = concat(Uint8Array.of(0, 4), bigBytes(x, curve.size), bigBytes(y, curve.size));
  return wrap(0x30, wrap(0x30, bytesOf(ECDSA_KEY), wrap(0x06, bytesOf(curve.oid))), wrap(0x03, point));
}

// --- DER: { at, end } of what an element with this tag holds; lengths in their shortest form, as far as they occur here

function element(data, start, tag, what) {
  need(data[start] === tag && start + 2 <= data.length, `${what}: not DER`);
  const isLong = data[start + 1] === 0x81;
  const size = data[start + (isLong ? 2 : 1)];
  need(isLong ? size >= 128 : data[start + 1] < 128, `${what}: not DER`);
  const at = start + (isLong ? 3 : 2);
  need(size !== undefined && at + size <= data.length, `${what}: not DER`);
  return { at, end: at + size };
}

// r and s of a signature as meters write it, null where it is none: DER (ECDSA-Sig-Value, RFC 3279, 2.2.3), its frame
// around numbers of fixed length without a sign (eBZ), or the two numbers alone (Isabellenhütte).
export function signatureOf(data, { size }) {
  const alone = () => ({ r: big(data.slice(0, size)), s: big(data.slice(size)) });
  const isAlone = data.length === 2 * size;
  if (isAlone && data[0] !== 0x30) return alone();
  try {
    const whole = element(data, 0, 0x30, "signature");
    const first = element(data, whole.at, 0x02, "signature");
    const second = element(data, first.end, 0x02, "signature");
    const fits = ({ at, end }) => end > at && end - at <= size + 1;
    need(whole.end === data.length && second.end === data.length && fits(first) && fits(second), "not two numbers");
    return { r: big(data.slice(first.at, first.end)), s: big(data.slice(second.at, second.end)) };
  } catch {
    return isAlone ? alone() : null;
  }
}

// --- ECDSA (FIPS 186-5, 6.4.2)

// Did the holder of this key sign this hash ("SHA-256") of the message?
export async function isSigned(key, { r, s }, message, hash) {
  const { curve } = key;
  if (r <= 0n || s <= 0n || r >= curve.n || s >= curve.n) return false;
  if (curve.web) {
    const checked = await byBrowser(key, { r, s }, message, hash);
    if (checked !== null) return checked;
  }
  return byHand(key, { r, s }, new Uint8Array(await crypto.subtle.digest(hash, message)));
}

async function byBrowser({ curve, x, y }, { r, s }, message, hash) { // null where this browser does not know the curve
  const raw = concat(Uint8Array.of(4), bigBytes(x, curve.size), bigBytes(y, curve.size));
  const algorithm = { name: "ECDSA", namedCurve: curve.web, hash };
  const imported = await crypto.subtle.importKey("raw", raw, algorithm, false, ["verify"]).catch((error) => {
    if (error.name !== "NotSupportedError") throw error;
    return null;
  });
  const signature = concat(bigBytes(r, curve.size), bigBytes(s, curve.size));
  return imported && crypto.subtle.verify(algorithm, imported, signature, message);
}

// By this file's own arithmetic, on any of the curves.
export function byHand({ curve, x, y }, { r, s }, digest) {
  const { n, p } = curve;
  const surplus = BigInt(Math.max(0, 8 * digest.length - curve.orderBits)); // of a hash longer than the order, its left bits
  const e = big(digest) >> surplus;
  const w = inverse(s, n);
  const [u, v] = [modulo(e * w, n), modulo(r * w, n)];
  const [foundX, , z] = combined(u, [curve.x, curve.y, 1n], v, [x, y, 1n], curve);
  if (z === 0n) return false;
  const zz = inverse(z, p);
  return modulo(foundX * zz * zz, p) % n === r;
}
