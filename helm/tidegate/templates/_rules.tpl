{{/*
The controller's rights, each with its reason. "live" says whether it may move replicas: a Shadow installation gets no
verb that changes anything but InferenceAutoscalers' status and Events.
*/}}

{{/* In the namespaces of the models. */}}
{{- define "tidegate.rules" -}}
{{- $live := eq .Values.rbac.mode "live" -}}
{{- $read := list "get" "list" "watch" | toJson -}}
{{- $scale := ternary (list "get" "patch" "update") (list "get") $live | toJson -}}
# What to scale, and how. Never written: only people and GitOps tools do that.
- apiGroups: [tidegate.io]
  resources: [inferenceautoscalers]
  verbs: {{ $read }}
# What `kubectl get infas` shows: verdict, conditions.
- apiGroups: [tidegate.io]
  resources: [inferenceautoscalers/status]
  verbs: [get, patch, update]
# The count{{ if $live }}, read and set{{ else }}, read alone: shadow{{ end }}.
- apiGroups: [apps]
  resources: [deployments/scale, statefulsets/scale]
  verbs: {{ $scale }}
# The same of groups of pods that serve one replica.
- apiGroups: [leaderworkerset.x-k8s.io]
  resources: [leaderworkersets/scale]
  verbs: {{ $scale }}
{{- range .Values.rbac.extraScaleTargets }}
# rbac.extraScaleTargets: the count.
- apiGroups: [{{ .apiGroup | quote }}]
  resources: [{{ .resource }}/scale]
  verbs: {{ $scale }}
# rbac.extraScaleTargets: the object, for its template and its rollouts.
- apiGroups: [{{ .apiGroup | quote }}]
  resources: [{{ .resource }}]
  verbs: {{ $read }}
{{- end }}
# Rollouts, templates, and who else writes the count (managedFields); ReplicaSets tell old pods from new ones.
- apiGroups: [apps]
  resources: [deployments, statefulsets, replicasets]
  verbs: {{ $read }}
# The same of LeaderWorkerSets.
- apiGroups: [leaderworkerset.x-k8s.io]
  resources: [leaderworkersets]
  verbs: {{ $read }}
# Ray has no /scale: a worker group's count is a field of the object itself{{ if $live }}, patched there{{ end }}.
- apiGroups: [ray.io]
  resources: [rayclusters, rayservices]
  verbs: {{ ternary (list "get" "list" "watch" "patch") (list "get" "list" "watch") $live | toJson }}
# Replicas: where their metrics are, whether they are Ready, what they wait for; and the GPUs that all pods ask for.
- apiGroups: [""]
  resources: [pods]
  verbs: {{ $read }}
{{- if $live }}
# controller.kubernetes.io/pod-deletion-cost: so that the idlest replicas go first.
- apiGroups: [""]
  resources: [pods]
  verbs: [patch]
{{- end }}
# What a namespace may still ask for.
- apiGroups: [""]
  resources: [resourcequotas]
  verbs: {{ $read }}
# GPUs that are asked for by dynamic resource allocation.
- apiGroups: [resource.k8s.io]
  resources: [resourceclaims]
  verbs: {{ $read }}
# Rivals: an HPA on the same target sets Conflicted. Also for `tidegate import hpa`.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: {{ $read }}
# The same of KEDA.
- apiGroups: [keda.sh]
  resources: [scaledobjects]
  verbs: {{ $read }}
# How long nodes, images and models take to come up.
- apiGroups: [""]
  resources: [events]
  verbs: [list, watch]
# What `kubectl describe infas` shows; patched where one repeats.
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- with .Values.rbac.secretNames }}
# rbac.secretNames: tokens and certificates of metrics sources, by name.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ toJson . }}
  verbs: [get]
{{- end }}
{{- end -}}

{{/* Of what has no namespace, or one of the cluster's own. */}}
{{- define "tidegate.clusterRules" -}}
# The GPUs that there are: allocatable, cordons, taints, labels.
- apiGroups: [""]
  resources: [nodes]
  verbs: [get, list, watch]
# The GPUs of dynamic resource allocation.
- apiGroups: [resource.k8s.io]
  resources: [resourceslices]
  verbs: [get, list, watch]
# The nodes that Karpenter may still make.
- apiGroups: [karpenter.sh]
  resources: [nodepools]
  verbs: [get, list, watch]
# Whether the cluster-autoscaler can still make nodes; it says so in this one ConfigMap.
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [cluster-autoscaler-status]
  verbs: [get]
{{- end -}}
