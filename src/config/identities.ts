import { z } from 'zod';
import {
  canonicalGuid,
  canonicalIssuer,
  canonicalTenant,
  faultOfAudience,
  faultOfIssuer,
  faultOfTenants,
  isDomain,
  isGuid,
} from '../auth/token-rules.ts';
import { list } from './list.ts';

/** Applications, tenants and issuers of tokens. */

export const tenants = list
  .refine((items) => items.length > 0, 'must name at least one tenant; leave it out to allow any')
  .transform((items, context) => {
    const canonical = items.map(canonicalTenant);
    const fault = faultOfTenants(canonical);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    return new Set(canonical);
  });

export const audience = z.string().transform((value, context) => {
  const fault = faultOfAudience(value);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
  return canonicalGuid(value);
});

export const issuers = list
  .refine((items) => items.length > 0, 'must name at least one issuer')
  .transform((items, context) => {
    const fault = items.map(faultOfIssuer).find((found) => found !== undefined);
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
    return [...new Set(items.map(canonicalIssuer))];
  });

/** Entra ID knows no other form. */
export const applicationId = z
  .string()
  .refine((value) => isGuid(value.toLowerCase()), "must be the application's or the managed identity's ID, a GUID");

export const tenantId = z
  .string()
  .refine(
    (value) => isGuid(value.toLowerCase()) || isDomain(value.toLowerCase()),
    'must be the ID of a tenant, or one of its domains',
  );

/** What `@azure/identity` gets a token with. */
export const azureIdentity = z.object({
  AZURE_CLIENT_ID: applicationId.optional(),
  AZURE_TENANT_ID: tenantId.optional(),
});
