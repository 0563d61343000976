"""Builds the check as one page, which works when saved and opened from a disk, and SHA256SUMS of page and scripts.

    python -m ledger.standalone.build

From the same tree it makes the same bytes anywhere: there is no time and no path in them. What is committed is what it
builds (the tests compare), so whoever has a release can see that the page that we serve is that of its sources.
"""

import base64
import hashlib
import os
import re
from pathlib import Path

from ledger.standalone import BESIDE, HERE, PAGE, SCRIPT

ROOT = HERE.parents[1]
MODULES = ROOT / "static" / "js" / "verify"
SCANNER = ROOT / "static" / "vendor" / "jsqr" / "jsQR-1.4.0.js"
LOADED = '  await import("../../vendor/jsqr/jsQR-1.4.0.js"); // sets self.jsQR\n'  # the page has it in itself
STYLES = ("standalone.css", "portal.css", "check.css")
SUMS = HERE / "SHA256SUMS"
LANGUAGES = {"en": "English", "de": "Deutsch"}
IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.js";\n', re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)
RULE = re.compile(r"\s*([^{}]*[^{}\s])\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*? |class |const )([\w$]+))", re.M)


def bundle(first: str = "page") -> str:
    """All modules that this one needs and itself as one script, each in a scope of its own, in the order of need."""
    parts: dict[str, str] = {}

    def add(name: str) -> None:
        source = (MODULES / f"{name}.js").read_text()
        for _, other in IMPORT.findall(source):
            if other not in parts:
                add(other)
        parts[name] = scoped(name, source)

    add(first)
    return "\n".join(parts.values())


def scoped(name: str, source: str) -> str:
    """A module as a function whose result is what it exports."""
    names = EXPORT.findall(source)
    body = IMPORT.sub(lambda found: f"const {{{found[1].replace(' as ', ': ')}}} = m_{found[2]};\n", source)
    body = EXPORT.sub("", body).replace(LOADED, "")
    assert not re.search(r"^(import|export)\b|\bimport\(", body, re.M), (
        f"{name}.js: an import or export of another form"
    )
    return f"const m_{name} = (() => {{\n{body}return {{ {', '.join(names)} }};\n}})();\n"


def used(css: str, text: str) -> str:
    """The rules of a style sheet whose classes and ids all stand somewhere in the page."""
    kept = []
    for selector, body in RULE.findall(COMMENT.sub("", css)):
        if selector.startswith("@media"):
            inner = used(body, text)
            kept += [f"{selector} {{\n{inner}}}\n"] if inner else []
        elif selector.startswith("@") or any(_stands(part, text) for part in selector.split(",")):
            kept.append(f"{selector} {{{body}}}\n")
    return "".join(kept)


def _stands(selector: str, text: str) -> bool:
    return all(re.search(rf"\b{re.escape(name)}\b", text) for name in re.findall(r"[.#]([a-zA-Z][\w-]*)", selector))


def inline(text: str, what: str) -> tuple[str, str]:
    """The text as it may stand in an element of that name, and what the page's policy calls it."""
    assert f"</{what}" not in text.lower(), f"</{what} ends its element"
    return text, f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def page() -> bytes:
    """The whole page, in each language."""
    from django.template.loader import render_to_string
    from django.utils import translation

    from ledger.receipts.words import MEANINGS, TITLES, VERDICTS

    bodies = {}
    for code in LANGUAGES:
        with translation.override(code):
            words = {"titles": TITLES, "verdicts": VERDICTS, "meanings": MEANINGS}
            context = {**words, "nodes": [], "keys": {}, "account": "evledger"}
            bodies[code] = render_to_string("portal/check/_saved.html", context)
    scanner, scanner_policy = inline(f"\n{SCANNER.read_text()}", "script")
    script, script_policy = inline(f"\n{bundle()}", "script")
    frame = (ROOT / "templates" / "portal" / "check" / "saved.html").read_text()
    css = "".join((ROOT / "static" / "css" / name).read_text() for name in STYLES)
    style, style_policy = inline(f"\n{used(css, frame + ''.join(bodies.values()) + script)}", "style")
    opening, opening_policy = inline((MODULES.parent / "saved_page.js").read_text(), "script")
    context = {
        **{"style": style, "scanner": scanner, "script": script, "opening": opening, "languages": LANGUAGES},
        **{"bodies": bodies, "scripts": " ".join((opening_policy, scanner_policy, script_policy))},
        "styles": style_policy,
    }
    return render_to_string("portal/check/saved.html", context).encode()


def build(directory: Path = HERE) -> list[Path]:
    """Write page and sums into the directory; returns what it wrote."""
    found = {PAGE.name: page(), **{path.name: path.read_bytes() for path in (SCRIPT, *BESIDE)}}
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(found.items()))
    (directory / PAGE.name).write_bytes(found[PAGE.name])
    (directory / SUMS.name).write_text(sums)
    return [directory / PAGE.name, directory / SUMS.name]


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evportal.settings")
    import django

    django.setup()
    for path in build():
        print(path.relative_to(ROOT))
    print(SUMS.read_text(), end="")


if __name__ == "__main__":
    main()
