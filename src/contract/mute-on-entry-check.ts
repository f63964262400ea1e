import { isFields, type Rule } from './check.ts';
import { checkMuteOnEntryRule, type MuteOnEntryRule } from './mute-on-entry.ts';
import { kindOf } from './target.ts';
import type { Policy, PolicyRules } from './policy.ts';

/**
 * The rule `onEntry` of a policy: what it does to a call is to start a mute on entry there, in place of an operation. What
 * else a policy may say is about operations, or about a moment, and does not go with it.
 */

/** The terms of each mute on entry; nothing where the policy starts none. */
export function muteOnEntryRuleOf({ onEntry: rule }: PolicyRules = {}): MuteOnEntryRule | undefined {
  if (rule === undefined || rule === false) return undefined;
  return rule === true ? {} : rule;
}

/** Whether a policy has something to do as a call is established, so that it needs no time. What is none has not. */
export function isByRules(rules: PolicyRules | null | undefined): boolean {
  return rules?.onEstablished === true || muteOnEntryRuleOf(rules ?? {}) !== undefined;
}

/** Reads the rule. One without terms of its own is `true`. */
export const ON_ENTRY: Rule<boolean | MuteOnEntryRule> = (value, at, issues) => {
  if (typeof value === 'boolean') return value;
  if (!isFields(value)) {
    issues.add(at, 'must be true, or an object with forSeconds, except or both');
    return undefined;
  }
  const checked = checkMuteOnEntryRule(value);
  if (checked.ok) return Object.keys(checked.request).length === 0 ? true : checked.request;
  for (const fault of checked.issues) issues.add('', `${at}: ${fault}`);
  return undefined;
};

/** Everything of a policy that does not go with the rule, each with its remedy. The policy holds field by field. */
export function faultsBesideOnEntry({ action, rules, when, request = {}, onConflict }: Policy): string[] {
  if (muteOnEntryRuleOf(rules) === undefined) return [];
  const ofOperations = 'is of operations, and a mute on entry waits for those that run; leave it out';
  return [
    ...(action === 'mute' ? [] : ["rules.onEntry goes with the action 'mute'"]),
    ...(rules?.onEstablished === true ? ['rules.onEntry does not go with rules.onEstablished; make two policies'] : []),
    ...(rules?.moreThan === undefined
      ? []
      : [
          'rules.onEntry does not go with rules.moreThan, for it is for those who are still to come; make two policies',
        ]),
    ...(when.quietHours === undefined
      ? []
      : ['rules.onEntry does not go with when.quietHours, which mute the application; make two policies']),
    ...(kindOf(request.target) === 'self'
      ? []
      : [
          'rules.onEntry does not go with request.target, for it says itself whom to mute; leave it out, and name in rules.onEntry.except who may come unmuted',
        ]),
    ...(['confirmWithinSeconds', 'onUnconfirmed'] as const)
      .filter((field) => request[field] !== undefined)
      .map((field) => `request.${field} ${ofOperations}`),
    ...(onConflict === undefined ? [] : [`onConflict ${ofOperations}`]),
  ];
}
