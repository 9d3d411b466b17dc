{{/* Names, labels, images, and what every pod has in common. */}}

{{- define "tidegate.fullname" -}}
{{- $name := .Release.Name -}}
{{- if not (contains "tidegate" $name) -}}{{- $name = printf "%s-tidegate" $name -}}{{- end -}}
{{- default $name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels that select a component's pods; they never change. Takes (dict "root" $ "component" "api"). */}}
{{- define "tidegate.selector" -}}
app.kubernetes.io/name: tidegate
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "tidegate.labels" -}}
{{ include "tidegate.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* name, namespace and labels of an object of a component. */}}
{{- define "tidegate.meta" -}}
name: {{ include "tidegate.fullname" .root }}-{{ default .component .suffix }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "tidegate.labels" . | nindent 2 }}
{{- end -}}

{{/* The same without a namespace, for objects that have none: the release's namespace is in the name instead. */}}
{{- define "tidegate.clusterMeta" -}}
name: {{ include "tidegate.fullname" .root }}-{{ default .component .suffix }}-{{ .root.Release.Namespace }}
labels: {{- include "tidegate.labels" . | nindent 2 }}
{{- end -}}

{{- define "tidegate.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "tidegate.databaseSecret" -}}
{{- $full := include "tidegate.fullname" . -}}
{{- with .Values.postgres -}}
{{ if .existingSecret }}{{ .existingSecret }}{{ else if .url }}{{ $full }}-database{{ else }}{{ $full }}-postgres{{ end }}
{{- end -}}
{{- end -}}

{{- define "tidegate.brokerSecret" -}}
{{- $full := include "tidegate.fullname" . -}}
{{- with .Values.broker -}}
{{ if .existingSecret }}{{ .existingSecret }}{{ else if .url }}{{ $full }}-broker{{ else }}{{ $full }}-valkey{{ end }}
{{- end -}}
{{- end -}}

{{- define "tidegate.env.database" -}}
- name: TIDEGATE_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "tidegate.databaseSecret" . }}
      key: {{ ternary .Values.postgres.existingSecretKey "url" (ne .Values.postgres.existingSecret "") }}
{{- end -}}

{{/* The schema's owner, where it is another role than the application's. */}}
{{- define "tidegate.env.owner" -}}
{{- with .Values.postgres.owner -}}
{{- if or .url .existingSecret -}}
- name: TIDEGATE_OWNER_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ if .existingSecret }}{{ .existingSecret }}{{ else }}{{ include "tidegate.fullname" $ }}-database-owner{{ end }}
      key: {{ ternary .existingSecretKey "url" (ne .existingSecret "") }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tidegate.env.broker" -}}
- name: TIDEGATE_BROKER_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "tidegate.brokerSecret" . }}
      key: {{ ternary .Values.broker.existingSecretKey "url" (ne .Values.broker.existingSecret "") }}
{{- end -}}

{{/* The root file system is read-only: whatever wants to write is sent to the two emptyDirs. */}}
{{- define "tidegate.env.common" -}}
- {name: HOME, value: /tmp}
- {name: TMPDIR, value: /tmp}
- {name: XDG_STATE_HOME, value: /tmp/state}
- {name: XDG_CACHE_HOME, value: /var/cache/tidegate}
- {name: NUMBA_CACHE_DIR, value: /var/cache/tidegate/numba}
- name: TIDEGATE_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- with .pod.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tidegate.volumeMounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: cache, mountPath: /var/cache/tidegate}
{{- with .pod.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tidegate.volumes" -}}
- {name: tmp, emptyDir: {sizeLimit: 256Mi}}
- {name: cache, emptyDir: {sizeLimit: 512Mi}}
{{- with .pod.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
What a template of a component works with: (dict "root" $ "component" "api" "values" .Values.api), to which this adds
"pod", the component's own values for keys of `pod` over the common ones. Returns YAML: use with fromYaml.
*/}}
{{- define "tidegate.pod" -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.pod) (deepCopy (default dict .values.pod))) -}}
{{- end -}}

{{- define "tidegate.podMeta" -}}
labels:
  {{- include "tidegate.selector" . | nindent 2 }}
  {{- with .root.Values.commonLabels }}{{ toYaml . | nindent 2 }}{{ end }}
  {{- with .pod.labels }}{{ toYaml . | nindent 2 }}{{ end }}
annotations:
  # URLs that are in the values: a changed one restarts the pods. Secrets of yours are yours to watch.
  checksum/urls: {{ printf "%s %s" .root.Values.postgres.url .root.Values.broker.url | sha256sum | trunc 16 | quote }}
  {{- with .pod.annotations }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end -}}

{{/* The restricted Pod Security Standard. */}}
{{- define "tidegate.podSecurity" -}}
runAsNonRoot: true
{{- with .pod.runAsUser }}
runAsUser: {{ int64 . }}
runAsGroup: {{ int64 . }}
fsGroup: {{ int64 . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "tidegate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where, as whom and with what right a pod runs. "token": whether it talks to the Kubernetes API. */}}
{{- define "tidegate.podPlace" -}}
serviceAccountName: {{ include "tidegate.fullname" .root }}-{{ .component }}
automountServiceAccountToken: {{ default false .token }}
# The variables of every Service in the namespace are of no use, and one named tidegate would set TIDEGATE_PORT.
enableServiceLinks: false
securityContext: {{- include "tidegate.podSecurity" . | nindent 2 }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .pod.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  {{- $selector := dict "labelSelector" (dict "matchLabels" (include "tidegate.selector" $ | fromYaml)) }}
  - {{- toYaml (merge (deepCopy .) $selector) | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "tidegate.containerHead" -}}
image: {{ include "tidegate.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext: {{- include "tidegate.containerSecurity" . | nindent 2 }}
{{- end -}}

{{- define "tidegate.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "tidegate.meta" . | nindent 2 }}
  {{- with .pod.serviceAccountAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end -}}

{{/* At most one of a component's pods at a time, where there are several: a PDB over one pod would block drains. */}}
{{- define "tidegate.disruptionBudget" -}}
{{- if and .root.Values.podDisruptionBudget.enabled (gt (int .values.replicas) 1) -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "tidegate.meta" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "tidegate.selector" . | nindent 6 }}
{{- end -}}
{{- end -}}
