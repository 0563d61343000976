// Is a charge left out of a statement between its first and its last? The registers of a meter tell: where one charge
// ends, the next begins. Only what the meter signed counts here.

// A credit takes back what an earlier entry said: nothing was charged in it, and no meter signs it.
export const isCredit = ({ receipt }) => Boolean(receipt) && "credit_reference_id" in receipt.record;

// For each meter, in the order of its readings, where something lies between two charges of the statement:
// { meter, wh, records, from, to }: so much energy, and so many signed records, which the statement does not have.
// `unsigned`: how many charges have nothing that the meter signed, of which this cannot be said.
export function leftOut(charges) {
  const real = charges.filter((one) => !isCredit(one));
  const signed = real.filter(({ notices }) => notices?.signed?.startsWith("VERIFIED"));
  const meters = new Map();
  for (const { judged, receipt } of signed) {
    const name = JSON.stringify([judged.meter, receipt.record.meter_public_key]);
    meters.set(name, [...(meters.get(name) ?? []), judged]);
  }
  return { unsigned: real.length - signed.length, gaps: [...meters.values()].flatMap(gapsOf) };
}

function isSame(one, other) { // a charge that was corrected stands there twice, with the same readings
  const [mine, theirs] = [one, other].map(({ begin, end }) => [begin.wh, begin.at, end.wh, end.at].map(String).join(" "));
  return mine === theirs;
}

function compare(one, other) {
  return one.begin.wh.minus(other.begin.wh).sign || one.end.wh.minus(other.end.wh).sign || Number(one.begin.at - other.begin.at);
}

function gapsOf(readings) {
  const inOrder = [...readings].sort(compare);
  const distinct = inOrder.filter((one, i) => i === 0 || !isSame(one, inOrder[i - 1]));
  const pairs = distinct.slice(1).map((next, i) => [distinct[i], next]);
  const gaps = pairs.map(([{ meter, end }, { begin }]) => {
    return { meter, wh: begin.wh.minus(end.wh), records: begin.page - end.page - 1n, from: end.at, to: begin.at };
  });
  return gaps.filter(({ wh, records }) => wh.sign !== 0 || records > 0n);
}
