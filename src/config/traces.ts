import { trimEnvironment, type Environment } from '../lib/environment.ts';

/** Whether traces are to be sent anywhere. */
export function wantsTraces(env: Environment): boolean {
  const given = trimEnvironment(env);
  const isNamed = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'].some((name) => name in given);
  return isNamed && given['OTEL_SDK_DISABLED']?.toLowerCase() !== 'true' && given['OTEL_TRACES_EXPORTER'] !== 'none';
}
