{{/* The objects of the processes: (list $ "webhook"). */}}

{{/* Without a number of pods if a scaler decides it. */}}
{{- define "call-moderation.deployment" -}}
{{- $values := get (index . 0).Values (index . 1) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "call-moderation.metadata" . | nindent 2 }}
spec:
  {{- if eq $values.autoscaling.type "none" }}
  replicas: {{ $values.replicas | int }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    type: RollingUpdate
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
  selector:
    matchLabels:
      {{- include "call-moderation.selector" . | nindent 6 }}
  template:
    {{- include "call-moderation.podTemplate" . | nindent 4 }}
{{- end -}}

{{/* Where the container of an HTTP component listens. */}}
{{- define "call-moderation.httpPort" -}}
{{- get (dict "webhook" "3978" "gateway" "3980") . -}}
{{- end -}}

{{/*
Everything of an HTTP component: (list $ "webhook" MATCHES). Only the requests that match are served to the outside. A match is an
HTTPRoute's; an Ingress takes its path alone.
*/}}
{{- define "call-moderation.httpComponent" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $of := list $root $component -}}
{{- $matches := index . 2 -}}
{{- $name := include "call-moderation.component" $of -}}
{{- $metadata := include "call-moderation.metadata" $of -}}
{{- with get $root.Values $component -}}
{{ include "call-moderation.deployment" $of }}
{{- if eq .autoscaling.type "cpu" }}
---
{{ include "call-moderation.cpuScaler" (append $of false) }}
metadata:
  {{- $metadata | nindent 2 }}
{{- end }}
---
apiVersion: v1
kind: Service
metadata:
  {{- $metadata | nindent 2 }}
  {{- with .service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ .service.type }}
  selector:
    {{- include "call-moderation.selector" $of | nindent 4 }}
  ports:
    - name: http
      port: {{ .service.port | int }}
      targetPort: http
      protocol: TCP
      appProtocol: http
{{- if .ingress.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- $metadata | nindent 2 }}
  {{- with .ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with .ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  tls:
    - hosts: [{{ .ingress.host | quote }}]
      {{- with .ingress.tlsSecret }}
      secretName: {{ . }}
      {{- end }}
  rules:
    - host: {{ .ingress.host | quote }}
      http:
        paths:
          {{- range $matches }}
          - path: {{ .path.value }}
            pathType: Prefix
            backend:
              service:
                name: {{ $name }}
                port: { name: http }
          {{- end }}
{{- end }}
{{- if .httpRoute.enabled }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- $metadata | nindent 2 }}
  {{- with .httpRoute.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  parentRefs:
    {{- toYaml .httpRoute.parentRefs | nindent 4 }}
  hostnames:
    {{- toYaml .httpRoute.hostnames | nindent 4 }}
  rules:
    - matches:
        {{- toYaml $matches | nindent 8 }}
      backendRefs:
        - name: {{ $name }}
          port: {{ .service.port | int }}
{{- end }}
{{- end }}
{{- end -}}
