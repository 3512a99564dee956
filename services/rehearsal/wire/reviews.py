"""What may I do, who am I: SelfSubjectAccessReview, SelfSubjectRulesReview and SelfSubjectReview."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from services.rehearsal.clock import stamp
from services.rehearsal.jsonic import Json, decode, encode
from services.rehearsal.resources import Resource
from services.rehearsal.wire import errors, protobuf
from services.rehearsal.wire.access import READ, Access, Account, Attributes
from services.rehearsal.wire.http1 import Reply, Request, Stream

if TYPE_CHECKING:
    from services.rehearsal.clock import Clock
    from services.rehearsal.wire.paths import Target

_CREATE = ("create",)
_GROUP = "authorization.k8s.io"
ACCESS_REVIEWS = Resource(
    "selfsubjectaccessreviews", "SelfSubjectAccessReview", _GROUP, namespaced=False, verbs=_CREATE
)
RULES_REVIEWS = Resource("selfsubjectrulesreviews", "SelfSubjectRulesReview", _GROUP, namespaced=False, verbs=_CREATE)
SUBJECT_REVIEWS = Resource(
    "selfsubjectreviews", "SelfSubjectReview", "authentication.k8s.io", namespaced=False, verbs=_CREATE
)
REVIEWS = (ACCESS_REVIEWS, RULES_REVIEWS, SUBJECT_REVIEWS)


class Reviews:
    """Answers the three reviews."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._clock = clock

    def __call__(self, request: Request, account: Account, target: Target) -> Reply | Stream | None:
        """Answer a review; None for anything else."""
        for review in REVIEWS:
            if (target.group, target.plural, target.version) == (review.group, review.plural, review.version):
                break
        else:
            return None
        if request.method != "POST" or target.name:
            raise errors.method_not_allowed()
        self._access.demand(account, target.attributes("create"))
        spec = _spec(review, request.body)
        answer: Json = {"kind": review.kind, "apiVersion": review.api_version, "metadata": {}}
        if review is ACCESS_REVIEWS:
            answer |= {"spec": spec, "status": self._verdict(account, spec)}
        elif review is RULES_REVIEWS:
            answer |= {"spec": {}, "status": self._rules(account, str(spec.get("namespace", "")))}
        else:
            answer["metadata"] = {"creationTimestamp": stamp(self._clock.now())}
            answer["status"] = {
                "userInfo": {"username": account.name, "uid": account.name, "groups": list(account.groups)}
            }
        return Reply(201, encode(answer), {"Content-Type": "application/json"})

    def _verdict(self, account: Account, spec: Json) -> Json:
        about = spec.get("resourceAttributes") or {}
        path = (spec.get("nonResourceAttributes") or {}).get("path", "")
        verb = about.get("verb") or (spec.get("nonResourceAttributes") or {}).get("verb", "")
        asked = Attributes(
            verb=verb,
            resource=about.get("resource", ""),
            group=about.get("group", ""),
            namespace=about.get("namespace", ""),
            name=about.get("name", ""),
            subresource=about.get("subresource", ""),
            path=path,
        )
        if self._access.allowed(account, asked):
            bound = "ClusterRoleBinding" if account.namespaces is None else "RoleBinding"
            return {"allowed": True, "reason": f'RBAC: allowed by {bound} "{account.name}"'}
        return {"allowed": False}

    def _rules(self, account: Account, namespace: str) -> Json:
        paths: list[Json] = [
            {"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/version"]}
        ]
        rules: list[Json] = [
            {
                "verbs": ["create"],
                "apiGroups": [_GROUP],
                "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
            }
        ]
        if account.everything:
            rules.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
            paths.append({"verbs": ["*"], "nonResourceURLs": ["*"]})
        elif account.namespaces is None or namespace in account.namespaces:
            readable = [
                one
                for one in _READABLE
                if account.allows(Attributes("list", one[1], one[0], namespace=namespace or "*"))
            ]
            for group in dict.fromkeys(one[0] for one in readable):
                names = [one[1] for one in readable if one[0] == group]
                rules.append({"verbs": sorted(READ), "apiGroups": [group], "resources": names})
            rules += [
                {"verbs": list(one.verbs), "apiGroups": [one.group], "resources": list(one.resources)}
                for one in account.changes
            ]
        return {"resourceRules": rules, "nonResourceRules": paths, "incomplete": False}


def _spec(review: Resource, body: bytes) -> Json:
    try:
        if not body.startswith(protobuf.MAGIC):
            spec: Json = decode(body).get("spec") or {}
            return spec
        if review is ACCESS_REVIEWS:
            return protobuf.access_spec(body)
        return protobuf.rules_spec(body) if review is RULES_REVIEWS else {}
    except (msgspec.DecodeError, ValueError, AttributeError) as error:
        raise errors.bad_request(f"the body of the request was in an unknown format: {error}") from None


_READABLE = (
    *(
        ("", one)
        for one in (
            "pods",
            "pods/log",
            "services",
            "configmaps",
            "events",
            "persistentvolumeclaims",
            "resourcequotas",
            "serviceaccounts",
        )
    ),
    *(("apps", one) for one in ("deployments", "replicasets", "statefulsets", "daemonsets", "controllerrevisions")),
    *(("batch", one) for one in ("jobs", "cronjobs")),
    ("autoscaling", "horizontalpodautoscalers"),
    ("policy", "poddisruptionbudgets"),
    ("networking.k8s.io", "ingresses"),
    ("discovery.k8s.io", "endpointslices"),
)
