// How many digits currencies have after the point, ISO 4217: those that have not two. Intl knows another list, that of
// how prices are usually written (AFN and LAK without any). tests/stations/test_currencies.py compares with the standard.
const DIGITS = {
  0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
  3: "BHD IQD JOD KWD LYD OMR TND",
  4: "CLF UYW",
};

export function minorDigits(currency) {
  const found = Object.entries(DIGITS).find(([, codes]) => codes.split(" ").includes(currency));
  return found ? Number(found[0]) : 2;
}
