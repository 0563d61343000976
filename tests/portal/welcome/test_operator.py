"""Who runs the portal, from its settings."""

from pytest_django.fixtures import Settings

from portal.welcome.operator import operator


def test_the_address_is_a_line_each(settings: Settings) -> None:
    settings.OPERATOR_NAME, settings.OPERATOR_VAT_ID = " Harbour charging ", "DE123456789"
    settings.OPERATOR_ADDRESS = "Quay 1 | 20457 Hamburg|\n Germany\n"
    found = operator()
    assert found and (found.name, found.vat_id, found.contact) == ("Harbour charging", "DE123456789", "")
    assert found.address == ("Quay 1", "20457 Hamburg", "Germany")


def test_nothing_set_is_nothing(settings: Settings) -> None:
    settings.OPERATOR_NAME = settings.OPERATOR_ADDRESS = settings.OPERATOR_CONTACT = settings.OPERATOR_VAT_ID = ""
    assert not operator() and operator().address == ()
