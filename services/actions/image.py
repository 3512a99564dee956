"""Gives a container another image, as `kubectl set image` and `kubectl argo rollouts set image` do."""

from __future__ import annotations

import re
from collections.abc import Mapping

from services.actions.deliveries import ARGO_ROLLOUT, watch_template
from services.actions.following import Written, written
from services.actions.keepers import check_keepers
from services.actions.ordinary import Ordinary
from services.actions.reading import JSON_PATCH, STRATEGIC, at, entries, fetch, patch, rehearse, slashed, spoken
from services.actions.spec import Document, Hands, Note, Refused
from services.actions.watching import watch_rollout, workload_of
from services.actions.workloads import patch_right, pods_touched, single_container
from services.model.action import Ended, Fact, Plan, Target, Undo, Write
from services.model.severity import Severity
from services.sanitize import safe_text

_IMAGE = re.compile(r"[\w.:/@-]{1,512}", re.ASCII)


class SetImage(Ordinary):
    """`kubectl set image`."""

    id = "set-image"

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands) -> Plan:
        """Return the change; without `container` there must be one only. It goes where the pod template is written."""
        shown = await fetch(target, hands)
        holder = await written(target, shown, hands)
        keepers = await check_keepers(holder.document, holder.target, hands)
        image = _retagged(given.get("image", "").strip(), given.get("container", "").strip(), holder.document)
        if not _IMAGE.fullmatch(image):
            raise Refused(safe_text(f"{image[:80]!r} is no image: it reads like registry/name:tag."))
        container = given.get("container", "").strip() or single_container(holder.document)
        before = _image(holder.document, container)
        if not container or before is None:
            raise Refused(safe_text(_several(target, holder.document, container)))
        if before == image:
            raise Refused(safe_text(f"{container} of {spoken(target)} has that image already."))
        write = _write(holder, container, image)
        edits, said = await rehearse(write, holder.document, hands)
        facts = [
            Fact("from", f"{container}  {_short(before)}"),
            Fact("to", f"{container}  {_short(image)}"),
            *holder.facts,
        ]
        return Plan(
            action=self.id,
            target=target,
            title=f"Set the image of {target.ref.key}",
            parameters={"image": image, "container": container},
            facts=(*facts, *_aborted(shown), *keepers, *said),
            edits=edits,
            writes=(write,),
            rights=(patch_right(holder.target),),
            command=_command(target, f"{container}={image}"),
            touches=await pods_touched(target, shown, hands),
            expects="until every pod runs it, and is ready"
            if not _argo(target)
            else "until a step waits, or it is stable",
            undo=Undo(
                self.id,
                target.ref,
                target.resource,
                {"image": before, "container": container},
                f"set {_short(before)} again",
            ),
            state={"images": ",".join(workload_of(target, shown).images)},
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note) -> Ended:
        """Watch the new revision roll out."""
        container, image = plan.parameters["container"], plan.parameters["image"]
        done, key = f"{plan.target.ref.key} runs {image}", plan.target.ref.key

        def took(found: Document) -> bool:
            return _image(found, container) == image

        if _argo(plan.target):
            return await watch_template(plan, hands, note, took=took, done=done, on_way=f"{key} delivers {image}")
        return await watch_rollout(plan, hands, note, took, done)


def _retagged(image: str, container: str, document: Document) -> str:
    """Return ":v2" and "@sha256:..." as the container's own image with that tag or digest, anything else as it is."""
    if not image.startswith((":", "@")):
        return image
    present = _image(document, container or single_container(document)) or ""
    named = present.partition("@")[0]
    path, slash, last = named.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}{image}" if named else image


def _short(image: str) -> str:
    """Return an image without its registry and folders, which the diff names."""
    return image.rpartition("/")[2]


def _argo(target: Target) -> bool:
    return (target.ref.group, target.ref.kind) == ARGO_ROLLOUT


def _command(target: Target, change: str) -> str:
    if _argo(target):
        return f"argo rollouts set image {target.ref.name} {change}"
    return f"set image {slashed(target)} {change}"


def _write(holder: Written, container: str, image: str) -> Write:
    """Return the patch of one container's image; custom resources know no strategic merge, so theirs goes by place."""
    place = next(place for place, one in _containers(holder.document) if one.get("name") == container)
    if not _argo(holder.target):
        body = {"spec": {"template": {"spec": {place[0]: [{"name": container, "image": image}]}}}}
        return patch(holder.target, holder.document, body, STRATEGIC)
    pointer = f"/spec/template/spec/{place[0]}/{place[1]}"
    operations = [
        {"op": "test", "path": f"{pointer}/name", "value": container},
        {"op": "add", "path": f"{pointer}/image", "value": image},
    ]
    return patch(holder.target, holder.document, operations, JSON_PATCH)


def _several(target: Target, document: Document, container: str) -> str:
    names = ", ".join(str(one.get("name", "")) for _, one in _containers(document))
    if container:
        return f"{spoken(target)} has no container {container[:80]}: it has {names}."
    return f"{spoken(target)} has several containers: say which ({names})."


def _aborted(document: Document) -> list[Fact]:
    """Return what another template means for a Rollout that was given up."""
    if not at(document, "status", "abort"):
        return []
    return [
        Fact("abort", "it is aborted: another image takes that back, and begins at its first step", Severity.NOTICE)
    ]


def _containers(document: Document) -> list[tuple[tuple[str, int], Mapping[str, object]]]:
    """Return the containers of a pod template, each with the list that it stands in and its place there."""
    spec = at(document, "spec", "template", "spec")
    return [
        ((name, number), one)
        for name in ("containers", "initContainers")
        for number, one in enumerate(entries(at(spec, name)))
    ]


def _image(document: Document, container: str) -> str | None:
    found = next((one for _, one in _containers(document) if one.get("name") == container), None)
    return str(found.get("image", "")) if found is not None else None
