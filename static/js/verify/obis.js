// OBIS codes as meters write them, and which registers a charge may be billed by. All groups are hexadecimal.
import { trimmed } from "./ocmf.js";

const G = "([0-9a-f]{1,2})";
const FORM = new RegExp(`^${G}-${G}:${G}\\.${G}\\.${G}(?:[.*&]([0-9a-f]{1,3}))?$`, "i");
const ELECTRICITY = 1, ENERGY = 8; // groups A and D
// The last group of the current value of a register: left out, FF, and 255 and 200 as makers write them in decimal.
const CURRENT = [0x00, 0xff, 0x200, 0x255];
// Group C, active energy that the car got. Behind the loss in the cable: 98 (a maker's), B1 (register), B3 (charge).
const COMPENSATED = [0x98, 0xb1, 0xb3];
// At the meter: 01, 9E (a maker's), B0 (register), B2 (of this charge alone).
const BILLABLE = [0x01, 0x9e, 0xb0, 0xb2, ...COMPENSATED];

// The groups of a code, null where it is none: { groups, isCompensated, isBillable }. The last is 0xff where the code says
// that the value is the current one, however that is written.
export function obisOf(text) {
  const found = trimmed(text).match(FORM);
  if (!found) return null;
  const [a, b, c, d, e, last] = found.slice(1).map((group) => parseInt(group ?? "0", 16));
  const f = CURRENT.includes(last) ? 0xff : last;
  const isEnergy = a === ELECTRICITY && d === ENERGY;
  const isCompensated = isEnergy && COMPENSATED.includes(c);
  return { groups: [a, b, c, d, e, f], isCompensated, isBillable: isEnergy && BILLABLE.includes(c) && f === 0xff };
}
