"""The plan of an estate: what exists, how big it is and how it came to be, all drawn from one seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from services.rehearsal.estate import vocabulary

WorkloadKind = Literal["Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job"]
_DAY = 86400.0


@dataclass(slots=True)
class Release:
    """One past version of an app. `age` is the seconds between its rollout and the start of the estate."""

    tag: str
    revision: int
    age: float
    actor: str
    cause: str


@dataclass(slots=True)
class App:
    """One workload; cpu in millicores and memory in MiB are requests of its main container."""

    namespace: str
    name: str
    kind: WorkloadKind
    replicas: int
    image: str
    stack: str
    cpu: int
    memory: int
    ready_after: float
    releases: list[Release]
    """Oldest first; the last one runs."""
    port: int = 8080
    sidecar: str = ""
    recreate: bool = False
    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"
    deadline: int = 600
    last_words_policy: bool = False
    schedule: str = ""
    team: str = ""
    env: dict[str, str] = field(default_factory=dict)
    volume: bool = False
    host_network: bool = False
    chatty: bool = False

    @property
    def current(self) -> Release:
        """Return the release that runs."""
        return self.releases[-1]

    def image_of(self, tag: str) -> str:
        """Return the full reference of an image of this app."""
        return f"{self.image}:{tag}"


@dataclass(slots=True)
class NodePlan:
    """One machine; cpu in millicores, memory in MiB."""

    name: str
    address: str
    zone: str
    pool: str
    cpu: int
    memory: int
    pods: int


@dataclass(slots=True)
class Blueprint:
    """Everything that a seed decides."""

    seed: int
    cluster: str
    company: str
    region: str
    registry: str
    namespaces: list[str]
    """Namespaces of the teams; those of the system are beside them."""
    teams: dict[str, str]
    nodes: list[NodePlan]
    apps: list[App]
    deployers: list[str]
    people: list[str]
    _index: dict[tuple[str, str], App] = field(default_factory=dict)

    def rng(self, purpose: str) -> random.Random:
        """Return a generator for one purpose, so that a change in one leaves the others as they are."""
        return random.Random(f"{self.seed}:{purpose}")  # noqa: S311 (a simulation, not a secret)

    def app(self, namespace: str, name: str) -> App | None:
        """Return the app of a workload, or None."""
        if len(self._index) != len(self.apps):
            self._index = {(one.namespace, one.name): one for one in self.apps}
        return self._index.get((namespace, name))

    def deployments(self) -> list[App]:
        """Return the teams' Deployments, in a stable order."""
        return [one for one in self.apps if one.kind == "Deployment" and one.namespace in self.teams]


@dataclass(frozen=True, slots=True)
class Scale:
    """How big an estate is."""

    nodes: int
    namespaces: int
    deployments: int
    stateful_sets: int
    cron_jobs: int
    pods: int
    node_cpu: int
    node_memory: int
    node_pods: int


SIZES: dict[str, Scale] = {
    "tiny": Scale(4, 3, 12, 1, 1, 60, 16000, 65536, 110),
    "small": Scale(12, 6, 25, 5, 3, 214, 8000, 32768, 110),
    "large": Scale(60, 40, 500, 30, 20, 10_000, 64000, 262_144, 250),
}


