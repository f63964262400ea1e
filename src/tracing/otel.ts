import { diag, DiagLogLevel } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { reasonOf } from '../lib/error-reason.ts';
import { VERSION } from '../lib/version.ts';
import { idGenerator } from './ids.ts';

/**
 * OpenTelemetry's SDK. It reads `OTEL_*` itself: endpoint, headers, sampler, limits, and what is told of the process.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export function installSdk(process: string, say: (message: string) => void): () => Promise<void> {
  const silent = (): void => undefined;
  const told = (message: string): void => say(readable(message));
  diag.setLogger(
    { error: told, warn: told, info: silent, debug: silent, verbose: silent },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const own = resourceFromAttributes({ 'service.name': `call-moderation-${process}`, 'service.version': VERSION });
  const resource = defaultResource()
    .merge(own)
    .merge(detectResources({ detectors: [envDetector] }));
  // Nobody at a terminal waits for a collector that is not there.
  const exporter = new OTLPTraceExporter(process === 'cli' ? { timeoutMillis: 2_000 } : {});
  const spanProcessors = [new BatchSpanProcessor(exporter)];
  const provider = new NodeTracerProvider({ resource, spanProcessors, idGenerator });
  provider.register();
  return async () => await provider.shutdown();
}

/** The SDK reports a failed export as JSON with its stack, and quotes what it cannot read, such as a header. */
function readable(message: string): string {
  try {
    const failure = JSON.parse(message) as object;
    return `spans were not sent: ${reasonOf(failure)}`;
  } catch {
    return 'the SDK reports an error; check the OTEL_* variables';
  }
}
