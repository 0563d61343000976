"""Addresses of the driver's pages."""

from django.urls import path, register_converter

from portal.charging import pages as charging_pages
from portal.employer import pages as employer_pages
from portal.history import pages as history_pages
from portal.invoice import pages as invoice_pages
from portal.proof import meter_keys, public_check, signed
from portal.proof import pages as proof_pages
from portal.session import pages
from portal.statements import pages as statement_pages
from portal.vehicles import pages as vehicle_pages
from portal.welcome import pages as welcome_pages

register_converter(statement_pages.PeriodConverter, "period")
register_converter(employer_pages.PlacesConverter, "places")
register_converter(employer_pages.KindConverter, "kind")

urlpatterns = [
    path("", history_pages.history_page, name="history"),
    path("history.csv", history_pages.history_csv, name="history_csv"),
    path("sessions/<uuid:session_id>", pages.session_page, name="session"),
    path("sessions/<uuid:session_id>/stop", charging_pages.stop_page, name="charge_stop"),
    path("charge", charging_pages.charge_page, name="charge"),
    path("charge/outlet/<int:pk>", charging_pages.outlet_known_page, name="charge_outlet_known"),
    path("charge/start/<int:pk>", charging_pages.start_page, name="charge_start"),
    path("charge/<str:evse_id>", charging_pages.outlet_page, name="charge_outlet"),
    path("sessions/<uuid:session_id>/meter-values.csv", pages.meter_values_csv, name="meter_values_csv"),
    path("sessions/<uuid:session_id>/meter-values.xml", signed.meter_values_xml, name="meter_values_xml"),
    path("sessions/<uuid:session_id>/receipt.json", proof_pages.receipt_file, name="receipt"),
    path("sessions/<uuid:session_id>/verify", proof_pages.verify_page, name="verify"),
    path("sessions/<uuid:session_id>/receipt", proof_pages.receipt_page, name="receipt_page"),
    path("statements", statement_pages.statements_page, name="statements"),
    path("statements/invoices", invoice_pages.invoices_page, name="invoices"),
    path("statements/by-mail", statement_pages.statement_subscription, name="statement_subscription"),
    path("statements/<period:of>.pdf", statement_pages.statement_pdf_file, name="statement_pdf"),
    path("statements/<period:of>.csv", statement_pages.statement_csv_file, name="statement_csv"),
    path("statements/<period:of>/making", statement_pages.statement_making, name="statement_making"),
    path("statements/<period:of>/mail", statement_pages.statement_mail, name="statement_mail"),
    path("sessions/<uuid:session_id>/vehicle", vehicle_pages.charge_vehicle_page, name="charge_vehicle"),
    path("vehicles", vehicle_pages.vehicles_page, name="vehicles"),
    path("vehicles/homes", vehicle_pages.homes_set, name="homes_set"),
    path("vehicles/years/<int:year>", vehicle_pages.year_page, name="vehicle_year"),
    path("vehicles/<int:vehicle_id>", vehicle_pages.vehicle_page, name="vehicle"),
    path("vehicles/<int:vehicle_id>/remove", vehicle_pages.vehicle_remove_page, name="vehicle_remove"),
    path(
        "vehicles/<int:vehicle_id>/statements/<places:places>",
        employer_pages.statements_page,
        name="vehicle_statements",
    ),
    path(
        "vehicles/<int:vehicle_id>/statements/<places:places>/recipient",
        employer_pages.recipient_set,
        name="recipient_set",
    ),
    path("statements/for/<str:token>", employer_pages.recipient_page, name="recipient"),
    path(
        "vehicles/<int:vehicle_id>/statements/<places:places>/<period:of>.csv",
        employer_pages.statement_csv_file,
        name="vehicle_statement_csv",
    ),
    path(
        "vehicles/<int:vehicle_id>/statements/<places:places>/<period:of>.<kind:kind>",
        employer_pages.statement_file,
        name="vehicle_statement",
    ),
    path(
        "vehicles/<int:vehicle_id>/statements/<places:places>/<period:of>/making/<kind:kind>",
        employer_pages.statement_making,
        name="vehicle_statement_making",
    ),
    path("privacy", welcome_pages.privacy_page, name="privacy"),
    path("imprint", welcome_pages.imprint_page, name="imprint"),
    path("verify", public_check.public_check, name="public_check"),
    path("meter-keys", meter_keys.meter_keys_page, name="meter_keys"),
    path("meter-keys.json", meter_keys.meter_keys_file, name="meter_keys_file"),
    path("verify_receipt.py", proof_pages.standalone_script, name="standalone_script"),
    *(
        path(f"{name}.py", proof_pages.standalone_beside, {"name": name}, name=f"standalone_{name}")
        for name in ("verify_meter", "verify_statement")
    ),
    path("evportal-verify.html", proof_pages.standalone_page, name="standalone_page"),
]
