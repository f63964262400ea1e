/** Graph's calls as the activities use them, for workers of one's own. */
export { GraphClient, type GraphOptions, type GraphRequest, type GraphResponse } from './client.ts';
export { CLOUDS, type Cloud, type CloudName } from './clouds.ts';
export { GraphError } from './errors.ts';
export { OperatorError } from '../lib/operator-error.ts';
export { GraphMetrics, type CountedRequest } from './metrics.ts';
export { fixedToken, identityTokens, type IdentityOptions, type TokenSource } from './tokens.ts';
