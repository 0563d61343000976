// A ZIP file, read strictly (PKWARE's APPNOTE 6.3.10): one file behind the other from the first byte to the list at the
// end, nothing between them and nothing in two of them, stored or deflated, and exactly as long as the list says. So a
// small file cannot hold a large one many times, and no reader finds another file under a name than this one does.
import { need } from "./encoding.js";
import { decoder } from "./json.js";
import { limited } from "./node.js";

export const ZIP_MAX = 64 * 1024 * 1024;
const ENTRIES_MAX = 20_000, INFLATED_MAX = 256 * 1024 * 1024, RATIO_MAX = 1100n; // deflate makes at most 1032 out of one
const LOCAL = 0x04034b50, CENTRAL = 0x02014b50, END = 0x06054b50, DESCRIPTOR = 0x08074b50;
const STORED = 0, DEFLATED = 8;
const SIZES_BEHIND = 1 << 3, UTF_8 = 1 << 11, DEFLATE_OPTIONS = 3 << 1;
const NAME = /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*\/?$/;
const ZIP64 = 1;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum >>> 0;
});

function crc32(data) {
  let sum = 0xffffffff;
  for (const byte of data) sum = CRC_TABLE[(sum ^ byte) & 255] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

export const looksLikeZip = (data) => data.length > 3 && data[0] === 0x50 && data[1] === 0x4b && data[2] < 8;

class View { // numbers are little-endian
  constructor(data) {
    Object.assign(this, { data, view: new DataView(data.buffer, data.byteOffset, data.byteLength) });
  }

  #within(at, size) {
    need(at >= 0 && at + size <= this.data.length, "ZIP: truncated");
  }

  u16(at) {
    this.#within(at, 2);
    return this.view.getUint16(at, true);
  }

  u32(at) {
    this.#within(at, 4);
    return this.view.getUint32(at, true);
  }

  bytes(at, size) {
    this.#within(at, size);
    return this.data.subarray(at, at + size);
  }
}

function nameOf(bytes) {
  const name = decoder().decode(bytes);
  need(name.length <= 100 && NAME.test(name) && !name.split("/").includes(".."), "ZIP: a name that no statement has");
  return name;
}

function checkExtra(zip, at, size) { // fields of other programs, well-formed; no sizes of 64 bits
  for (let next = at; next < at + size; ) {
    need(zip.u16(next) !== ZIP64, "ZIP: with 64-bit sizes");
    next += 4 + zip.u16(next + 2);
    need(next <= at + size, "ZIP: an extra field that is none");
  }
}

function listed(zip, at) { // an entry of the list at the end
  need(zip.u32(at) === CENTRAL, "ZIP: its list of files is damaged");
  const [flags, method] = [zip.u16(at + 8), zip.u16(at + 10)];
  need((flags & ~(SIZES_BEHIND | UTF_8 | DEFLATE_OPTIONS)) === 0, "ZIP: encrypted, or of a kind that is not read here");
  need(method === STORED || method === DEFLATED, "ZIP: a file is neither stored nor deflated");
  const [crc, packed, size] = [16, 20, 24].map((offset) => zip.u32(at + offset));
  const [nameSize, extraSize, commentSize, disk] = [28, 30, 32, 34].map((offset) => zip.u16(at + offset));
  need(disk === 0 && commentSize === 0, "ZIP: of several parts, or with comments");
  need(method === DEFLATED ? BigInt(size) <= RATIO_MAX * BigInt(packed) : size === packed, "ZIP: a size that cannot be");
  checkExtra(zip, at + 46 + nameSize, extraSize);
  const name = nameOf(zip.bytes(at + 46, nameSize));
  return { name, flags, method, crc, packed, size, offset: zip.u32(at + 42), next: at + 46 + nameSize + extraSize };
}

function place(zip, entry, start) { // where its bytes are, which stand right here; and where it ends
  need(entry.offset === start && zip.u32(start) === LOCAL, "ZIP: something stands between its files");
  const same = zip.u16(start + 6) === entry.flags && zip.u16(start + 8) === entry.method;
  const isBehind = (entry.flags & SIZES_BEHIND) !== 0;
  const sizes = [entry.crc, entry.packed, entry.size];
  const here = [14, 18, 22].map((offset) => zip.u32(start + offset));
  const [nameSize, extraSize] = [zip.u16(start + 26), zip.u16(start + 28)];
  const agrees = here.every((number, i) => number === sizes[i]) || (isBehind && here.every((number) => number === 0));
  need(same && agrees, "ZIP: a file's head and the list differ");
  need(nameOf(zip.bytes(start + 30, nameSize)) === entry.name, "ZIP: a file has two names");
  checkExtra(zip, start + 30 + nameSize, extraSize);
  const at = start + 30 + nameSize + extraSize;
  return { data: zip.bytes(at, entry.packed), end: at + entry.packed + (isBehind ? behind(zip, at + entry.packed, sizes) : 0) };
}

function behind(zip, at, sizes) { // the length of the sizes that stand behind a file, with or without their mark
  const marked = zip.u32(at) === DESCRIPTOR ? 4 : 0;
  need(sizes.every((size, i) => zip.u32(at + marked + 4 * i) === size), "ZIP: a file's end and the list differ");
  return marked + 12;
}

// The files of a ZIP by their name, each as a function that gives its bytes (a promise); throws on what is none.
export function filesOf(data) {
  need(data.length <= ZIP_MAX, `ZIP: more than ${ZIP_MAX} bytes`);
  const zip = new View(data);
  const end = data.length - 22;
  need(end >= 0 && zip.u32(end) === END && zip.u16(end + 20) === 0, "ZIP: its end is missing, or something follows it");
  const [disk, first, here, count] = [4, 6, 8, 10].map((offset) => zip.u16(end + offset));
  const [size, start] = [zip.u32(end + 12), zip.u32(end + 16)];
  need(disk === 0 && first === 0 && here === count && count <= ENTRIES_MAX, "ZIP: of several parts, or of too many files");
  need(start + size === end, "ZIP: something stands between its files and its end");
  const entries = [];
  for (let at = start; entries.length < count; at = entries.at(-1).next) entries.push(listed(zip, at));
  need((entries.at(-1)?.next ?? start) === end, "ZIP: its list of files is damaged");
  need(entries.reduce((sum, entry) => sum + entry.size, 0) <= INFLATED_MAX, `ZIP: more than ${INFLATED_MAX} bytes inflated`);
  const files = new Map();
  let at = 0;
  for (const entry of [...entries].sort((a, b) => a.offset - b.offset)) {
    const { data: packed, end: next } = place(zip, entry, at);
    need(!files.has(entry.name), "ZIP: a name stands twice");
    files.set(entry.name, () => inflated(entry, packed));
    at = next;
  }
  need(at === start, "ZIP: something stands between its files and its list");
  return files;
}

async function inflated({ name, method, crc, size }, packed) {
  let data = packed;
  if (method === DEFLATED) {
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    data = await limited(stream, size).catch(() => {
      throw new Error(`ZIP: ${name} is not what it says`);
    });
  }
  need(data.length === size && crc32(data) === crc, `ZIP: ${name} is not what it says`);
  return data;
}
