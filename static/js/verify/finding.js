// What is found in a step: { source, expected, found, good }; `good` is null where the source cannot tell.
import { certified } from "./tpm.js";

export const fromReceipt = (expected, found, good = expected === found) => ({ source: "receipt", expected, found, good });

// In which TPM was this key made? `key`: the point in its short form, or a function that gives it.
export async function origin(proof, key, ak) {
  const expected = ak ? `made in the TPM of AK ${ak}` : "made in a TPM, where the receipt tells of one";
  if (proof === null) return fromReceipt(expected, "the receipt does not say in which TPM the key was made", !ak);
  try {
    const found = await certified(proof, key());
    const worth = "worth as much as that AK, published beside the key";
    return fromReceipt(expected, `made in the TPM of AK ${found}; ${worth}`, !ak || ak === found);
  } catch (error) {
    return fromReceipt(expected, `no certification: ${error.message}`, false);
  }
}
