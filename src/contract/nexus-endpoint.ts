/** Names of Nexus endpoints, as Temporal's server takes them. */
const ENDPOINT_NAME = /^[A-Za-z](?:[A-Za-z0-9-]{0,198}[A-Za-z0-9])$/;

export const ENDPOINT_NAME_FAULT =
  'must be the name of a Nexus endpoint: 2 to 200 of A-Z a-z 0-9 -, with a letter first and no - last, such as call-moderation';

export function isEndpointName(value: string): boolean {
  return ENDPOINT_NAME.test(value);
}
