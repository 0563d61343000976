// In which TPM was the key made? What a receipt's `attestation` says of it (TPM 2.0 Library, Part 2: TPMT_PUBLIC
// 12.2.4, TPMS_ATTEST 10.12.12, TPMA_OBJECT 8.3, TPM_ALG_ID 6.3). Nobody has to be asked for that.
import { Reader, base58, base64, big, bigBytes, concat, equal, hexOf, need, sha256, utf8 } from "./encoding.js";
import { compress, fromDer, isSignedBy, point } from "./p256.js";

export const FORMAT = "evportal-key-certification/1";
export const PARTS = ["key", "attest", "signature", "ak", "ek_certificate"];
// sign, sensitiveDataOrigin, fixedParent, fixedTPM
const MADE_THERE = (1 << 18) | (1 << 5) | (1 << 4) | (1 << 1), RESTRICTED = 1 << 16, DECRYPT = 1 << 17;
const RSAES = 0x15, ECC = 0x23, SHA_256 = 0x0b, NONE = 0x10, P256 = 0x03, SYMMETRIC = 0x06;
const WITH_HASH = [0x14, 0x16, 0x17, 0x18, 0x19, 0x1b, 0x1c, 0x1d], KDFS = [0x20, 0x21, 0x22];
const OWNER = 0x40000001n, ENDORSEMENT = 0x4000000bn; // an AK is a primary key of one of these

const tpmName = async (data) => concat(Uint8Array.of(0, SHA_256), await sha256(data)); // Part 1, 16

function publicKey(data, what) { // attributes and point of a TPMT_PUBLIC
  const area = new Reader(data, what);
  const [type, algorithm] = [area.number(2), area.number(2)];
  need(type === ECC && algorithm === SHA_256, `${what}: no ECC key with the name algorithm SHA-256`);
  const attributes = area.number(4);
  need([0, 32].includes(area.sized().length), `${what}: a policy that is none`);
  const symmetric = area.number(2);
  need(symmetric === NONE || (symmetric === SYMMETRIC && area.take(4)), `${what}: its symmetric algorithm`);
  const scheme = area.number(2);
  need(scheme === NONE || scheme === RSAES || (WITH_HASH.includes(scheme) && area.take(2)), `${what}: its scheme`);
  need(area.number(2) === P256, `${what}: another curve than P-256`);
  const kdf = area.number(2);
  need(kdf === NONE || (KDFS.includes(kdf) && area.take(2)), `${what}: its key derivation`);
  const [x, y] = [area.sized(), area.sized()];
  area.end();
  need(x.length <= 32 && y.length <= 32, `${what}: coordinates of ${x.length} and ${y.length} bytes`);
  return { attributes, point: point(big(x), big(y)) };
}

function checkAk(attributes) {
  need((attributes & MADE_THERE) === MADE_THERE, "ak: not a signing key made in a TPM and fixed to it");
  need(attributes & RESTRICTED, "ak: not restricted, it signs also what no TPM states");
  need(!(attributes & DECRYPT), "ak: a decryption key");
}

function statement(data) { // what the AK signed: a certification of the key with this name
  const stated = new Reader(data, "attest");
  need(stated.number(4) === 0xff544347, "attest: not made by a TPM (magic)");
  need(stated.number(2) === 0x8017, "attest: not a certification (type)");
  const [signer, extra] = [stated.sized(), stated.sized()];
  need(stated.take(17)[16] < 2, "attest: clockInfo");
  stated.take(8); // firmware version
  const name = stated.sized();
  stated.sized(); // qualified name
  stated.end();
  return { signer, extra, name };
}

// The fingerprint of the AK that certifies this key (PUB_R1_…); throws where none does.
export async function certified(proof, publicKeyText) {
  const [key, attest, signature, ak] = PARTS.slice(0, 4).map((part) => base64(proof[part], part));
  const certificate = proof.ek_certificate === null ? new Uint8Array() : base64(proof.ek_certificate, "ek_certificate");
  const akKey = publicKey(ak, "ak");
  checkAk(akKey.attributes);
  need(await isSignedBy(akKey.point, fromDer(signature), attest), "signature: not the AK's over attest");
  const { signer, extra, name } = statement(attest);
  const akName = await tpmName(ak);
  const primaries = [OWNER, ENDORSEMENT].map((handle) => tpmName(concat(bigBytes(handle, 4), akName)));
  const isSigner = (await Promise.all(primaries)).some((primary) => equal(primary, signer));
  need(isSigner, "attest: made by another AK (qualifiedSigner)");
  const nonce = await sha256(utf8(FORMAT), certificate);
  need(equal(extra, nonce), "attest: made for another EK certificate (extraData)");
  need(equal(name, await tpmName(key)), "attest: certifies another key");
  const made = publicKey(key, "key");
  const kind = made.attributes & (MADE_THERE | RESTRICTED | DECRYPT);
  need(kind === MADE_THERE, "key: not made in a TPM, fixed to it, to sign");
  need(equal(base58(publicKeyText, "PUB").data, compress(made.point)), "key: not the receipt's public key");
  return hexOf(await sha256(ak));
}
