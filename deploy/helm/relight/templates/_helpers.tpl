{{- define "relight.name" -}}
{{- if contains "relight" .Release.Name }}{{ .Release.Name | trunc 53 | trimSuffix "-" }}{{ else }}{{ printf "%s-relight" .Release.Name | trunc 53 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "relight.selector" -}}
app.kubernetes.io/name: relight
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "relight.labels" -}}
{{ include "relight.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}
