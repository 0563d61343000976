"""Who runs this portal, as pages and papers say it: from the settings EVPORTAL_OPERATOR_*."""

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True)
class Operator:
    """`address` is a line each; what the operator has not set is empty."""

    name: str
    address: tuple[str, ...]
    contact: str
    vat_id: str

    def __bool__(self) -> bool:
        return any((self.name, self.address, self.contact, self.vat_id))


def operator() -> Operator:
    """As it is set now. Lines of the address are apart by | or are lines."""
    lines = settings.OPERATOR_ADDRESS.replace("|", "\n").splitlines()
    address = tuple(line.strip() for line in lines if line.strip())
    name, contact, vat_id = settings.OPERATOR_NAME, settings.OPERATOR_CONTACT, settings.OPERATOR_VAT_ID
    return Operator(name.strip(), address, contact.strip(), vat_id.strip())
