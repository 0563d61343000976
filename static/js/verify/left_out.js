// Is a charge left out of a statement between its first and its last? The registers of a meter tell: where one charge
// ends, the next begins. Only what the meter signed counts here.

// For each meter, in the order of its readings, where something lies between two charges of the statement:
// { meter, wh, records, from, to }: so much energy, and so many signed records, which the statement does not have.
// `unsigned`: how many charges have nothing that the meter signed, of which this cannot be said.
export function leftOut(charges) {
  const signed = charges.filter(({ notices }) => notices?.signed?.startsWith("VERIFIED")).map(({ judged }) => judged);
  const meters = new Map();
  for (const found of signed) {
    const name = JSON.stringify([found.meter, found.key]);
    meters.set(name, [...(meters.get(name) ?? []), found]);
  }
  return {
    unsigned: charges.length - signed.length,
    meters: meters.size,
    gaps: [...meters.values()].flatMap(gapsOf),
  };
}

function gapsOf(readings) {
  const inOrder = readings.sort((a, b) => a.begin.wh.minus(b.begin.wh).sign || a.end.wh.minus(b.end.wh).sign || a.begin.at - b.begin.at);
  const pairs = inOrder.slice(1).map((next, i) => [inOrder[i], next]);
  return pairs.map(([{ meter, end }, { begin }]) => {
    const records = begin.page !== null && end.page !== null ? begin.page - end.page - 1n : 0n;
    return { meter, wh: begin.wh.minus(end.wh), records, from: end.at, to: begin.at };
  }).filter(({ wh, records }) => wh.sign !== 0 || records > 0n);
}
