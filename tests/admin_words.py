"""All that the admin says by itself of a model, and what of it a German reader meets in English."""

from collections.abc import Callable, Iterator
from typing import Any

from django.contrib.admin.utils import flatten, flatten_fieldsets, label_for_field
from django.db import models
from django.http import HttpRequest
from django.utils import translation
from django.utils.text import capfirst

Word = tuple[str, object]  # where it stands, the word


def names_of(model: type[models.Model]) -> Iterator[Word]:
    yield "name", model._meta.verbose_name
    yield "plural", model._meta.verbose_name_plural


def words_of(page: Any, request: HttpRequest) -> Iterator[Word]:
    """What an admin class says of fields, choices and hints, headings, actions, filters, the search, and other rows."""
    fieldsets = page.get_fieldsets(request)
    names = [*flatten_fieldsets(fieldsets), *page.get_readonly_fields(request), *page.get_list_display(request)]
    yield from field_words(page, names, page.get_form(request, None, change=True))
    yield from (("heading", title or "") for title, _fields in fieldsets)
    for inline in page.get_inline_instances(request):
        yield from inline_words(inline, request)
    yield from ((f"action {name}", words) for name, (_act, _name, words) in page.get_actions(request).items())
    yield "hint of the search", page.search_help_text or ""
    for found in page.get_changelist_instance(request).filter_specs:
        yield f"filter {type(found).__name__}", found.title
        title = f"choice of filter {type(found).__name__}"
        yield from ((f"{title}: {value}", label) for value, label in getattr(found, "lookup_choices", ()))


def inline_words(inline: Any, request: HttpRequest) -> Iterator[Word]:
    yield "inline", inline.verbose_name
    yield "inlines", inline.verbose_name_plural
    yield from field_words(inline, flatten(inline.get_fields(request)), inline.get_formset(request).form)


def field_words(page: Any, names: list[Any], form: Any) -> Iterator[Word]:
    """Labels, hints and choices of fields, whether they are written or only read."""
    fields = {field.name: field for field in page.model._meta.get_fields()}
    for name in dict.fromkeys([*map(str, names), *form.base_fields]):
        field, written = fields.get(name), form.base_fields.get(name)
        label = str(label_for_field(name, page.model, page, form=form()))
        own = written is not None and written.label != capfirst(label)  # the form's, not the field's with a capital
        yield f"label of {name}", written.label if own else label
        yield f"hint of {name}", getattr(written or field, "help_text", "")
        for value, label in getattr(field, "choices", None) or ():
            yield f"choice {value} of {name}", label


def alike(say: Callable[[], Iterator[Word]]) -> dict[str, str]:
    """{where: word} of what is said in German as in English."""
    said = {}
    for language in ("en", "de"):
        with translation.override(language):
            said[language] = [(where, str(word)) for where, word in say()]
    english, german = said["en"], said["de"]
    assert [where for where, _ in english] == [where for where, _ in german] != []
    pairs = zip(english, german, strict=True)
    return {where: word for (where, word), (_, translated) in pairs if word and word == translated}


def english_left(say: Callable[[], Iterator[Word]], same: set[str]) -> dict[str, str]:
    """{where: word} of what a German reader meets in English, but for words that are the same in both languages."""
    return {where: word for where, word in alike(say).items() if word not in same}
