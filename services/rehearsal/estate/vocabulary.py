"""The words that estates are named from; a seed picks among them, no code path knows one of them."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


DOMAINS = _words("""
    payments shop search identity ledger catalog fulfilment billing messaging media booking loyalty pricing risk
    inventory checkout returns partners content insights orders shipping profiles support reviews gateway fraud tax
    settlement subscriptions recommendations stores vouchers geo documents scheduling campaigns marketplace claims
    underwriting onboarding treasury reporting wallet transfers ticketing
""")

NOUNS = _words("""
    cart basket quote invoice payout refund session profile address carrier parcel label stock price offer coupon
    feed index query ranking suggestion thumbnail upload transcode webhook callback mailer sms push inbox thread
    ledger journal balance statement mandate card token vault signer audit limits rules score graph geocode route
    slot calendar seat voucher points tier badge export importer mapper router fanout digest snapshot archive
    catalogue facet synonym rate currency vat duty receipt dispute chargeback escrow settlement batch reconciler
""")

SUFFIXES = ("-api", "", "-worker", "-web", "-sync", "-gateway", "-consumer", "-admin")

COMPANIES = _words("""
    northwind harbourline bluefern kestrel ironbark lantern saltmarsh quillon tidewell copperleaf fjordal larkspur
    merriton oakhollow pennant riverton stonecrop thistle umberly westmoor
""")

REGIONS = (
    ("eu-1", "eu-west-1"),
    ("eu-2", "eu-central-1"),
    ("us-1", "us-east-1"),
    ("us-2", "us-west-2"),
    ("ap-1", "ap-southeast-1"),
    ("uk-1", "eu-west-2"),
)

PEOPLE = _words("""
    amara.diallo bjorn.lund chen.wei daria.novak elif.kaya farid.haddad grace.obi hana.sato ivan.petrov joana.reis
    kofi.mensah lena.vogel mei.tan noor.aziz olga.kim pablo.ortiz rania.saleh sven.holm tara.nolan yusuf.demir
""")

DEPLOYERS = _words("ci-deployer argocd-controller release-bot spinnaker flux-kustomize drone-ci helm")

CHANGES = (
    "release {tag} (build {build})",
    "{tag}: {noun} retries with jitter",
    "{tag}: raise {noun} timeout to {number} s",
    "{tag}: drop the old {noun} schema",
    "{tag}: dependency update",
    "{tag}: cache {noun} lookups",
    "{tag}: fix rounding in {noun}",
    "{tag}: move {noun} to the new client",
    "{tag}: feature flag {noun}-v{number}",
    "{tag}: revert to the previous {noun} client",
)

COLUMNS = _words("""
    vat settled_at region tenant_id locale net_amount voucher_code lane shard currency checksum parent_id expires_on
    source_ref weight priority
""")

VARIABLES = _words("""
    DATABASE_URL SIGNING_KEY BROKER_URL CACHE_HOST TENANT_MAP FEATURE_FILE REGION_CODE PARTNER_ID VAULT_ROLE
    LICENCE_PATH METRICS_PREFIX RATE_TABLE
""")

STORES = _words("postgres redis kafka mysql rabbitmq elasticsearch minio cassandra")

STACKS = _words("python java go node")

ENGINES = _words("postgres redis kafka rabbitmq elasticsearch minio etcd nats")

NETWORKS = _words("cilium calico-node aws-node kube-router")
SHIPPERS = _words("fluent-bit vector promtail filebeat")
SIDECARS = _words("envoy vault-agent statsd")
PROXIES = _words("ingress-nginx-controller traefik haproxy-ingress contour-envoy")

POOLS = _words("general batch memory edge")
