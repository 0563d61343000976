"""PURE: an invoice as ZUGFeRD/Factur-X wants it inside of the PDF: UN/CEFACT Cross Industry Invoice, profile EN 16931.

Elements stand in the order of the schema. Comments name the business terms of EN 16931.
"""

from datetime import date
from decimal import Decimal
from xml.etree import ElementTree

from portal.invoice.invoice import Invoice, Line, Party, Tax

FILE_NAME = "factur-x.xml"
GUIDELINE = "urn:cen.eu:en16931:2017"
PROFILE = "EN 16931"  # as the PDF's metadata call it
VERSION = "1.0"
INVOICE = "380"

_SPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
}
for _prefix, _space in _SPACES.items():
    ElementTree.register_namespace(_prefix, _space)

Element = ElementTree.Element


def xml_of(invoice: Invoice, *, terms: str) -> bytes:
    """The file. `terms` say when it is to be paid (BT-20)."""
    root = Element(_name("rsm:CrossIndustryInvoice"))
    context = _add(root, "rsm:ExchangedDocumentContext")
    _text(_add(context, "ram:GuidelineSpecifiedDocumentContextParameter"), "ram:ID", GUIDELINE)  # BT-24
    document = _add(root, "rsm:ExchangedDocument")
    _text(document, "ram:ID", invoice.number)  # BT-1
    _text(document, "ram:TypeCode", INVOICE)  # BT-3
    _date(_add(document, "ram:IssueDateTime"), invoice.issued)  # BT-2
    trade = _add(root, "rsm:SupplyChainTradeTransaction")
    for number, line in enumerate(invoice.lines, 1):
        _line(trade, number, line, invoice)
    _agreement(trade, invoice)
    delivery = _add(_add(trade, "ram:ApplicableHeaderTradeDelivery"), "ram:ActualDeliverySupplyChainEvent")
    _date(_add(delivery, "ram:OccurrenceDateTime"), invoice.last_day)  # BT-72
    _settlement(trade, invoice, terms)
    ElementTree.indent(root)
    content: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _line(trade: Element, number: int, line: Line, invoice: Invoice) -> None:
    item = line.item
    root = _add(trade, "ram:IncludedSupplyChainTradeLineItem")
    _text(_add(root, "ram:AssociatedDocumentLineDocument"), "ram:LineID", str(number))  # BT-126
    product = _add(root, "ram:SpecifiedTradeProduct")
    _text(product, "ram:Name", item.name)  # BT-153
    if item.note:
        _text(product, "ram:Description", item.note)  # BT-154
    price = _add(_add(root, "ram:SpecifiedLineTradeAgreement"), "ram:NetPriceProductTradePrice")
    _text(price, "ram:ChargeAmount", _decimal(line.price))  # BT-146
    _text(price, "ram:BasisQuantity", "1", unitCode=item.unit)  # BT-149, BT-150
    delivery = _add(root, "ram:SpecifiedLineTradeDelivery")
    _text(delivery, "ram:BilledQuantity", _decimal(item.quantity), unitCode=item.unit)  # BT-129, BT-130
    settlement = _add(root, "ram:SpecifiedLineTradeSettlement")
    tax = _add(settlement, "ram:ApplicableTradeTax")
    _text(tax, "ram:TypeCode", "VAT")
    _text(tax, "ram:CategoryCode", _category(item.percent))  # BT-151
    _text(tax, "ram:RateApplicablePercent", _decimal(item.percent))  # BT-152
    sums = _add(settlement, "ram:SpecifiedTradeSettlementLineMonetarySummation")
    _text(sums, "ram:LineTotalAmount", _money(line.net_minor, invoice))  # BT-131


def _agreement(trade: Element, invoice: Invoice) -> None:
    root = _add(trade, "ram:ApplicableHeaderTradeAgreement")
    if invoice.reference:
        _text(root, "ram:BuyerReference", invoice.reference)  # BT-10
    _party(_add(root, "ram:SellerTradeParty"), invoice.seller)
    _party(_add(root, "ram:BuyerTradeParty"), invoice.buyer)


