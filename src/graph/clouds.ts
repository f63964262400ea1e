/**
 * The national clouds in which Graph's cloud-communications API exists.
 * https://learn.microsoft.com/graph/deployments; that 21Vianet's China cloud has no `call` type at all stands in its
 * metadata (`$metadata`), so it is refused when the process starts.
 */
export interface Cloud {
  /** Root of the service, without a version. The scope of its tokens is `{root}/.default`. */
  graphUrl: string;
  /** Where Microsoft Entra ID issues the tokens. */
  authorityHost: string;
}

export const CLOUDS = {
  global: { graphUrl: 'https://graph.microsoft.com', authorityHost: 'https://login.microsoftonline.com' },
  'usgov-l4': { graphUrl: 'https://graph.microsoft.us', authorityHost: 'https://login.microsoftonline.us' },
  'usgov-l5': { graphUrl: 'https://dod-graph.microsoft.us', authorityHost: 'https://login.microsoftonline.us' },
} as const satisfies Record<string, Cloud>;

export type CloudName = keyof typeof CLOUDS;
