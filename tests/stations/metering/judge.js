// What Road Labs' reader says of OCMF texts: each line of the input is {"text", "key"} (hex of SubjectPublicKeyInfo),
// each line of the output true or false.
const { createRequire } = require("module");
const load = createRequire(process.env.NODE_MODULES + "/");
const { Verifier } = load("@road-labs/ocmf");
const { Crypto } = load("@road-labs/ocmf-crypto-noble");

async function main() {
  const crypto = new Crypto();
  const verifier = new Verifier(crypto);
  for (const line of require("fs").readFileSync(0, "utf-8").trim().split("\n")) {
    const { text, key } = JSON.parse(line);
    let accepted = false;
    try {
      const known = await crypto.decodeEcPublicKey(new Uint8Array(Buffer.from(key, "hex")), "spki-der");
      accepted = (await verifier.parseAndVerify(text, known)).verified;
    } catch (error) {
      if (process.env.SHOW) console.error(String(error));
    }
    console.log(accepted);
  }
}

main();
