import { canonicalTenantId } from '../contract/tenant.ts';
import { canonicalId } from '../contract/call-id.ts';
import { isSafe } from '../lib/safe-url.ts';

/**
 * The values that tokens are compared with, in the form in which tokens contain them: an application's and a tenant's
 * ID as a GUID in dashed lower case, an issuer without a slash at its end. A value that no token could ever equal is
 * refused, because every notification would be answered 401.
 */

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function isGuid(text: string): boolean {
  return GUID.test(text);
}

/** A GUID in any of its spellings, braces included, in dashed lower case; any other text as it is. */
export function canonicalGuid(text: string): string {
  return canonicalId(text.trim().replace(/^\{(.*)\}$/s, '$1'));
}

/** @returns the issue, with its remedy */
export function faultOfAudience(audience: string): string | undefined {
  const id = canonicalGuid(audience);
  if (isGuid(id)) return undefined;
  return /^[a-z0-9][a-z0-9._-]*$/.test(id)
    ? undefined
    : "must be the application's ID, such as 0efc74f7-41c3-47a4-8775-7259bfef4241, without a scheme such as api://, because tokens name that alone";
}

/** Two spellings of an issuer: tokens of one cloud have the slash at the end that those of another have not. */
export function canonicalIssuer(issuer: string): string {
  const text = issuer.trim();
  if (!URL.canParse(text)) return text;
  return new URL(text).href.replace(/\/$/, '');
}

export function faultOfIssuer(issuer: string): string | undefined {
  const text = issuer.trim();
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && isSafe(url) && `${url.search}${url.hash}${url.username}${url.password}` === '';
  return isPlain && !/[\s"'<>]/.test(text)
    ? undefined
    : 'must be https: addresses as tokens name them, such as https://graph.microsoft.com';
}

/** A domain of a tenant: requests may name it, tokens never do. */
export function isDomain(tenant: string): boolean {
  return /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]*[a-z0-9])?$/.test(tenant);
}

/** The ID of a tenant as tokens spell it, or a domain in lower case. Braces around an ID are taken off. */
export function canonicalTenant(tenant: string): string {
  return canonicalTenantId(canonicalGuid(tenant));
}

/** Of tenants in their canonical form. */
export function faultOfTenants(tenants: readonly string[]): string | undefined {
  if (!tenants.every((tenant) => isGuid(tenant) || isDomain(tenant))) {
    return 'must be the IDs (GUIDs) of tenants, with a comma between them';
  }
  return tenants.length === 0 || tenants.some(isGuid)
    ? undefined
    : 'names tenants by domain only; give the ID (GUID) of each too, because tokens of notifications name no domain';
}
