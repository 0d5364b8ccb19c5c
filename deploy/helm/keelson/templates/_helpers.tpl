{{- define "keelson.name" -}}
{{- if contains "keelson" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-keelson" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* Everything of this installation. */}}
{{- define "keelson.pods" -}}
app.kubernetes.io/name: keelson
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "keelson.selector" -}}
{{ include "keelson.pods" . }}
app.kubernetes.io/component: controller
{{- end }}

{{- define "keelson.labels" -}}
app.kubernetes.io/name: keelson
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: keelson
{{- end }}

{{- define "keelson.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "keelson.name" .) }}
{{- end }}

{{- define "keelson.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* A mode's name: YAML reads a bare Off as false. */}}
{{- define "keelson.mode" -}}
{{- if eq (toString .) "false" }}Off{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* What a schema cannot say: values that do not go together, each refused in a sentence. */}}
{{- define "keelson.check" -}}
{{- $rank := dict "Off" 0 "Observe" 1 "Enforce" 2 -}}
{{- range $name, $feature := .Values.features }}
{{- $mode := include "keelson.mode" $feature.mode }}
{{- $ceiling := include "keelson.mode" $feature.ceiling }}
{{- if gt (get $rank $mode) (get $rank $ceiling) }}
{{- fail (printf "features.%s.mode is %s, above features.%s.ceiling, which is %s: raise the ceiling, or lower the mode" $name $mode $name $ceiling) }}
{{- end }}
{{- end }}
{{- with .Values.features.scheduling.settings }}
{{- if gt (int .podInitialBackoffSeconds) (int .podMaxBackoffSeconds) }}
{{- fail (printf "features.scheduling.settings.podInitialBackoffSeconds is %d, above podMaxBackoffSeconds, which is %d: lower it, or raise the maximum" (int .podInitialBackoffSeconds) (int .podMaxBackoffSeconds)) }}
{{- end }}
{{- end }}
{{- with .Values.features.scheduling }}
{{- $name := .settings.schedulerName }}
{{- $layout := include "keelson.layout" $ }}
{{- if and (eq $name "default-scheduler") (ne $layout "Replacement") }}
{{- fail (printf "features.scheduling.settings.schedulerName is default-scheduler and layout is %s: two schedulers would bind the same pods; choose another name, or layout Replacement" ($layout | default "not set")) }}
{{- end }}
{{- if include "keelson.optIn" $ }}
{{- if ne (include "keelson.mode" .ceiling) "Enforce" }}
{{- fail (printf "features.scheduling.optIn.enabled is true and features.scheduling.ceiling is %s: nobody would place the pods that are given to Keelson; raise the ceiling to Enforce, or leave the policy out" (include "keelson.mode" .ceiling)) }}
{{- else if eq $name "default-scheduler" }}
{{- fail "features.scheduling.optIn.enabled is true and features.scheduling.settings.schedulerName is default-scheduler: pods that name no scheduler are Keelson's already; leave the policy out" }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.features.scheduling.extender }}
{{- if and .enabled (not (and .tlsSecretName .clientAuthoritySecretName)) }}
{{- fail "features.scheduling.extender.enabled is true: whoever asks there steers where pods go, so name the Secret of its certificate in features.scheduling.extender.tlsSecretName, and the Secret with the authority of those who ask in features.scheduling.extender.clientAuthoritySecretName" }}
{{- else if and .enabled (eq (include "keelson.mode" $.Values.features.scheduling.ceiling) "Off") }}
{{- fail "features.scheduling.extender.enabled is true and features.scheduling.ceiling is Off: scheduling has nothing to answer with then; raise the ceiling, or leave the extender out" }}
{{- end }}
{{- end }}
{{- if and (gt (int .Values.replicas) 1) (not .Values.database.postgres.secretName) }}
{{- fail (printf "replicas is %d and the database is SQLite, a file that one controller has for itself: put a postgres:// URL into a Secret and name it in database.postgres.secretName, or set replicas to 1" (int .Values.replicas)) }}
{{- end }}
{{- if and .Values.dashboard.tlsSecretName (eq .Values.dashboard.signIn "none") }}
{{- fail "dashboard.tlsSecretName is set and dashboard.signIn is none: the page is on the pod's loopback then and needs no certificate; set dashboard.signIn to token, oidc or proxy, or leave the Secret out" }}
{{- end }}
{{- if eq .Values.dashboard.signIn "oidc" }}
{{- if not (and .Values.dashboard.oidc.issuer .Values.dashboard.oidc.client .Values.dashboard.hosts) }}
{{- fail "dashboard.signIn is oidc: give dashboard.oidc.issuer and dashboard.oidc.client, and in dashboard.hosts the name that the provider sends people back to" }}
{{- end }}
{{- else if and (eq .Values.dashboard.signIn "proxy") (not .Values.dashboard.proxy.secretName) }}
{{- fail "dashboard.signIn is proxy and dashboard.proxy.secretName is empty: name the Secret that holds what the proxy sends in X-Keelson-Proxy-Secret" }}
{{- end }}
{{- with .Values.monitoring.serviceMonitor }}
{{- if and .enabled (eq $.Values.dashboard.signIn "none") }}
{{- fail "monitoring.serviceMonitor.enabled is true and dashboard.signIn is none: /metrics is on the pod's loopback then, where nobody can scrape it; set dashboard.signIn to token, oidc or proxy, or send metrics to a collector with log.otlp" }}
{{- else if and .enabled (not .tokenSecretName) }}
{{- fail "monitoring.serviceMonitor.enabled is true and monitoring.serviceMonitor.tokenSecretName is empty: name the Secret with the token that Prometheus shows; /metrics answers nobody without one" }}
{{- end }}
{{- end }}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) }}
{{- fail "serviceAccount.create is false and serviceAccount.name is empty: name the ServiceAccount that is there" }}
{{- end }}
{{- end }}

