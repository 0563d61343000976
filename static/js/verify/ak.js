// What a witness says of the TPM (evportal-ak-certificate/1): that it saw itself that this AK and this EK live in one.
import { base64, hash, hexOf, need, sha256, utf8 } from "./encoding.js";
import { isSigned } from "./ed25519.js";

const FORMAT = "evportal-ak-certificate/1";

// Throws where it does not hold: it has to be the witness', and of a TPM that one of the receipt's certifications is of.
export async function checkAkCertificate(certificate, witness, certifications) {
  const { format, ak, ek_certificate: ek, root, time, signature } = certificate;
  need(format === FORMAT, `of another form than ${FORMAT}`);
  for (const [name, value] of Object.entries({ ak, ek_certificate: ek, root })) hash(value, name);
  const lines = [FORMAT, witness.name, ak, ek, root, String(time)];
  const signed = utf8(lines.map((line) => `${line}\n`).join(""));
  need(await isSigned(witness.key, base64(signature, "its signature"), signed), "not signed by this witness");
  const named = await Promise.all(certifications.filter(Boolean).map(tpmOf));
  need(named.includes(`${ak} ${ek}`), "of another TPM than those of the receipt");
}

async function tpmOf({ ak, ek_certificate: ek }) { // "" where it names no EK certificate
  if (ek === null) return "";
  const hashes = [base64(ak, "ak"), base64(ek, "ek_certificate")].map((data) => sha256(data));
  return (await Promise.all(hashes)).map(hexOf).join(" ");
}
