"""Gives a container another image, as `kubectl set image` does."""

from __future__ import annotations

import re
from collections.abc import Mapping

from services.actions.keepers import check_keepers
from services.actions.ordinary import Ordinary
from services.actions.reading import STRATEGIC, at, entries, fetch, patch, rehearse, slashed, spoken
from services.actions.spec import Document, Hands, Note, Refused
from services.actions.watching import watch_rollout, workload_of
from services.actions.workloads import patch_right, pods_touched, single_container
from services.model.action import Ended, Fact, Plan, Target, Undo
from services.sanitize import safe_text

_IMAGE = re.compile(r"[\w.:/@-]{1,512}", re.ASCII)


class SetImage(Ordinary):
    """`kubectl set image`."""

    id = "set-image"

    async def plan(self, target: Target, given: Mapping[str, str], hands: Hands) -> Plan:
        """Return the change; without `container` there must be one only."""
        document = await fetch(target, hands)
        keepers = await check_keepers(document, target, hands)
        image = given.get("image", "").strip()
        if not _IMAGE.fullmatch(image):
            raise Refused(safe_text(f"{image[:80]!r} is no image: it reads like registry/name:tag."))
        container = given.get("container", "").strip() or single_container(document)
        before = _image(document, container)
        if not container or before is None:
            raise Refused(
                safe_text(f"{spoken(target)} has several containers: say which ({', '.join(_names(document))}).")
            )
        if before == image:
            raise Refused(safe_text(f"{container} of {spoken(target)} has that image already."))
        body = {"spec": {"template": {"spec": {"containers": [{"name": container, "image": image}]}}}}
        write = patch(target, document, body, STRATEGIC)
        edits, said = await rehearse(write, document, hands)
        return Plan(
            action=self.id,
            target=target,
            title=f"Set the image of {target.ref.key}",
            parameters={"image": image, "container": container},
            facts=(Fact("from", f"{container}  {before}"), Fact("to", f"{container}  {image}"), *keepers, *said),
            edits=edits,
            writes=(write,),
            rights=(patch_right(target),),
            command=f"set image {slashed(target)} {container}={image}",
            touches=await pods_touched(target, document, hands),
            expects="until every pod runs it, and is ready",
            undo=Undo(
                self.id, target.ref, target.resource, {"image": before, "container": container}, f"set {before} again"
            ),
            state={"images": ",".join(workload_of(target, document).images)},
        )

    async def verify(self, plan: Plan, hands: Hands, note: Note) -> Ended:
        """Watch the new revision roll out."""
        container, image = plan.parameters["container"], plan.parameters["image"]
        return await watch_rollout(
            plan, hands, note, lambda found: _image(found, container) == image, f"{plan.target.ref.key} runs {image}"
        )


def _containers(document: Document) -> list[Mapping[str, object]]:
    spec = at(document, "spec", "template", "spec")
    return [*entries(at(spec, "containers")), *entries(at(spec, "initContainers"))]


def _names(document: Document) -> list[str]:
    return [str(one.get("name", "")) for one in _containers(document)]


def _image(document: Document, container: str) -> str | None:
    found = next((one for one in _containers(document) if one.get("name") == container), None)
    return str(found.get("image", "")) if found is not None else None
