"""Addresses of the driver's pages."""

from django.urls import path

from ledger import check_pages, history_pages, pages

urlpatterns = [
    path("", history_pages.history_page, name="history"),
    path("history.csv", history_pages.history_csv, name="history_csv"),
    path("sessions/<uuid:session_id>", pages.session_page, name="session"),
    path("sessions/<uuid:session_id>/meter-values.csv", pages.meter_values_csv, name="meter_values_csv"),
    path("sessions/<uuid:session_id>/receipt.json", pages.receipt_file, name="receipt"),
    path("sessions/<uuid:session_id>/verify", pages.verify_page, name="verify"),
    path("sessions/<uuid:session_id>/receipt", check_pages.receipt_page, name="receipt_page"),
    path("verify", check_pages.public_check, name="public_check"),
    path("verify_receipt.py", pages.standalone_script, name="standalone_script"),
]
