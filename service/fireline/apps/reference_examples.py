"""One example for each kind of file, for the reference; tests load them."""

EXAMPLES = {
    "targets": """\
topics: [ml.retrain]
commands:
  restart-scorer:
    argv: [/usr/bin/systemctl, restart, "{unit}"]
    parameters: {unit: "scorer-[a-z]+"}
    env: {LANG: C}
    timeout: 30s
databases:
  orders: {url: "postgresql://reader@db.example/orders", password: secret:ORDERS}
prometheus:
  main: {url: "https://prometheus.example", bearer: secret:PROMETHEUS}
""",
    "topics": """\
topics:
  payments.telemetry:
    format: cloudevents
    kind: metric
    key: service
    labels: {service: [service.name, app], region: cloud.region}
    drop: [host.id]
    add: {team: payments}
""",
    "autonomy": """\
autonomy:
  - {name: not-reviewed, review_overdue: true, at_most: approve, reason: nobody has read it for too long}
  - {name: fares-badly, record: {wrong: 2, of: 3}, at_most: approve}
  - {name: much-at-night, outside: business, share_at_least: 50, severity: [degraded, notice], at_most: approve}
  - {name: all-else, at_most: auto}
oscillation: {reversals: 3, per: 1h}
""",
    "maintenance": """\
maintenance:
  weekly-backups:
    matchers: service="fraud-scoring", severity=~"degraded|notice"
    starts: "2026-11-01T02:00"
    time_zone: Europe/Berlin
    lasts: 2h
    repeats: FREQ=WEEKLY;BYDAY=SU
    without: ["2026-12-27"]
    author: ann
    reason: the weekly backups slow everything down
""",
    "calendars": """\
calendars:
  business:
    time_zone: Europe/Berlin
    hours: {mon-fri: "09:00-17:30", sat: ["09:00-12:00", "13:00-15:00"]}
    holidays: [2026-12-25, 2027-01-01]
""",
    "rules": """\
rules:
  - name: fraud_latency
    on: prediction
    where: {service: fraud-scoring, probe: "false"}
    by: [service]
    window: 10s
    measures:
      p99: {agg: quantile, q: 0.99, of: latency_ms}
      n: {agg: count}
    severity:
      outage: {when: "p99 > 800.0 && n >= 20"}
      degraded: {when: "p99 > 400.0 && n >= 20", for: 5s, until: "p99 < 300.0", keep_firing_for: 30s}
    no_data: {after: 2m, severity: degraded}
    summary: "p99 of {{ service }} is {{ measures.p99 | round }} ms"
    runbooks: [route-to-fallback]
    tests:
      - name: quick answers keep it clear, slow ones are an outage
        every: 100ms
        series:
          - fields: {service: fraud-scoring, probe: "false"}
            field: latency_ms
            values: "80x199 2500x49"
        expect:
          - {at: 15s, state: clear, entity: {service: fraud-scoring}, evidence: {p99: 80}}
          - {at: 24s, state: firing, severity: outage, entity: {service: fraud-scoring}}
        signals:
          - {at: 20s, state: firing, severity: outage, evidence: {n: ">= 50"}}
        pages: 1
""",
    "runbooks": """\
name: route-away
owner: payments-ml
reviewed: 2026-11-01
review_every: 90d
inputs:
  service: {type: string}
  target: {type: string, default: "{{ catalog.services[inputs.service].fallback }}"}
start: {when: "severity == 'outage'", mode: auto}
guards:
  lock: "service:{{ inputs.service }}"
  budget: {runs: 3, per: 1h}
  blast_radius: {services: 1}
  stop_if: "fallbacks_active > 5"
steps:
  - id: before
    uses: route.get
    with: {service: "{{ inputs.service }}"}
  - id: reroute
    uses: route.set
    with: {service: "{{ inputs.service }}", to: {"{{ inputs.target }}": 100}}
    undo: {uses: route.set, with: {service: "{{ inputs.service }}", to: "{{ steps.before.route }}"}}
  - id: verify
    uses: verify.rule
    with: {rule: fraud_latency, entity: {service: "{{ inputs.service }}"}, within: 30s}
    on_failure: undo
""",
    "catalog": """\
default_team: platform
people:
  ann: {name: Ann Keller, time_zone: Europe/Berlin, contacts: {slack: U0ANN, console: ann}}
  dana: {name: Dana Novak, contacts: {console: dana}}
teams:
  payments-ml: {name: Payments ML, policy: payments-ml, members: [ann], channels: {slack: C0INCIDENTS}}
  platform: {name: Platform, policy: platform, members: [dana], channels: {console: incidents}}
services:
  fraud-scoring:
    owner: payments-ml
    backup: platform
    what: Scores card payments while the customer waits.
    tier: 1
    primary: primary
    fallback: fallback
    targets: {primary: {capacity: 2000}, fallback: {capacity: 1500}}
    rollback: Route to the fallback, then redeploy the version before.
    stop_conditions: [More than 2 % of payments are declined that a person would have allowed.]
    reviewed: 2026-10-05
    review_every: 180d
""",
    "oncall": """\
schedules:
  payments-ml:
    time_zone: Europe/Berlin
    layers:
      - name: office hours
        people: [ann, ben]
        starts: 2026-01-05
        at: "09:00"
        every: 7d
        restrictions:
          - {days: [mon, tue, wed, thu, fri], start: "09:00", end: "17:00"}
      - {name: nights and weekends, people: [cleo, ann, ben], starts: 2026-01-05, at: "17:00", every: 7d}
    overrides:
      - {person: ben, start: 2026-12-24T18:00, end: 2026-12-27T09:00, reason: Ann and Cleo are away}
policies:
  payments-ml:
    levels:
      - {targets: ["schedule:payments-ml"], wait: 5m}
      - {targets: ["team:payments-ml"], wait: 10m}
    repeat: 2
""",
    "severities": """\
severities:
  safety: {ack_within: 2m, ack_timeout: 30m}
  outage: {ack_within: 5m, ack_timeout: 30m}
  degraded: {ack_within: 15m, ack_timeout: 2h}
  notice: {pages: false, urgency: low}
response: {settle: 60s, reopen_within: 30m, lease: 1h}
""",
}
"""By the name that `fireline schema` knows them by."""
