"""Tables that no format fits: mapped once in the admin, with its first rows before one's eyes, used again by name."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import Role
from stations.imports import tasks
from stations.models import ChargingSession, ImportMapping, ImportRun
from tests.people import browser_of, person
from tests.stations.test_importing import run
from tests.stations.test_imports_admin import browser, operator, upload

__all__ = ["browser", "operator"]
pytestmark = pytest.mark.django_db
ADD = "/admin/stations/importmapping/add/"
TABLE = (
    "Beleg;Von;Bis;Menge;Säule;Karte;Betrag;Bemerkung\n"
    "A-1;13.03.2026 08:00;13.03.2026 09:30;7,5;Garage 1;04A1B2C3;3,75;<b>x</b>\n"
    "A-2;14.03.2026 08:00;14.03.2026 09:30;8,5;Garage 1;04A1B2C3;4,25;\n"
)
CHOSEN = {
    "name": "wallbox",
    "number": "Beleg",
    "started": "Von",
    "stopped": "Bis",
    "energy": "Menge",
    "station": "Säule",
    "token": "Karte",
    "cost": "Betrag",
    "energy_unit": "kWh",
    "currency": "EUR",
    "time_zone": "Europe/Berlin",
}


def shown(client: Client, content: bytes = TABLE.encode("cp1252")) -> str:
    response = client.post(ADD, {"file": SimpleUploadedFile("list.csv", content)})
    assert response.status_code == 200
    return response.content.decode()


def preview_in(page: str) -> str:
    found = re.search(r'name="preview" value="([^"]*)"', page)
    assert found
    return html.unescape(found[1])


def test_a_table_is_mapped_and_imported(browser: Client, capsys: Any, tmp_path: Path) -> None:
    page = shown(browser)
    assert '<option value="Europe/Berlin">' in page and '<option value="EUR">EUR, Euro</option>' in page
    assert "Garage 1" in page and "&lt;b&gt;x" in page and '<option value="Säule">' in page
    response = browser.post(ADD, {**CHOSEN, "preview": preview_in(page)})
    assert response.status_code == 302 and LogEntry.objects.get().object_repr == "wallbox"
    mapping = ImportMapping.objects.get()
    assert upload(browser, TABLE.encode("cp1252"), mapping=str(mapping.pk), time_zone="").status_code == 302
    tasks.import_sweep()
    found = ImportRun.objects.get()
    assert (found.state, found.imported, found.form) == ("CHECKED", 2, "wallbox")
    path = tmp_path / "list.csv"
    path.write_bytes(TABLE.encode("cp1252"))
    status, told, _ = run(path, capsys, time_zone="", mapping="wallbox")
    assert status == 0 and "2 imported" in told
    session = ChargingSession.objects.select_related("station", "id_token").get(transaction_id="A-1")
    assert (session.energy_wh, session.cost_minor, session.currency) == (7500, 375, "EUR")
    assert session.station.identity.startswith("wallbox-Garage-1") and session.started_at.hour == 7
    status, told, _ = run(path, capsys, time_zone="", mapping="wallbox")
    assert "2 already there" in told


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"started": ""}, "This field is required"),
        ({"stopped": "Von"}, "One column was chosen twice"),
        ({"currency": ""}, "Which currency is the cost in?"),
        ({"currency": "XXQ"}, "Which currency is the cost in?"),
        ({"name": "steve"}, "There is one of this name already"),
        ({"name": "Über"}, "Expected letters a to z"),
        ({"energy": "Menge 2"}, "Select a valid choice"),
        ({"time_zone": "Mars/Base"}, "expected an IANA time zone"),
    ],
)
def test_choices_that_make_no_sense(changes: dict[str, str], words: str, browser: Client) -> None:
    response = browser.post(ADD, {**CHOSEN, **changes, "preview": preview_in(shown(browser))})
    page = response.content.decode()
    assert response.status_code == 200 and words in page and "Garage 1" in page  # the rows stay before one's eyes
    assert not ImportMapping.objects.exists()


@pytest.mark.parametrize("preview", ["", "[", "[[1]]", '{"a": 1}', "[]", json.dumps([["x" * 200_000]])])
def test_a_preview_that_was_made_up_begins_anew(preview: str, browser: Client) -> None:
    response = browser.post(ADD, {**CHOSEN, "preview": preview})
    assert response.status_code == 200 and "Show its columns" in response.content.decode()


def test_files_that_are_no_table(browser: Client) -> None:
    for content, words in ((b"%PDF-1.7", "got a PDF"), (b'{"a": 1}', "expected a table, got JSON"), (b"", "is empty")):
        assert words in shown(browser, content)


def test_a_file_that_lacks_a_column(browser: Client, capsys: Any, tmp_path: Path) -> None:
    ImportMapping.objects.create(name="w", columns={"started": "Von", "stopped": "Bis", "energy": "kWh"})
    path = tmp_path / "list.csv"
    path.write_bytes(TABLE.encode())
    status, _, error = run(path, capsys, mapping="w")
    assert status == 1 and "the mapping w wants the columns kWh" in error and "Beleg, Von, Bis" in error
    status, _, error = run(path, capsys, mapping="x")
    assert status == 1 and "there is no x; there are w" in error


def test_others_can_make_none() -> None:
    for client in (browser_of(person("axel", Role.AUDITOR)), browser_of(person("anna", Role.CUSTOMER)), Client()):
        assert client.get(ADD).status_code in {302, 403, 404}
        assert client.post(ADD, {**CHOSEN, "preview": json.dumps([["Von"]])}).status_code in {302, 403, 404}
    assert not ImportMapping.objects.exists()
