"""Reads what an operator types after `:`: a view, a kind, a namespace or a context, narrowed as they like."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from services.model.cluster import ApiResource
from tui.bindings import Command, printed
from tui.presenters.lens import Lens
from tui.presenters.page import looks_like_page
from tui.presenters.views import VIEWS, view_named
from widgets.viewmodels import Choice

WORDS = {"q": "quit", "q!": "quit", "quit": "quit", "exit": "quit", "help": "help", "h": "help", "deck": "deck"}
"""Words that stand for a command."""


class Going(Struct, frozen=True):
    """Where to: `view` is a name still to be looked up ("" stays), `namespace` and `scope` None leave the scope alone.

    `scope` are namespaces and label terms, both may be empty. `page` is what only a page can be (a link, a
    fingerprint), `said` the one word that was typed, as it was: it may name an alert.
    """

    view: str = ""
    namespace: str | None = None
    context: str = ""
    filter: str = ""
    command: str = ""
    scope: tuple[tuple[str, ...], str] | None = None
    page: str = ""
    said: str = ""


def read_going(text: str) -> Going:
    """Return where a text leads: "pods", "ingress shop", "po shop /crash", "ns shop", "ctx other", "pods @other".

    "scope shop,payments team=a" narrows to namespaces and labels, "scope all" and "scope saved" end that, "scope" asks.
    """
    text = text.strip().lstrip(":")
    if text.casefold().split()[:1] == ["scope"]:
        return _scope(text.split()[1:])
    if looks_like_page(text):
        return Going(page=text)
    head, slash, filter_text = text.partition("/")
    words = head.split()
    context = next((word[1:] for word in words if word.startswith("@") and len(word) > 1), "")
    labels = [word for word in words if "=" in word]
    words = [word for word in words if not word.startswith("@") and "=" not in word]
    wanted = " ".join([*labels, filter_text.strip()] if slash else labels).strip()
    if not words:
        return Going(context=context, filter=wanted)
    name, rest = words[0].casefold(), words[1:]
    if name in ("ctx", "context", "contexts"):
        return Going(context=rest[0] if rest else "", command="" if rest else "contexts")
    if name in ("ns", "namespace", "namespaces") and rest:
        return Going(namespace="" if rest[0] in ("all", "*", "-") else rest[0], context=context)
    if name in WORDS:
        return Going(command=WORDS[name])
    namespace = None if not rest else "" if rest[0] in ("all", "*", "-") else rest[0]
    return Going(name, namespace, context, wanted, said="" if rest or slash else words[0])


def _scope(words: Sequence[str]) -> Going:
    if not words:
        return Going(command="scope")
    if words[0] == "saved":
        return Going(command="saved_scope")
    labels = [word for word in words if "=" in word]
    names = tuple(name for word in words if "=" not in word for name in word.split(",") if name)
    return Going(scope=((), "") if names == ("all",) else (names, ",".join(labels)))


def find_resource(name: str, resources: Sequence[ApiResource]) -> ApiResource | None:
    """Return the kind of that plural, singular, short name, kind or "plural.group"; built-in groups win over CRDs."""
    wanted = name.casefold()

    def fits(one: ApiResource) -> bool:
        names = (one.resource.plural, one.resource.table, one.resource.kind.casefold(), one.singular, *one.short_names)
        return wanted in names

    found = [one for one in resources if fits(one)]
    return min(found, key=lambda one: ("." in one.resource.group, one.resource.group), default=None)


def choices(
    commands: Sequence[Command],
    resources: Sequence[ApiResource],
    namespaces: Sequence[str],
    contexts: Sequence[str],
    lens: Lens,
) -> list[Choice]:
    """Return everything the palette offers: views, namespaces, contexts, kinds of the server, then commands."""
    offered = [
        Choice(f"view {view.id}", view.id, f"also {', '.join(view.aliases[:3])}", names=view.aliases) for view in VIEWS
    ]
    offered.append(Choice("ns all", "ns all", "every namespace"))
    offered.append(Choice("scope saved", "scope saved", "the namespaces and labels of the configuration"))
    offered.append(Choice("scope", "scope", "say it; scope NS,NS key=value sets it, scope all ends it"))
    offered += [Choice(f"ns {name}", f"ns {lens.text(name)}", "show this namespace only") for name in namespaces]
    offered += [
        Choice(f"ctx {name}", f"ctx {lens.name('cluster', name)}", "another cluster, no restart") for name in contexts
    ]
    for one in resources:
        if view_named(one.resource.plural) is None and "list" in one.verbs:
            short = f"; also {', '.join(one.short_names)}" if one.short_names else ""
            group = one.resource.group or "core"
            hint = lens.text(f"{group}{short}")
            names = (one.resource.table, one.resource.kind, *one.short_names)
            offered.append(Choice(f"view {one.resource.table}", lens.text(one.resource.plural), hint, names=names))
    offered += [Choice(f"key {command.id}", command.label, command.text, printed(command.key)) for command in commands]
    return offered
