{{/* What changes the number of a component's pods. Without metadata, which the Worker Controller makes itself. */}}

{{/* (list $ "worker" true): true leaves its target to the Worker Controller. */}}
{{- define "call-moderation.cpuScaler" -}}
{{- $root := index . 0 -}}
{{- $scaling := (get $root.Values (index . 1)).autoscaling -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
spec:
  {{- if index . 2 }}
  scaleTargetRef: {}
  {{- else }}
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "call-moderation.component" . }}
  {{- end }}
  minReplicas: {{ $scaling.minReplicas | int }}
  maxReplicas: {{ $scaling.maxReplicas | int }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ $scaling.targetCpuPercent | int }}
{{- end -}}

{{/* Workflow tasks and activities that wait in the task queue; with the Worker Controller, those of the build alone. */}}
{{- define "call-moderation.backlogScaler" -}}
{{- $isControlled := .Values.worker.controller.enabled -}}
{{- $name := include "call-moderation.component" (list . "worker") -}}
{{- with .Values.worker.autoscaling -}}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
spec:
  {{- if $isControlled }}
  scaleTargetRef: {}
  {{- else }}
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ $name }}
  {{- end }}
  pollingInterval: 15
  minReplicaCount: {{ .minReplicas | int }}
  maxReplicaCount: {{ .maxReplicas | int }}
  triggers:
    - type: temporal
      metadata:
        endpoint: {{ $.Values.temporal.address | quote }}
        {{- if $isControlled }}
        namespace: ''
        workerDeploymentName: ''
        workerDeploymentBuildId: ''
        {{- else }}
        namespace: {{ $.Values.temporal.namespace | quote }}
        {{- end }}
        taskQueue: {{ $.Values.temporal.taskQueue | quote }}
        queueTypes: workflow,activity
        targetQueueSize: {{ .targetBacklog | int | quote }}
        {{- with $.Values.temporal.tls.serverName }}
        tlsServerName: {{ . | quote }}
        {{- end }}
      {{- if include "call-moderation.scalerSecrets" $ }}
      authenticationRef:
        name: {{ $name }}
      {{- end }}
{{- end }}
{{- end -}}

{{/* Temporal's credentials, as KEDA takes them. */}}
{{- define "call-moderation.scalerSecrets" -}}
{{- with .Values.temporal -}}
{{- if .apiKeySecret.name }}
- { parameter: apiKey, name: {{ .apiKeySecret.name | quote }}, key: {{ .apiKeySecret.key | quote }} }
{{- else if .tls.clientSecret }}
- { parameter: cert, name: {{ .tls.clientSecret | quote }}, key: tls.crt }
- { parameter: key, name: {{ .tls.clientSecret | quote }}, key: tls.key }
{{- if .tls.caSecret.name }}
- { parameter: ca, name: {{ .tls.caSecret.name | quote }}, key: {{ .tls.caSecret.key | quote }} }
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}
