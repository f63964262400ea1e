import { isFields, type Rule } from './check.ts';
import { checkMuteOnEntryRule, type MuteOnEntryRule } from './mute-on-entry.ts';
import { targetKind } from './target.ts';
import type { Policy, PolicyRules } from './policy.ts';

/**
 * The rule `onEntry` of a policy: in each call it starts a mute on entry instead of an operation. Other settings of a
 * policy concern operations, or one moment, and cannot be combined with it.
 */

/** The terms of each mute on entry; `undefined` if the policy starts none. */
export function muteOnEntryRuleOf({ onEntry: rule }: PolicyRules = {}): MuteOnEntryRule | undefined {
  if (rule === undefined || rule === false) return undefined;
  return rule === true ? {} : rule;
}

/**
 * True if the policy also acts when a call is established; such a policy may omit `when`. False for `undefined` and
 * `null`.
 */
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

/**
 * Every setting of a policy that cannot be combined with the rule, each with its remedy. Each field is valid on its
 * own.
 */
export function faultsBesideOnEntry({ action, rules, when, request = {}, onConflict }: Policy): string[] {
  if (muteOnEntryRuleOf(rules) === undefined) return [];
  const ofOperations = 'applies to operations only, and a mute on entry waits for running operations; leave it out';
  return [
    ...(action === 'mute' ? [] : ["rules.onEntry goes with the action 'mute'"]),
    ...(rules?.onEstablished === true ? ['rules.onEntry does not go with rules.onEstablished; make two policies'] : []),
    ...(rules?.minParticipants === undefined
      ? []
      : [
          'rules.onEntry does not go with rules.minParticipants, because it mutes people who join later; make two policies',
        ]),
    ...(when.quietHours === undefined
      ? []
      : ['rules.onEntry does not go with when.quietHours, which mute the application; make two policies']),
    ...(targetKind(request.target) === 'self'
      ? []
      : [
          'rules.onEntry does not go with request.target, because it mutes newcomers; leave request.target out, and list in rules.onEntry.except the participants to leave unmuted',
        ]),
    ...(['confirmWithinSeconds', 'onUnconfirmed'] as const)
      .filter((field) => request[field] !== undefined)
      .map((field) => `request.${field} ${ofOperations}`),
    ...(onConflict === undefined ? [] : [`onConflict ${ofOperations}`]),
  ];
}
