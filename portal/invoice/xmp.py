"""PURE: what the metadata of a PDF say of an invoice in it (Factur-X 1.08, section 6.2), and that the paper is PDF/UA.

PDF/A wants each property explained that it does not know itself: hence the schemas.
"""

from xml.sax.saxutils import escape

FX = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
UA = "http://www.aiim.org/pdfua/ns/id/"


def xmp_of(*, file_name: str, profile: str, version: str) -> bytes:
    """RDF descriptions, to stand beside the others."""
    facts = {"DocumentType": "INVOICE", "DocumentFileName": file_name, "Version": version, "ConformanceLevel": profile}
    about = {
        "DocumentFileName": "The name of the embedded XML document",
        "DocumentType": "The type of the hybrid document",
        "Version": "The version of the standard of the embedded XML document",
        "ConformanceLevel": "The conformance level of the embedded XML document",
    }
    schemas = _schema(
        "Factur-X PDFA Extension Schema", FX, "fx", {name: ("Text", text) for name, text in about.items()}
    )
    schemas += _schema("PDF/UA identification", UA, "pdfuaid", {"part": ("Integer", "The part of PDF/UA")})
    said = "".join(f"<fx:{name}>{escape(value)}</fx:{name}>" for name, value in facts.items())
    return (
        f'<rdf:Description xmlns:pdfuaid="{UA}" rdf:about=""><pdfuaid:part>1</pdfuaid:part></rdf:Description>'
        '<rdf:Description xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"'
        ' xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"'
        ' xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#" rdf:about="">'
        f"<pdfaExtension:schemas><rdf:Bag>{schemas}</rdf:Bag></pdfaExtension:schemas></rdf:Description>"
        f'<rdf:Description xmlns:fx="{FX}" rdf:about="">{said}</rdf:Description>'
    ).encode()


def _schema(title: str, space: str, prefix: str, properties: dict[str, tuple[str, str]]) -> str:
    listed = "".join(
        '<rdf:li rdf:parseType="Resource">'
        f"<pdfaProperty:name>{name}</pdfaProperty:name><pdfaProperty:valueType>{kind}</pdfaProperty:valueType>"
        f"<pdfaProperty:category>{'internal' if kind == 'Integer' else 'external'}</pdfaProperty:category>"
        f"<pdfaProperty:description>{text}</pdfaProperty:description></rdf:li>"
        for name, (kind, text) in properties.items()
    )
    return (
        '<rdf:li rdf:parseType="Resource">'
        f"<pdfaSchema:schema>{title}</pdfaSchema:schema><pdfaSchema:namespaceURI>{space}</pdfaSchema:namespaceURI>"
        f"<pdfaSchema:prefix>{prefix}</pdfaSchema:prefix>"
        f"<pdfaSchema:property><rdf:Seq>{listed}</rdf:Seq></pdfaSchema:property></rdf:li>"
    )