class Drafter:
    """Draws a blueprint from a seed."""

    def __init__(self, seed: int, scale: Scale) -> None:
        self.rng = random.Random(f"{seed}:blueprint")  # noqa: S311 (a simulation, not a secret)
        self.scale = scale
        company = self.rng.choice(vocabulary.COMPANIES)
        short, region = self.rng.choice(vocabulary.REGIONS)
        self.plan = Blueprint(
            seed=seed,
            cluster=f"prod-{short}",
            company=company,
            region=region,
            registry=f"registry.{company}.example",
            namespaces=sorted(self.rng.sample(vocabulary.DOMAINS, scale.namespaces)),
            teams={},
            nodes=[],
            apps=[],
            deployers=self.rng.sample(vocabulary.DEPLOYERS, 2),
            people=self.rng.sample(vocabulary.PEOPLE, 6),
        )
        self._taken: set[tuple[str, str]] = set()

    def draw(self) -> Blueprint:
        """Return the whole plan."""
        plan = self.plan
        plan.teams = {one: f"team-{one}" for one in plan.namespaces}
        plan.nodes = [self._node(index) for index in range(self.scale.nodes)]
        self._system()
        for index in range(self.scale.stateful_sets):
            plan.apps.append(self._stateful(plan.namespaces[index % len(plan.namespaces)]))
        for index in range(self.scale.cron_jobs):
            plan.apps.append(self._cron(plan.namespaces[(index * 2 + 1) % len(plan.namespaces)]))
        for index in range(self.scale.deployments):
            plan.apps.append(self._deployment(plan.namespaces[index % len(plan.namespaces)]))
        self._fill()
        self.rng.choice([one for one in plan.deployments() if one.replicas > 1]).chatty = True
        return plan

    def _node(self, index: int) -> NodePlan:
        zone = f"{self.plan.region}{'abc'[index % 3]}"
        pool = vocabulary.POOLS[0] if index % 4 else vocabulary.POOLS[1 + index // 4 % 3]
        scale = self.scale
        address = f"10.{20 + index // 200}.{index % 3 * 64 + 16}.{10 + index // 3}"
        name = f"{self.plan.company[:4]}-{pool}-{index + 1:03d}"
        return NodePlan(name, address, zone, pool, scale.node_cpu, scale.node_memory, scale.node_pods)

    def _system(self) -> None:
        rng = self.rng
        for namespace, name in (
            ("kube-system", "kube-proxy"),
            ("kube-system", rng.choice(vocabulary.NETWORKS)),
            ("monitoring", "node-exporter"),
            ("monitoring", rng.choice(vocabulary.SHIPPERS)),
        ):
            app = self._app(namespace, name, "DaemonSet", 0, rng.randint(2, 4))
            app.cpu, app.memory, app.stack, app.host_network = 50, 64, "go", name == "kube-proxy"
            app.max_unavailable = 1
        for namespace, name, replicas in (
            ("kube-system", "coredns", 2),
            ("kube-system", "metrics-server", 1),
            ("monitoring", rng.choice(vocabulary.PROXIES), 2),
        ):
            app = self._app(namespace, name, "Deployment", replicas, rng.randint(2, 4))
            app.cpu, app.memory, app.stack = 100, 128, "go"

    def _app(self, namespace: str, name: str, kind: WorkloadKind, replicas: int, releases: int) -> App:
        rng = self.rng
        app = App(
            namespace=namespace,
            name=name,
            kind=kind,
            replicas=replicas,
            image=f"{self.plan.registry}/{namespace}/{name}",
            stack=rng.choice(vocabulary.STACKS),
            cpu=rng.choice((100, 150, 200, 250, 300)),
            memory=rng.choice((128, 192, 256, 384, 512)),
            ready_after=rng.uniform(4, 14),
            releases=self._releases(releases),
            port=rng.choice((8000, 8080, 8443, 9000, 3000)),
            team=self.plan.teams.get(namespace, "team-platform"),
            last_words_policy=rng.random() < 0.3,
        )
        app.env = self._environment(app)
        if namespace not in self.plan.teams:
            self.plan.apps.append(app)
        self._taken.add((namespace, name))
        return app

    def _stateful(self, namespace: str) -> App:
        engine = self.rng.choice([e for e in vocabulary.ENGINES if (namespace, e) not in self._taken])
        app = self._app(namespace, engine, "StatefulSet", 3, self.rng.randint(2, 4))
        app.volume, app.stack, app.ready_after = True, "go", self.rng.uniform(8, 20)
        return app

    def _cron(self, namespace: str) -> App:
        app = self._app(namespace, self._name(namespace, ("-nightly", "-cleanup", "-report")), "CronJob", 1, 1)
        app.schedule = self.rng.choice(("*/10 * * * *", "*/15 * * * *", "*/30 * * * *"))
        return app

    def _deployment(self, namespace: str) -> App:
        rng = self.rng
        app = self._app(namespace, self._name(namespace, vocabulary.SUFFIXES), "Deployment", 1, rng.randint(3, 7))
        if rng.random() < 0.15:
            name = rng.choice(vocabulary.SIDECARS)
            app.sidecar = f"{self.plan.registry}/platform/{name}:v{rng.randint(1, 3)}.{rng.randint(0, 20)}"
        if rng.random() < 0.2:
            app.max_surge, app.max_unavailable = 1, 0
        return app

    def _name(self, namespace: str, suffixes: tuple[str, ...]) -> str:
        while True:
            name = f"{self.rng.choice(vocabulary.NOUNS)}{self.rng.choice(suffixes)}"
            if (namespace, name) not in self._taken and name != namespace:
                return name

    def _releases(self, count: int) -> list[Release]:
        rng = self.rng
        major, minor, patch = rng.randint(1, 4), rng.randint(0, 20), rng.randint(0, 6)
        revision = rng.randint(1, 50)
        ages = sorted((rng.uniform(0.3, 45) * _DAY for _ in range(count)), reverse=True)
        found = []
        for age in ages:
            tag = f"v{major}.{minor}.{patch}"
            actor = rng.choice(self.plan.deployers) if rng.random() < 0.8 else rng.choice(self.plan.people)
            found.append(Release(tag, revision, age, actor, self.cause(tag, actor)))
            revision += 1
            minor, patch = (minor + 1, 0) if rng.random() < 0.3 else (minor, patch + 1)
        return found

    def cause(self, tag: str, actor: str) -> str:
        """Return a change-cause as a pipeline or a person would write it."""
        text = self.rng.choice(vocabulary.CHANGES).format(
            tag=tag,
            build=self.rng.randint(1000, 9999),
            noun=self.rng.choice(vocabulary.NOUNS),
            number=self.rng.randint(2, 30),
        )
        return f"{actor}: {text}"

    def _environment(self, app: App) -> dict[str, str]:
        rng = self.rng
        found = {"APP_ENV": "production", "REGION": self.plan.region, "LOG_LEVEL": "info", "PORT": str(app.port)}
        for name in rng.sample(vocabulary.VARIABLES, rng.randint(2, 6)):
            store = rng.choice(vocabulary.STORES)
            found[name] = f"{store}.{app.namespace}.svc.cluster.local"
        return found

    def _fill(self) -> None:
        """Share the remaining pods among the teams' Deployments, unevenly."""
        plan, rng = self.plan, self.rng
        fixed = sum(one.replicas for one in plan.apps if one.kind == "StatefulSet" or one.namespace not in plan.teams)
        fixed += sum(len(plan.nodes) for one in plan.apps if one.kind == "DaemonSet")
        fixed += 2 * sum(one.kind == "CronJob" for one in plan.apps)
        deployments = plan.deployments()
        left = self.scale.pods - fixed
        base = max(1, left // len(deployments) * 2 // 3)
        for app in deployments:
            app.replicas = base
            left -= base
        while left > 0:
            share = min(left, rng.randint(1, base))
            rng.choice(deployments).replicas += share
            left -= share


def draft(seed: int, size: str) -> Blueprint:
    """Return the plan of the estate with this seed and size (`tiny`, `small` or `large`)."""
    return Drafter(seed, SIZES[size]).draw()
