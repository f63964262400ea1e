#!/bin/sh
# Creates the namespace TEMPORAL_NAMESPACE at TEMPORAL_ADDRESS, with the search attributes of the operations, and the Nexus endpoint
# MODERATION_NEXUS_ENDPOINT, if it is set. Skips what exists.
set -eu

attempts=0
until temporal operator cluster health > /dev/null 2>&1; do
  attempts=$((attempts + 1))
  if [ "$attempts" -ge 60 ]; then
    echo "Temporal at $TEMPORAL_ADDRESS does not become healthy"
    exit 1
  fi
  sleep 1
done

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" > /dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 72h

# The server, and its search, know a new namespace only after a moment.
attempts=0
until temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
  --name ModerationAction --type Keyword \
  --name ModerationCallId --type Keyword \
  --name ModerationCallState --type Keyword \
  --name ModerationLabels --type KeywordList \
  --name ModerationOutcome --type Keyword \
  --name ModerationRequestId --type Keyword \
  --name ModerationTarget --type Keyword \
  --name ModerationTenantId --type Keyword; do
  attempts=$((attempts + 1))
  if [ "$attempts" -ge 60 ]; then
    echo "The search attributes of $TEMPORAL_NAMESPACE cannot be registered"
    exit 1
  fi
  sleep 1
done

# As `call-moderation setup --nexus-endpoint` does.
endpoint="${MODERATION_NEXUS_ENDPOINT:-}"
if [ -n "$endpoint" ]; then
  temporal operator nexus endpoint get --name "$endpoint" > /dev/null 2>&1 ||
    temporal operator nexus endpoint create --name "$endpoint" \
      --target-namespace "$TEMPORAL_NAMESPACE" --target-task-queue "${MODERATION_TASK_QUEUE:-call-moderation}"
fi
