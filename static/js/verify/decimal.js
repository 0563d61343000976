// Decimal numbers of any length, exactly: `units` (a BigInt) divided by 10 to the `scale`.
export class Decimal {
  constructor(units, scale = 0) {
    Object.assign(this, { units, scale });
  }

  static of(text) { // as JSON spells numbers; null where it spells none
    const [found, sign, whole, part = "", exponent = "0"] = text.match(/^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?$/) ?? [];
    if (found === undefined) return null;
    return new Decimal(BigInt(`${sign}${whole}${part}`), part.length).shifted(Number(exponent));
  }

  shifted(places) { // times 10 to the places
    const scale = this.scale - places;
    return scale >= 0 ? new Decimal(this.units, scale) : new Decimal(this.units * 10n ** BigInt(-scale));
  }

  minus(other) {
    const scale = Math.max(this.scale, other.scale);
    const [mine, theirs] = [this, other].map((one) => one.units * 10n ** BigInt(scale - one.scale));
    return new Decimal(mine - theirs, scale);
  }

  times(other) {
    return new Decimal(this.units * other.units, this.scale + other.scale);
  }

  roundedAway() { // to a whole number, half away from zero: what money is rounded by
    return this.sign < 0 ? -new Decimal(-this.units, this.scale).rounded() : this.rounded();
  }

  written() { // with all its digits behind the point, also those that say nothing: 1.0 is another text than 1
    const digits = (this.units < 0n ? -this.units : this.units).toString().padStart(this.scale + 1, "0");
    const [whole, part] = [digits.slice(0, digits.length - this.scale), digits.slice(digits.length - this.scale)];
    return `${this.units < 0n ? "-" : ""}${whole}${part && `.${part}`}`;
  }

  get sign() {
    return this.units > 0n ? 1 : this.units < 0n ? -1 : 0;
  }

  rounded() { // to a whole number (a BigInt), half up
    const one = 10n ** BigInt(this.scale);
    const twice = 2n * this.units + one;
    const [whole, rest] = [twice / (2n * one), twice % (2n * one)];
    return rest < 0n ? whole - 1n : whole;
  }

  toString() {
    const text = this.written();
    return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  }
}
