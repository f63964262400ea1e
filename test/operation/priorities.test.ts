import { describe, expect, test } from 'vitest';
import { goesBefore, standingPriority, policyPriority, priorityOf } from '../../src/contract/priority.ts';

/** The table of priorities; `priority.test.ts` has what Temporal does with them. */

describe('the priorities', () => {
  const tenantId = '11111111-1111-1111-1111-111111111111';

  test('are those of the table', () => {
    expect(priorityOf('unmute', tenantId)).toEqual({ priorityKey: 1, fairnessKey: tenantId });
    expect(priorityOf('mute', tenantId)).toEqual({ priorityKey: 2, fairnessKey: tenantId });
    expect(standingPriority(tenantId)).toEqual({ priorityKey: 3, fairnessKey: tenantId });
    expect(policyPriority('unmute', tenantId)).toEqual({ priorityKey: 4, fairnessKey: tenantId });
    expect(policyPriority(undefined, tenantId)).toEqual({ priorityKey: 4, fairnessKey: tenantId });
    expect(policyPriority('mute', tenantId)).toEqual({ priorityKey: 5, fairnessKey: tenantId });
  });

  test('have no fairness key without a tenant', () => {
    expect(priorityOf('mute')).toEqual({ priorityKey: 2 });
  });

  test('have the tenant in its one form, and no longer than the server takes', () => {
    expect(priorityOf('mute', 'Contoso.OnMicrosoft.com').fairnessKey).toBe('contoso.onmicrosoft.com');
    const domain = `${'a'.repeat(60)}.${'b'.repeat(60)}.com`;
    expect(priorityOf('mute', domain).fairnessKey).toBe(domain.slice(0, 64));
  });

  test('are in an order, in which none at all is 3', () => {
    expect(goesBefore(priorityOf('mute'), {})).toBe(true);
    expect(goesBefore({ priorityKey: 0 }, policyPriority('mute'))).toBe(true);
    expect(goesBefore(standingPriority(), {})).toBe(false);
    expect(goesBefore({}, standingPriority())).toBe(false);
    expect(goesBefore(policyPriority('mute'), policyPriority('unmute'))).toBe(false);
  });
});
