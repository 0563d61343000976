"""How the document describes the strict members of bodies."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension

from api.forms import TIME
from api.strict_fields import SURROGATES
from gateway.rest.serializers import SAMPLES_MAX
from stations.charging.vocabulary import CONTEXTS, MEASURANDS, PHASES

Schema = dict[str, Any]


class TextSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # it registers itself
    target_class = "api.strict_fields.TextField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        """The words that may be, or the pattern as a whole."""
        if self.target.one_of is not None:
            return {"type": "string", "enum": list(self.target.one_of)}
        # Lone surrogates cannot stand in JSON's UTF-8; engines of other languages know no such class.
        return {"type": "string", "pattern": f"^(?:{self.target.pattern})$".replace(SURROGATES, "")}


class WholeNumberSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "api.strict_fields.WholeNumberField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        """With its least and greatest."""
        return {"type": "integer", "minimum": self.target.minimum, "maximum": self.target.maximum}


class FlagSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "api.strict_fields.FlagField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        """True or false."""
        return {"type": "boolean"}


class MomentSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "gateway.rest.serializers.MomentField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        """RFC 3339, with offset."""
        return {"type": "string", "format": "date-time", "pattern": f"^{TIME.pattern}$"}


class ValuesSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "gateway.rest.serializers.ReadField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        """Sampled values at their best; one that is said otherwise is set aside."""
        units = sorted({unit for _, units in MEASURANDS.values() for unit, _ in units.values()})
        texts = {"measurand": list(MEASURANDS), "unit": units, "phase": PHASES, "context": CONTEXTS}
        members: Schema = {
            "sampled_at": {"type": "string", "description": "RFC 3339, with offset"},
            "value": {"anyOf": [{"type": "number"}, {"type": "string"}]},
            **{
                name: {"type": "string", "description": ", ".join(filter(None, known))} for name, known in texts.items()
            },
        }
        sample = {"type": "object", "properties": members, "required": ["sampled_at", "value"]}
        return {"type": "array", "minItems": 1, "maxItems": SAMPLES_MAX, "items": sample}


class SignedSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "gateway.rest.serializers.SignedField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        """Texts that a meter signed; what cannot be kept is set aside."""
        words = {
            "text": "exactly as the meter gave it: OCMF as text, or whatever it is in hexadecimal or Base64",
            "format": "OCMF, ALFEN, EDL40, …; known from the text where it is OCMF",
            "encoding": "plain, hex or base64; known from the text where it is not told",
            "context": "Transaction.Begin, Transaction.End, … as in OCPP",
            "public_key": "the meter's; it proves nothing until an operator has confirmed it",
        }
        members = {name: {"type": "string", "description": said} for name, said in words.items()}
        value = {"type": "object", "properties": members, "required": ["text"], "additionalProperties": False}
        return {"type": "array", "maxItems": SAMPLES_MAX, "items": value}