def _party(root: Element, party: Party) -> None:
    _text(root, "ram:Name", party.name)  # BT-27, BT-44
    address = _add(root, "ram:PostalTradeAddress")
    _text(address, "ram:PostcodeCode", party.postal_code)
    for name, line in zip(("ram:LineOne", "ram:LineTwo", "ram:LineThree"), party.lines, strict=False):
        _text(address, name, line)
    _text(address, "ram:CityName", party.city)
    _text(address, "ram:CountryID", party.country)  # BT-40, BT-55
    if party.vat_id:
        registration = _add(root, "ram:SpecifiedTaxRegistration")
        _text(registration, "ram:ID", party.vat_id, schemeID="VA")  # BT-31


def _settlement(trade: Element, invoice: Invoice, terms: str) -> None:
    root = _add(trade, "ram:ApplicableHeaderTradeSettlement")
    _text(root, "ram:InvoiceCurrencyCode", invoice.currency)  # BT-5
    for tax in invoice.taxes:
        _tax(root, tax, invoice)
    period = _add(root, "ram:BillingSpecifiedPeriod")
    _date(_add(period, "ram:StartDateTime"), invoice.first_day)  # BT-73
    _date(_add(period, "ram:EndDateTime"), invoice.last_day)  # BT-74
    _text(_add(root, "ram:SpecifiedTradePaymentTerms"), "ram:Description", terms)  # BT-20
    sums = _add(root, "ram:SpecifiedTradeSettlementHeaderMonetarySummation")
    gross_minor = invoice.net_minor + invoice.vat_minor
    _text(sums, "ram:LineTotalAmount", _money(invoice.net_minor, invoice))  # BT-106
    _text(sums, "ram:TaxBasisTotalAmount", _money(invoice.net_minor, invoice))  # BT-109
    _text(sums, "ram:TaxTotalAmount", _money(invoice.vat_minor, invoice), currencyID=invoice.currency)  # BT-110
    if invoice.rounding_minor:
        _text(sums, "ram:RoundingAmount", _money(invoice.rounding_minor, invoice))  # BT-114
    _text(sums, "ram:GrandTotalAmount", _money(gross_minor, invoice))  # BT-112
    _text(sums, "ram:DuePayableAmount", _money(invoice.paid_minor, invoice))  # BT-115


def _tax(root: Element, tax: Tax, invoice: Invoice) -> None:
    found = _add(root, "ram:ApplicableTradeTax")
    _text(found, "ram:CalculatedAmount", _money(tax.vat_minor, invoice))  # BT-117
    _text(found, "ram:TypeCode", "VAT")
    _text(found, "ram:BasisAmount", _money(tax.net_minor, invoice))  # BT-116
    _text(found, "ram:CategoryCode", _category(tax.percent))  # BT-118
    _text(found, "ram:RateApplicablePercent", _decimal(tax.percent))  # BT-119


def _category(percent: Decimal) -> str:
    """UNTDID 5305: the standard rate, or zero."""
    return "S" if percent else "Z"


def _money(minor: int, invoice: Invoice) -> str:
    """With the decimals of the currency, at most the two that EN 16931 allows."""
    return f"{Decimal(minor).scaleb(-invoice.digits):f}"


def _decimal(value: Decimal) -> str:
    return f"{value:f}"


def _date(parent: Element, day: date) -> None:
    _text(parent, "udt:DateTimeString", f"{day:%Y%m%d}", format="102")


def _name(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{_SPACES[prefix]}}}{local}"


def _add(parent: Element, name: str) -> Element:
    return ElementTree.SubElement(parent, _name(name))


def _text(parent: Element, name: str, text: str, **attributes: str) -> None:
    """Nothing where there is nothing to say; without what XML cannot say."""
    said = "".join(
        letter for letter in text if letter in "\t\n" or (ord(letter) >= 0x20 and letter not in "\ufffe\uffff")
    )
    if said.strip():
        ElementTree.SubElement(parent, _name(name), attributes).text = said
