/**
 * The national clouds in which Graph's cloud-communications API exists.
 * https://learn.microsoft.com/graph/deployments. 21Vianet's China cloud is not among them, because its metadata
 * (`$metadata`) has no type `call`.
 */
export interface Cloud {
  /** Root of the service, without a version. The scope of its tokens is `{root}/.default`. */
  graphUrl: string;
  /** Where Microsoft Entra ID issues the tokens. */
  authorityHost: string;
}

/** The clouds by the names of `MODERATION_GRAPH_CLOUD`. */
export const CLOUDS = {
  global: { graphUrl: 'https://graph.microsoft.com', authorityHost: 'https://login.microsoftonline.com' },
  'usgov-l4': { graphUrl: 'https://graph.microsoft.us', authorityHost: 'https://login.microsoftonline.us' },
  'usgov-l5': { graphUrl: 'https://dod-graph.microsoft.us', authorityHost: 'https://login.microsoftonline.us' },
} as const satisfies Record<string, Cloud>;

/** `global`, or a cloud of the US government. */
export type CloudName = keyof typeof CLOUDS;
