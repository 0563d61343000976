"""`make papers`: the table of settings and the diagrams."""

from dev.papers import drawing, rooms, settings_table


def main() -> None:
    settings_table.PAGE.write_text(settings_table.page())
    (drawing.DIAGRAMS / "rooms.dot").write_text(rooms.dot())
    for name in drawing.NAMES:
        drawing.draw(name)


main()
