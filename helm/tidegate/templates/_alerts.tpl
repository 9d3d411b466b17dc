{{/*
Alerts. Every replica of the controller is scraped and a standby may show old values: the highest, or newest, counts.
Burn rates and their windows are those of the SRE workbook: 14.4 spends 2 % of a month's error budget in an hour, 6
spends 5 % in six hours; the short window ends the alert soon after the burning.
*/}}
{{- define "tidegate.alerts" -}}
{{- $j := .job -}}
- alert: TidegateControllerDown
  expr: absent(up{ {{- $j }}} == 1)
  for: 2m
  labels: {severity: critical}
  annotations:
    summary: No controller of Tidegate answers.
    description: Replicas stay as they are, whatever the load. See the pods of the controller and their logs.
- alert: TidegateNoLeader
  expr: sum(tidegate_is_leader{ {{- $j }}}) < 1
  for: 1m
  labels: {severity: critical}
  annotations:
    summary: Controllers run, and none of them leads.
    description: Nothing is scaled. See the Lease tidegate-controller, and whether the controllers reach the API server.
- alert: TidegateTargetStale
  expr: time() - max by (namespace, name) (tidegate_target_last_tick_timestamp_seconds{ {{- $j }}}) > {{ int .stale }}
  for: 1m
  labels: {severity: critical}
  annotations:
    summary: '{{ "{{ $labels.namespace }}/{{ $labels.name }}" }} has had no decision for {{ "{{ $value | humanizeDuration }}" }}.'
    description: Its replicas stay as they are. `kubectl describe infas` says why.
- alert: TidegateTicksFailing
  expr: sum(increase(tidegate_ticks_failed_total{ {{- $j }}}[10m])) > 3
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: Ticks of the controller fail.
    description: Its log names the error.
- alert: TidegateConflicted
  expr: max by (namespace, name) (tidegate_conflicted{ {{- $j }}}) > 0
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: Something else scales what {{ "{{ $labels.namespace }}/{{ $labels.name }}" }} scales.
    description: It holds until the condition Conflicted is gone, which names the other one.
- alert: TidegateStockedOut
  expr: max by (namespace, name, variant) (tidegate_stocked_out{ {{- $j }}}) > 0
  for: 10m
  labels: {severity: warning}
  annotations:
    summary: No capacity for variant {{ "{{ $labels.variant }} of {{ $labels.namespace }}/{{ $labels.name }}" }}.
    description: Its pods stay pending, and the plan does without it. See the condition CapacityAvailable.
- alert: TidegateSloBurnFast
  expr: >-
    max by (namespace, name) (avg_over_time(tidegate_slo_burn_rate{ {{- $j }}}[1h])) > 14.4
    and max by (namespace, name) (avg_over_time(tidegate_slo_burn_rate{ {{- $j }}}[5m])) > 14.4
  for: 2m
  labels: {severity: critical}
  annotations:
    summary: '{{ "{{ $labels.namespace }}/{{ $labels.name }}" }} misses its SLO {{ "{{ $value | humanize }}" }} times as often as it may.'
    description: '`tidegate explain` says what bounds it: replicas, accelerators, or the rules.'
- alert: TidegateSloBurnSlow
  expr: >-
    max by (namespace, name) (avg_over_time(tidegate_slo_burn_rate{ {{- $j }}}[6h])) > 6
    and max by (namespace, name) (avg_over_time(tidegate_slo_burn_rate{ {{- $j }}}[30m])) > 6
  for: 15m
  labels: {severity: warning}
  annotations:
    summary: '{{ "{{ $labels.namespace }}/{{ $labels.name }}" }} misses its SLO {{ "{{ $value | humanize }}" }} times as often as it may, for hours.'
    description: See maxReplicas, the forecast's quantile, and the variants.
- alert: TidegateLedgerAway
  expr: max(tidegate_ledger_away{ {{- $j }}}) > 0
  for: 5m
  labels: {severity: warning}
  annotations:
    summary: Tidegate's PostgreSQL does not take decisions.
    description: Scaling goes on. Decisions wait in the controller's spool; on an emptyDir they are lost with its pod.
- alert: TidegateMetricsFaults
  expr: sum by (namespace, name) (rate(tidegate_scrape_faults_total{ {{- $j }}}[10m])) * 60 > 1
  for: 15m
  labels: {severity: warning}
  annotations:
    summary: Metrics of {{ "{{ $labels.namespace }}/{{ $labels.name }}" }} are missing or cannot be trusted.
    description: Below the quorum nothing is scaled down. The condition MetricsHealthy names the metric and the fault.
{{- end -}}
