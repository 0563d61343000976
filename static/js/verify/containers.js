// The XML container of S.A.F.E.'s transparency software: the signed values of one charge.
import { need } from "./encoding.js";
import { decoder } from "./json.js";

const CONTAINER_MAX = 8 * 1024 * 1024;

function valueOf(element) {
  const found = ["signedData", "encodedData"].map((name) => [...element.children].find(({ localName }) => localName === name));
  const signed = found.find(Boolean);
  need(signed && !signed.children.length, "a <value> without <signedData>");
  const text = signed.textContent.trim();
  const format = signed.getAttribute("format") || (text.startsWith("OCMF|") ? "OCMF" : "unknown");
  return { format: format.toUpperCase(), encoding: (signed.getAttribute("encoding") || "plain").toLowerCase(), text };
}

function valuesOf(data) {
  need(data.length <= CONTAINER_MAX, "larger than containers are");
  const text = decoder().decode(data);
  need(!/<!DOCTYPE|<!ENTITY/.test(text), "a container has no document type");
  const page = new DOMParser().parseFromString(text, "application/xml");
  need(!page.querySelector("parsererror"), "no XML");
  return [...page.getElementsByTagName("value")].filter(({ namespaceURI }) => namespaceURI === null).map(valueOf);
}

// Whether a container (bytes) has these values of a record, in their order, and no other.
export function hasSameTexts(data, values) {
  try {
    const found = valuesOf(data);
    const isSame = ({ format, encoding, text }, i) =>
      format === values[i].format && encoding === values[i].encoding && text === values[i].text.trim();
    return found.length === values.length && found.every(isSame);
  } catch {
    return false;
  }
}