{{/* How nodes are divided; empty in values that were kept from before there were layouts. */}}
{{- define "keelson.layout" -}}
{{- .Values.features.scheduling.settings.layout -}}
{{- end }}

{{/* Whether the policy is asked for that makes pods of namespaces Keelson's; empty when not. */}}
{{- define "keelson.optIn" -}}
{{- if (.Values.features.scheduling.optIn | default dict).enabled }}true{{ end -}}
{{- end }}

{{/* The newest version in which the cluster has MutatingAdmissionPolicies; empty when it has none. */}}
{{- define "keelson.mutatingPolicies" -}}
{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" -}}
admissionregistration.k8s.io/v1
{{- else if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy" -}}
admissionregistration.k8s.io/v1beta1
{{- end -}}
{{- end }}

{{/* The port of a URL. */}}
{{- define "keelson.port" -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- if $port }}{{ $port }}{{ else if eq $url.scheme "http" }}80{{ else }}443{{ end }}
{{- end }}

{{/* The highest ceiling of any feature. */}}
{{- define "keelson.ceiling" -}}
{{- $highest := "Off" -}}
{{- range .Values.features -}}
{{- $ceiling := include "keelson.mode" .ceiling -}}
{{- if eq $ceiling "Enforce" -}}{{- $highest = "Enforce" -}}
{{- else if and (eq $ceiling "Observe") (eq $highest "Off") -}}{{- $highest = "Observe" -}}
{{- end -}}
{{- end -}}
{{- $highest -}}
{{- end }}

{{/* The rules of the ClusterRole (own: false) or of the Role (own: true): what is installed needs, each right once. */}}
{{- define "keelson.rules" -}}
{{- $rights := .root.Files.Get "files/rights.yaml" | fromYaml -}}
{{- $needed := get $rights.base (include "keelson.ceiling" .root) -}}
{{- range $name, $feature := .root.Values.features -}}
{{- $needed = concat $needed (get (get $rights.features $name) (include "keelson.mode" $feature.ceiling)) -}}
{{- end -}}
{{- $ceiling := include "keelson.mode" .root.Values.features.scheduling.ceiling -}}
{{- if and (eq (include "keelson.layout" .root) "Replacement") (eq $ceiling "Enforce") -}}
{{- $needed = concat $needed $rights.replacing -}}
{{- end -}}
{{- if ne .root.Values.dashboard.signIn "none" -}}
{{- $needed = concat $needed $rights.signIn -}}
{{- end -}}
{{- $rules := dict -}}
{{- range $right := $needed -}}
{{- if eq $right.own $.own -}}
{{- $key := printf "%s/%s/%s" $right.group $right.resource (join "," $right.names) -}}
{{- $before := list -}}
{{- with get $rules $key -}}{{- $before = .verbs -}}{{- end -}}
{{- $_ := set $rules $key (set (deepCopy $right) "verbs" (concat $before $right.verbs | uniq | sortAlpha)) -}}
{{- end -}}
{{- end -}}
{{- range $key := keys $rules | sortAlpha }}
{{- $rule := get $rules $key }}
- apiGroups: [{{ $rule.group | quote }}]
  resources: [{{ $rule.resource | quote }}]
  {{- with $rule.names }}
  resourceNames: {{ toJson . }}
  {{- end }}
  verbs: {{ toJson $rule.verbs }}
{{- end }}
{{- end }}

{{/* The Secret that signing in needs; empty when it needs none. */}}
{{- define "keelson.signInSecret" -}}
{{- if eq .Values.dashboard.signIn "oidc" }}{{ .Values.dashboard.oidc.secretName }}
{{- else if eq .Values.dashboard.signIn "proxy" }}{{ .Values.dashboard.proxy.secretName }}
{{- end }}
{{- end }}

{{/* Where the page listens, and who may ask it. */}}
{{- define "keelson.page" -}}
{{- if eq .Values.dashboard.signIn "none" }}
- --listen=127.0.0.1:8080
{{- else }}
- --listen=0.0.0.0:8080
- --sign-in={{ .Values.dashboard.signIn }}
{{- $service := printf "%s.%s.svc" (include "keelson.name" .) .Release.Namespace }}
{{- range concat (list $service (printf "%s.cluster.local" $service)) .Values.dashboard.hosts }}
- --host={{ . }}
{{- end }}
{{- if eq .Values.dashboard.signIn "oidc" }}
{{- with .Values.dashboard.oidc }}
- --oidc-issuer={{ .issuer }}
- --oidc-client={{ .client }}
{{- if .secretName }}
- --oidc-secret-file=/etc/keelson/sign-in/{{ .secretKey }}
{{- end }}
- --oidc-redirect-host={{ first $.Values.dashboard.hosts }}
{{- end }}
{{- else if eq .Values.dashboard.signIn "proxy" }}
- --proxy-secret-file=/etc/keelson/sign-in/{{ .Values.dashboard.proxy.secretKey }}
{{- end }}
{{- if .Values.dashboard.tlsSecretName }}
- --tls-cert=/etc/keelson/tls/tls.crt
- --tls-key=/etc/keelson/tls/tls.key
{{- end }}
{{- end }}
{{- end }}

{{/* Nobody, without a capability, on a file system that is read only: the restricted profile and a little more. */}}
{{- define "keelson.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "keelson.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
