import { canonicalId } from './call-id.ts';

/** The most characters that a domain may have. */
const MAX_CHARACTERS = 253;

/** Begins and ends with a letter or a digit, so that it is never `.` or `..` in the path of an address. */
const TENANT_ID = /^[0-9a-z](?:[0-9a-z.-]*[0-9a-z])?$/i;

/** A tenant's ID, or one of its domains. */
export function isTenantId(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= MAX_CHARACTERS &&
    TENANT_ID.test(value) &&
    // Two dots in a row are part of no domain.
    !value.includes('..')
  );
}

/**
 * The one form of a tenant's ID or domain. Both are the same in any case, and a search attribute is not, so whatever is
 * stored, listed or compared is in this form.
 */
export function canonicalTenantId(tenantId: string): string {
  return canonicalId(tenantId).toLowerCase();
}
