{{/*
Names and labels. A component is `worker`, `webhook`, `gateway`, `setup` or `doctor`: the command that its container runs, too. The
first three are processes, each with values of its own.
*/}}

{{- define "call-moderation.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for what is added to it, and for the names that the Worker Controller makes of it. */}}
{{- define "call-moderation.fullname" -}}
{{- $name := include "call-moderation.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The processes of this release, as a YAML list. */}}
{{- define "call-moderation.processes" -}}
{{- $enabled := list -}}
{{- range list "worker" "webhook" "gateway" -}}
{{- if (get $.Values .).enabled -}}{{- $enabled = append $enabled . -}}{{- end -}}
{{- end -}}
{{- toYaml $enabled -}}
{{- end -}}

{{/* The name of the values that a component takes. Commands take those of the workers. */}}
{{- define "call-moderation.valuesOf" -}}
{{- has . (list "webhook" "gateway") | ternary . "worker" -}}
{{- end -}}

{{/* The name of a component's objects: (list $ "worker"). */}}
{{- define "call-moderation.component" -}}
{{- $root := index . 0 -}}
{{- printf "%s-%s" (include "call-moderation.fullname" $root) (index . 1) -}}
{{- end -}}

{{/* What selects the pods of a component, and never changes: (list $ "worker"). */}}
{{- define "call-moderation.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "call-moderation.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The labels of a component's objects: (list $ "worker"). */}}
{{- define "call-moderation.labels" -}}
{{- $root := index . 0 -}}
{{ include "call-moderation.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* name, namespace and labels of a component's object: (list $ "worker"). */}}
{{- define "call-moderation.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "call-moderation.component" . }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "call-moderation.labels" . | nindent 2 }}
{{- end -}}

{{- define "call-moderation.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The service account of a component: (list $ "worker"). Hooks run before the release's own accounts are there. */}}
{{- define "call-moderation.serviceAccount" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- if eq $component "setup" -}}
default
{{- else -}}
{{- $of := include "call-moderation.valuesOf" $component -}}
{{- $account := (get $root.Values $of).serviceAccount -}}
{{- if $account.name -}}
{{ $account.name }}
{{- else if $account.create -}}
{{ include "call-moderation.component" (list $root $of) }}
{{- else -}}
default
{{- end -}}
{{- end -}}
{{- end -}}
