"""`make papers`: the table of settings, the tables of OCPP's messages and of commands, and the diagrams."""

import os

import django

from dev.papers import drawing, rooms, settings_table


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evportal.settings")
    django.setup()
    from dev.papers import commands_table, ocpp_table

    settings_table.PAGE.write_text(settings_table.page())
    ocpp_table.PAGE.write_text(ocpp_table.page())
    commands_table.PAGE.write_text(commands_table.page())
    (drawing.DIAGRAMS / "rooms.dot").write_text(rooms.dot())
    for name in drawing.NAMES:
        drawing.draw(name)


main()
